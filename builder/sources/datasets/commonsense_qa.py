"""CommonsenseQA (Talmor et al., 2019): five choices, A to E.

The test split is published without answers. In some rows two choices have the same
text; this is kept, and the target is the published letter.
"""

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset, Row
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.make import (
    clean_field,
    clean_id,
    make_question,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

# The commit of main on the Hub that is pinned by Hugging Face's own lighteval tasks.
REVISION = "94630fe30dad47192a8546eb75f094926d47e155"


def matches(row: Row) -> bool:
    """Return whether a file's first row has one of the two published shapes."""
    inner = row.get("question")
    fields = inner if isinstance(inner, dict) else row
    return "question_concept" in fields and "choices" in fields


def to_question(row: Row, ref: SourceRef) -> Question:
    """Return the question of a published row or a Hub row; raises BadRow.

    Published: {"answerKey": "B", "id": "a1", "question": {"question_concept": "spoon",
    "stem": "What stirs tea?", "choices": [{"label": "A", "text": "a fork"}, {"label":
    "B", "text": "a spoon"}, …]}}; the test file has no answers.

    Hub: {"id": "a1", "question": "What stirs tea?", "question_concept": "spoon",
    "choices": {"label": ["A", "B", …], "text": ["a fork", "a spoon", …]}, "answerKey":
    "B"}; the answer is "" in the test split.
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
        _parse_target(row.get("answerKey"), ref),
        ref,
    )


def _parse_target(answer: object, ref: SourceRef) -> str | None:
    if answer is not None and answer != "":
        return clean_field(answer, "answerKey")
    if ref.split == "test":
        return None
    raise BadRow(
        BadRowReason.NO_TARGET,
        f"answerKey is {short_repr(answer)}. Only the test split may have no answers.",
    )


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
