"""OpenBookQA, main (Mihaylov and others, 2018): four choices, A to D."""

import re

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.known import KnownDataset
from cotbuild.builder.sources.make import (
    LETTERS,
    choice_pairs,
    clean,
    clean_field,
    clean_id,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef

# main on the Hub, as pinned by Hugging Face's own lighteval tasks.
REVISION = "388097ea7776314e93a529163e0fea805b8a6454"

_ID = re.compile(r"[\d-]+")


def matches(row: Row) -> bool:
    """Whether a file's first row has one of the three shapes; ARC's files have the
    first one and other ids.
    """
    inner = row.get("question")
    published = (
        isinstance(inner, dict)
        and "stem" in inner
        and _ID.fullmatch(str(row.get("id"))) is not None
    )
    return (
        published
        or ("question_stem" in row and "choices" in row)
        or ("sent1" in row and "ending0" in row)
    )


def to_question(row: Row, ref: SourceRef) -> Question:
    """One Question from a published row, a Hub row, or a row of the SWAG-like form.
    Raises BadRow.

    Published: {"id": "1-1", "answerKey": "A", "question": {"stem": "Tea is", "choices":
    [{"text": "wet", "label": "A"}, {"text": "dry", "label": "B"}, …]}} Hub: {"id":
    "1-1", "question_stem": "Tea is", "choices": {"text": ["wet", …], "label": ["A",
    …]}, "answerKey": "A"} SWAG-like: {"id": "1-1", "sent1": "Tea is", "sent2": "",
    "ending0": "wet", …, "ending3": "blue", "label": 0}; the question is sent1 and,
    where it is not empty, sent2; label counts from 0.
    """
    if "sent1" in row:
        return _from_endings(row, ref)
    inner = row.get("question")
    nested = (
        inner
        if isinstance(inner, dict)
        else {"stem": row.get("question_stem"), "choices": row.get("choices")}
    )
    return make_question(
        clean_id(row.get("id")),
        QuestionKind.CHOICE,
        clean_field(nested.get("stem"), "question"),
        choice_pairs(nested.get("choices")),
        clean_field(row.get("answerKey"), "answerKey"),
        ref,
    )


def _from_endings(row: Row, ref: SourceRef) -> Question:
    endings = [row[f"ending{i}"] for i in range(len(LETTERS)) if f"ending{i}" in row]
    label = row.get("label")
    if type(label) is not int or not 0 <= label < len(endings):
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"label is {label!r}. Expected a whole number from 0 to {len(endings) - 1}.",
        )
    text = clean_field(row.get("sent1"), "sent1")
    more = clean(row.get("sent2") or "")
    return make_question(
        clean_id(row.get("id")),
        QuestionKind.CHOICE,
        f"{text} {more}" if more else text,
        choice_pairs(endings),
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
