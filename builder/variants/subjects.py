"""The rationales of a build as selection and transforms see them."""

from collections.abc import Iterator
from typing import Any

from cotbuild.builder.build.build import RATIONALES, Build
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.select import Candidate
from cotbuild.prompts.student import format_label
from cotbuild.schemas.question import Choice, QuestionKind
from cotbuild.schemas.variant import LabelForm

_CANDIDATE = ("question_id", "sample_index", "verdict", "flags", "rationale")
_SUBJECT = (
    "question_id",
    "sample_index",
    "kind",
    "question",
    "choices",
    "target",
    "rationale",
    "answer",
)


def candidates(build: Build) -> Iterator[Candidate]:
    """What decides which rationales become rows, one a row.

    Raises DataError where a file cannot be read.
    """
    for row in build.read(RATIONALES, columns=_CANDIDATE):
        yield Candidate(**{**row, "flags": tuple(row["flags"])})


def question_ids(build: Build) -> Iterator[str]:
    """The question of every row."""
    rows = build.read(RATIONALES, columns=("question_id",))
    return (row["question_id"] for row in rows)


def subjects(build: Build) -> Iterator[RationaleExample]:
    """Every rationale, in the order of the build."""
    return map(to_subject, build.read(RATIONALES, columns=_SUBJECT))


def to_subject(row: dict[str, Any]) -> RationaleExample:
    """A published rationale as a transform's subject."""
    choices = tuple(
        Choice.model_construct(label=c["label"], text=c["text"]) for c in row["choices"]
    )
    target = row["target"]
    return RationaleExample(
        question_id=row["question_id"],
        sample_index=row["sample_index"],
        kind=QuestionKind(row["kind"]),
        question=row["question"],
        choices=choices,
        target=target,
        label="" if target is None else format_label(choices, target, LabelForm.TEXT),
        rationale=row["rationale"],
        answer=row["answer"],
    )
