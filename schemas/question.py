"""Question: one item of a QA dataset, and where it came from."""

from collections.abc import Sequence
from enum import StrEnum
from string import ascii_uppercase
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from cotbuild.schemas.record import Record

NonEmpty = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class QuestionKind(StrEnum):
    """How a question is answered; decides template, extraction and comparison."""

    CHOICE = "choice"
    YES_NO = "yes_no"
    NUMBER = "number"
    TEXT = "text"


class Choice(Record):
    """One option of a multiple-choice question."""

    label: NonEmpty = Field(
        description="What names the option, as shown to the teacher: A, B, … or 1, 2, …."
    )
    text: NonEmpty = Field(description="The option itself.")


class SourceRef(Record):
    """Where a question came from, in the Hub's coordinates."""

    dataset: NonEmpty = Field(
        description="Hub id of the dataset, name of the bundled set, or file name; no path."
    )
    config_name: str | None = Field(
        description="The Hub's config; None where the dataset has only one."
    )
    split: NonEmpty = Field(description="Split name; dev sets are called validation.")
    revision: str | None = Field(
        description="Resolved commit on the Hub; None for a file."
    )
    row: int = Field(ge=0, description="Position of the row in its split, from 0.")


class Question(Record):
    """A dataset item: text, choices, target and provenance."""

    id: NonEmpty = Field(description="Stable key within the build.")
    kind: QuestionKind = Field(description="How it is answered.")
    text: NonEmpty = Field(description="The question as asked, without its choices.")
    choices: tuple[Choice, ...] = Field(
        description="The options in order; empty unless kind is choice."
    )
    target: str | None = Field(
        description="Reference answer: a choice's label, yes or no, a number in plain digits, text. None: unpublished."
    )
    other_targets: tuple[str, ...] = Field(
        description="Further accepted answers of a text question; else empty."
    )
    source: SourceRef = Field(description="Where it came from.")

    @classmethod
    def create(
        cls,
        text: str,
        *,
        target: str | None = None,
        choices: Sequence[str] = (),
        kind: QuestionKind | None = None,
        id: str = "question",
    ) -> Self:
        """Make a question by hand; its choices are lettered A, B, ….

        `target` is the letter of a choice, `yes` or `no`, a number in plain digits, or
        text. `kind` defaults to `choice` with choices, else to `text`. Raises
        ValueError if target and kind do not fit.
        """
        options = tuple(
            Choice(label=ascii_uppercase[i], text=choice)
            for i, choice in enumerate(choices)
        )
        if kind is None:
            kind = QuestionKind.CHOICE if options else QuestionKind.TEXT
        source = SourceRef(
            dataset="-", config_name=None, split="train", revision=None, row=0
        )
        return cls(
            id=id,
            kind=kind,
            text=text,
            choices=options,
            target=target,
            other_targets=(),
            source=source,
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """Every accepted answer; empty where the target is not published."""
        return () if self.target is None else (self.target, *self.other_targets)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        labels = [choice.label for choice in self.choices]
        if self.kind is QuestionKind.CHOICE:
            if len(labels) < 2:
                raise ValueError(
                    f"question {self.id!r} has {len(labels)} choices, expected at least 2"
                )
            if len(set(labels)) != len(labels):
                raise ValueError(
                    f"question {self.id!r} has choices {labels}, expected different labels"
                )
            if self.target is not None and self.target not in labels:
                raise ValueError(
                    f"question {self.id!r} has target {self.target!r}, not one of its choices {labels}"
                )
        elif labels:
            raise ValueError(
                f"question {self.id!r} is of kind {self.kind.value} and has choices {labels}, expected none"
            )
        if self.kind is QuestionKind.YES_NO and self.target not in ("yes", "no", None):
            raise ValueError(
                f"question {self.id!r} has target {self.target!r}, expected 'yes' or 'no'"
            )
        if self.target is not None and not self.target.strip():
            raise ValueError(
                f"question {self.id!r} has the empty target {self.target!r}"
            )
        if self.other_targets and self.kind is not QuestionKind.TEXT:
            raise ValueError(
                f"question {self.id!r} is of kind {self.kind.value}, expected one target"
            )
        return self
