"""CommonsenseQA (Talmor and others, 2019): five choices, A to E; the test split is
published without answers.

Dirt that is kept as it is: in some rows two choices have the same text, and then the
target is the published letter.
"""

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.builder.sources.make import (
    choice_pairs,
    clean_field,
    clean_id,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef

# main on the Hub, as pinned by Hugging Face's own lighteval tasks.
REVISION = "94630fe30dad47192a8546eb75f094926d47e155"


def matches(row: Row) -> bool:
    """Whether a file's first row has one of the two published shapes."""
    inner = row.get("question")
    fields = inner if isinstance(inner, dict) else row
    return "question_concept" in fields and "choices" in fields


def to_question(row: Row, ref: SourceRef) -> Question:
    """One Question from a published row, or from a Hub row. Raises BadRow.

    Published: {"answerKey": "B", "id": "a1", "question": {"question_concept": "spoon",
    "stem": "What stirs tea?", "choices": [{"label": "A", "text": "a fork"}, {"label":
    "B", "text": "a spoon"}, …]}}; the test file has no answers. Hub: {"id": "a1",
    "question": "What stirs tea?", "question_concept": "spoon", "choices": {"label":
    ["A", "B", …], "text": ["a fork", "a spoon", …]}, "answerKey": "B"}; "" in the test
    split.
    """
    inner = row.get("question")
    nested = (
        inner
        if isinstance(inner, dict)
        else {"stem": inner, "choices": row.get("choices")}
    )
    return make_question(
        clean_id(row.get("id")),
        QuestionKind.CHOICE,
        clean_field(nested.get("stem"), "question"),
        choice_pairs(nested.get("choices")),
        _target(row, ref),
        ref,
    )


def _target(row: Row, ref: SourceRef) -> str | None:
    answer = row.get("answerKey")
    if answer is None or answer == "":
        if ref.split == "test":
            return None
        raise BadRow(
            BadRowReason.NO_TARGET,
            f"answerKey is {answer!r}. Expected a letter: only the test split goes without.",
        )
    return clean_field(answer, "answerKey")


KNOWN = KnownDataset(
    name="commonsense_qa",
    hub_id="tau/commonsense_qa",
    config_name=None,
    revision=REVISION,
    splits=("train", "validation", "test"),
    licence="MIT",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
)
