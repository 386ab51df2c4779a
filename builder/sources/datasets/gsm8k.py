"""GSM8K, main (Cobbe and others, 2021): word problems, each with a worked solution that
ends in "#### number".
"""

import re

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.builder.sources.make import clean, clean_field, make_question
from cotbuild.builder.sources.targets import number
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# On the Hub, as pinned by the UK AISI's inspect_evals.
REVISION = "cc7b047b6e5bb11b4f1af84efc572db110a51b3c"

_CALCULATION = re.compile(r"<<[^<>]*>>")


def matches(row: Row) -> bool:
    """Whether a file's first row has the published shape, which is the Hub's too."""
    return (
        row.keys() == {"question", "answer"}
        and isinstance(row["answer"], str)
        and "####" in row["answer"]
    )


def to_question(row: Row, ref: SourceRef) -> Question:
    """One Question from a row, which has no id. Raises BadRow.

    {"question": "Ann has 2 cups and buys 1,000. How many?", "answer":
    "2+1000=<<2+1000=1002>>1002 cups.\\n#### 1,002"}
    """
    return make_question(
        None,
        QuestionKind.NUMBER,
        clean_field(row.get("question"), "question"),
        [],
        _target(row.get("answer")),
        ref,
    )


def _target(answer: object) -> str:
    plain = number(answer) if isinstance(answer, str) and "####" in answer else None
    if plain is None:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"answer is {short_repr(answer)}. Expected a text that ends in '#### number'.",
        )
    return plain


def rationale(row: Row) -> str | None:
    """The worked solution before ####, without the calculator's <<…>>."""
    answer = row.get("answer")
    return (
        clean(_CALCULATION.sub("", answer.rpartition("####")[0])) or None
        if isinstance(answer, str)
        else None
    )


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
    rationale=rationale,
)
