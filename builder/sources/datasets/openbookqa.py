"""OpenBookQA, main (Mihaylov et al., 2018): four choices, A to D."""

import re

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset, Row
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.make import (
    LETTERS,
    clean_field,
    clean_id,
    clean_text,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# The commit of main on the Hub that is pinned by Hugging Face's own lighteval tasks.
REVISION = "388097ea7776314e93a529163e0fea805b8a6454"

_ID = re.compile(r"[\d-]+")


def matches(row: Row) -> bool:
    """Return whether a file's first row has one of the three shapes.

    ARC publishes the first of them with other ids.
    """
    inner = row.get("question")
    has_own_id = _ID.fullmatch(str(row.get("id"))) is not None
    is_published = isinstance(inner, dict) and "stem" in inner and has_own_id
    is_hub = "question_stem" in row and "choices" in row
    is_swag_like = "sent1" in row and "ending0" in row
    return is_published or is_hub or is_swag_like


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a published, Hub or SWAG-like row; raises BadRow.

    Published: {"id": "1-1", "answerKey": "A", "question": {"stem": "Tea is", "choices":
    [{"text": "wet", "label": "A"}, {"text": "dry", "label": "B"}, …]}}

    Hub: {"id": "1-1", "question_stem": "Tea is", "choices": {"text": ["wet", …],
    "label": ["A", …]}, "answerKey": "A"}

    SWAG-like: {"id": "1-1", "sent1": "Tea is", "sent2": "", "ending0": "wet", …,
    "ending3": "blue", "label": 0}. The question is sent1 and, if it is not empty,
    sent2; label counts from 0.
    """
    if "sent1" in row:
        return _parse_swag_like(row, ref)
    stem, choices = row.get("question_stem"), row.get("choices")
    inner = row.get("question")
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


def _parse_swag_like(row: Row, ref: SourceRef) -> Question:
    names = [f"ending{i}" for i in range(len(LETTERS))]
    endings = [row[name] for name in names if name in row]
    label = row.get("label")
    if type(label) is not int or not 0 <= label < len(endings):
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"label is {short_repr(label)}. Expected a whole number from 0 to "
            f"{len(endings) - 1}.",
        )
    text = clean_field(row.get("sent1"), "sent1")
    second = clean_text(row.get("sent2") or "")
    return make_question(
        clean_id(row.get("id")),
        QuestionKind.CHOICE,
        f"{text} {second}" if second else text,
        parse_choices(endings),
        LETTERS[label],
        ref,
    )


KNOWN = KnownDataset(
    name="openbookqa",
    hub_id="allenai/openbookqa",
    config_name="main",
    revision=REVISION,
    splits=("train", "validation", "test"),
    licence="Apache-2.0 upstream; its Hub card says unknown",
    kind=QuestionKind.CHOICE,
    matches=matches,
    to_question=to_question,
)
