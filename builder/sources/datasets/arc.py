"""ARC, Challenge and Easy (Clark et al., 2018): three to five choices, mostly A to D.

Some rows label their choices 1 to 4, and their target is a digit too; this is kept.
"""

import re

from cotbuild.builder.sources.base import KnownDataset, Row
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.make import (
    clean_field,
    clean_id,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef

# The commit "Convert dataset to Parquet" on the Hub, which most evaluation code pins.
REVISION = "210d026faf9955653af8916fad021475a3f00453"

_OPENBOOKQA_ID = re.compile(r"[\d-]+")


def matches(row: Row) -> bool:
    """Return whether a file's first row has the published shape or the Hub's.

    OpenBookQA publishes the same shape with other ids.
    """
    if "question_concept" in row or _OPENBOOKQA_ID.fullmatch(str(row.get("id"))):
        return False
    inner = row.get("question")
    if isinstance(inner, dict) and "question_concept" not in inner:
        stem, choices = inner.get("stem"), inner.get("choices")
    else:
        stem, choices = inner, row.get("choices")
    return isinstance(stem, str) and _are_labelled(choices) and "answerKey" in row


def _are_labelled(choices: object) -> bool:
    first = choices[0] if isinstance(choices, list) and choices else choices
    return isinstance(first, dict) and {"label", "text"} <= first.keys()


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a published row or a Hub row; raises BadRow.

    Published: {"id": "Mercury_1", "answerKey": "A", "question": {"stem": "Tea is",
    "choices": [{"text": "wet", "label": "A"}, {"text": "dry", "label": "B"}, …]}}

    Hub: {"id": "Mercury_1", "question": "Tea is", "choices": {"text": ["wet", …],
    "label": ["A", …]}, "answerKey": "A"}
    """
    inner = row.get("question")
    stem, choices = inner, row.get("choices")
    if isinstance(inner, dict):
        stem, choices = inner.get("stem"), inner.get("choices")
    return make_question(
        clean_id(row.get("id")),
        QuestionKind.CHOICE,
        clean_field(stem, "question"),
        parse_choices(choices),
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
