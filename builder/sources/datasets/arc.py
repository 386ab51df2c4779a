"""ARC (Clark and others, 2018), Challenge and Easy: three to five choices, mostly A to
D.

Dirt that is kept as it is: some rows label their choices 1 to 4, and then the target is
a digit too.
"""

import re

from cotbuild.builder.sources.base import Row
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.builder.sources.make import (
    choice_pairs,
    clean_field,
    clean_id,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef

# "Convert dataset to Parquet" on the Hub, the commit most evaluation code pins.
REVISION = "210d026faf9955653af8916fad021475a3f00453"

_OPENBOOKQA_ID = re.compile(r"[\d-]+")


def matches(row: Row) -> bool:
    """Whether a file's first row has one of the two shapes; OpenBookQA's files have the
    first one and other ids.
    """
    if "question_concept" in row or _OPENBOOKQA_ID.fullmatch(str(row.get("id"))):
        return False
    inner = row.get("question")
    nested = (
        inner
        if isinstance(inner, dict) and "question_concept" not in inner
        else {"stem": inner, **row}
    )
    return (
        isinstance(nested.get("stem"), str)
        and _labelled(nested.get("choices"))
        and "answerKey" in row
    )


def _labelled(choices: object) -> bool:
    first = choices[0] if isinstance(choices, list) and choices else choices
    return isinstance(first, dict) and {"label", "text"} <= first.keys()


def to_question(row: Row, ref: SourceRef) -> Question:
    """One Question from a published row, or from a Hub row. Raises BadRow.

    Published: {"id": "Mercury_1", "answerKey": "A", "question": {"stem": "Tea is",
    "choices": [{"text": "wet", "label": "A"}, {"text": "dry", "label": "B"}, …]}} Hub:
    {"id": "Mercury_1", "question": "Tea is", "choices": {"text": ["wet", …], "label":
    ["A", …]}, "answerKey": "A"}
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
        clean_field(row.get("answerKey"), "answerKey"),
        ref,
    )


CHALLENGE = KnownDataset(
    name="arc_challenge",
    hub_id="allenai/ai2_arc",
    config_name="ARC-Challenge",
    revision=REVISION,
    splits=("train", "validation", "test"),
    licence="CC BY-SA 4.0",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
)
EASY = CHALLENGE._replace(name="arc_easy", config_name="ARC-Easy")
