"""StrategyQA (Geva et al., 2021): yes or no, with the facts that lead to the answer.

One question occurs under two ids; this is kept.
"""

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset, Row
from cotbuild.builder.sources.make import (
    clean_field,
    clean_id,
    join_texts,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# The authors published nothing on the Hub. Papers load this copy of their 2,290
# labelled rows, which its owner split anew into 1,603 and 687.
REVISION = "705562638fe1d8ca6bb98c66fc8f94d45fda8c83"


def matches(row: Row) -> bool:
    """Return whether a file's first row has the published shape, also the Hub's."""
    return {"qid", "question", "answer", "facts"} <= row.keys()


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a published row or a Hub row; raises BadRow.

    Published: {"qid": "2bc9", "term": "Tea", "question": "Is tea wet?", "answer": true,
    "facts": ["Tea is a drink.", "Drinks are wet."], "decomposition": [...], "evidence":
    [...], …}

    Hub: the same without the last two; facts may be one text.
    """
    answer = row.get("answer")
    if not isinstance(answer, bool):
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"answer is {short_repr(answer)}, not true or false.",
        )
    return make_question(
        clean_id(row.get("qid")),
        QuestionKind.YES_NO,
        clean_field(row.get("question"), "question"),
        [],
        "yes" if answer else "no",
        ref,
    )


def rationales(row: Row) -> tuple[str, ...]:
    """Return the facts, joined by spaces."""
    text = join_texts(row.get("facts"))
    return () if text is None else (text,)


KNOWN = KnownDataset(
    name="strategyqa",
    hub_id="ChilleD/StrategyQA",
    config_name=None,
    revision=REVISION,
    splits=("train", "test"),
    licence="MIT",
    kind=QuestionKind.YES_NO,
    matches=matches,
    to_question=to_question,
    id_column="qid",
    rationales=rationales,
    rationales_by="people (crowd workers)",
)
