"""Question: one item of a QA dataset, with its provenance."""

from collections.abc import Sequence
from enum import StrEnum
from string import ascii_uppercase
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from cotbuild.schemas.record import Record, short_repr

NonEmpty = Annotated[str, StringConstraints(min_length=1, pattern=r"\S")]


class QuestionKind(StrEnum):
    """How a question is answered.

    It selects the template, the extraction and the comparison of answers.
    """

    CHOICE = "choice"
    YES_NO = "yes_no"
    NUMBER = "number"
    TEXT = "text"


class Choice(Record):
    """One option of a multiple-choice question."""

    label: NonEmpty = Field(
        description="Label of the option as shown to the teacher: A, B, … or 1, 2, …."
    )
    text: NonEmpty = Field(description="Text of the option.")


class SourceRef(Record):
    """Where a question came from, in the Hub's terms."""

    dataset: NonEmpty = Field(
        description="Hub id of the dataset, name of a bundled dataset, or file name without a"
        " path."
    )
    config_name: str | None = Field(
        description="The Hub's config name; None if the dataset has only one."
    )
    split: NonEmpty = Field(description="Split name; a dev set is called validation.")
    revision: str | None = Field(
        description="Resolved commit on the Hub; None for a file."
    )
    row: int = Field(ge=0, description="Index of the row in its split, from 0.")


class Question(Record):
    """One question: text, choices, target and provenance."""

    id: NonEmpty = Field(description="Id of the question, unique within the build.")
    kind: QuestionKind = Field(description="How the question is answered.")
    text: NonEmpty = Field(description="Text of the question, without its choices.")
    choices: tuple[Choice, ...] = Field(
        description="Options in order; empty unless kind is choice."
    )
    target: str | None = Field(
        description="Reference answer: a choice's label, yes or no, a number in plain digits,"
        " or text; None if it is not published."
    )
    other_targets: tuple[str, ...] = Field(
        description="Further accepted answers; only for text questions."
    )
    source: SourceRef = Field(description="Where the question came from.")

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
        """Every accepted answer; empty if the target is not published."""
        return () if self.target is None else (self.target, *self.other_targets)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        self._check_choices()
        self._check_target()
        return self

    def _check_choices(self) -> None:
        labels = [choice.label for choice in self.choices]
        if self.kind is not QuestionKind.CHOICE:
            if labels:
                raise ValueError(
                    f"question {short_repr(self.id)} is of kind {self.kind.value} and has "
                    f"choices {short_repr(labels)}, expected none"
                )
            return
        if len(labels) < 2:
            raise ValueError(
                f"question {short_repr(self.id)} has {len(labels)} choices, "
                "expected at least 2"
            )
        if len(set(labels)) != len(labels):
            raise ValueError(
                f"question {short_repr(self.id)} has choices {short_repr(labels)}, "
                "expected different labels"
            )
        if self.target is not None and self.target not in labels:
            raise ValueError(
                f"question {short_repr(self.id)} has target {short_repr(self.target)}, "
                f"not one of its choices {short_repr(labels)}"
            )

    def _check_target(self) -> None:
        if self.kind is QuestionKind.YES_NO and self.target not in ("yes", "no", None):
            raise ValueError(
                f"question {short_repr(self.id)} has target {short_repr(self.target)}, "
                "expected 'yes' or 'no'"
            )
        if self.target is not None and not self.target.strip():
            raise ValueError(
                f"question {short_repr(self.id)} has the empty target "
                f"{short_repr(self.target)}"
            )
        if self.other_targets and self.kind is not QuestionKind.TEXT:
            raise ValueError(
                f"question {short_repr(self.id)} is of kind {self.kind.value}, "
                "expected one target"
            )
