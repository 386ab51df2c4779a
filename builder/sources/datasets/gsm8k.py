"""GSM8K, main (Cobbe et al., 2021): arithmetic word problems.

The answer of each is a worked solution that ends in "#### number".
"""

import re

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset, Row
from cotbuild.builder.sources.make import clean_field, clean_text, make_question
from cotbuild.builder.sources.targets import parse_number
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# The commit on the Hub that is pinned by the UK AISI's inspect_evals.
REVISION = "cc7b047b6e5bb11b4f1af84efc572db110a51b3c"

_CALCULATION = re.compile(r"<<[^<>]*>>")


def matches(row: Row) -> bool:
    """Return whether a file's first row has the shape, published or on the Hub."""
    if row.keys() != {"question", "answer"}:
        return False
    answer = row["answer"]
    return isinstance(answer, str) and "####" in answer


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a row, which has no id; raises BadRow.

    {"question": "Ann has 2 cups and buys 1,000. How many?", "answer":
    "2+1000=<<2+1000=1002>>1002 cups.\\n#### 1,002"}
    """
    return make_question(
        None,
        QuestionKind.NUMBER,
        clean_field(row.get("question"), "question"),
        [],
        _parse_target(row.get("answer")),
        ref,
    )


def _parse_target(answer: object) -> str:
    target = None
    if isinstance(answer, str) and "####" in answer:
        target = parse_number(answer)
    if target is None:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"answer is {short_repr(answer)}. Expected a text that ends in "
            "'#### number'.",
        )
    return target


def rationales(row: Row) -> tuple[str, ...]:
    """Return the worked solution before ####, without calculator annotations <<…>>."""
    answer = row.get("answer")
    if not isinstance(answer, str):
        return ()
    solution = answer.rpartition("####")[0]
    text = clean_text(_CALCULATION.sub("", solution))
    return (text,) if text else ()


KNOWN = KnownDataset(
    name="gsm8k",
    hub_id="openai/gsm8k",
    config_name="main",
    revision=REVISION,
    splits=("train", "test"),
    licence="MIT",
    kind=QuestionKind.NUMBER,
    matches=matches,
    to_question=to_question,
    id_column=None,
    rationales=rationales,
    rationales_by="people (crowd workers)",
)
