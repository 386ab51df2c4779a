"""Question: one item of a dataset, with its inputs and its provenance."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cached_property
from string import ascii_uppercase
from typing import Annotated, Any, Literal, Self

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
    PROSE = "prose"  # a text of any length, scored against references


INPUT_NAME = r"^[a-z][a-z0-9_]*$"
"""What the name of an input or a tag may be."""
RESERVED_INPUT_NAMES = frozenset(
    {
        "answer",
        "answer_text",
        "choices",
        "distractors",
        "id",
        "inputs",
        "kind",
        "label",
        "options",
        "other_targets",
        "question",
        "rationale",
        "target",
        "target_text",
        "text",
    }
)
"""Names that templates and sources use for something else."""


def is_input_name(name: str) -> bool:
    """Return whether an input may have a name: it is well formed, and not reserved."""
    return (
        name not in RESERVED_INPUT_NAMES and re.fullmatch(INPUT_NAME, name) is not None
    )


MAX_INPUTS = 64
"""Highest number of inputs, and of tags, of one question."""

_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
}


class ImageRef(Record):
    """A picture, by its content: the bytes are in the `media` folder of a build."""

    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the bytes, 64 hex digits."
    )
    media_type: Literal["image/png", "image/jpeg", "image/webp", "image/gif"] = Field(
        description="Media type, by the content."
    )
    width: int = Field(ge=1, description="Width in pixels.")
    height: int = Field(ge=1, description="Height in pixels.")

    @property
    def file_name(self) -> str:
        """The name of its file: the digest, with the extension of its type."""
        return f"{self.sha256}.{_EXTENSIONS[self.media_type]}"


class Input(Record):
    """Something a question is asked with besides its text: a text or a picture."""

    name: str = Field(pattern=INPUT_NAME, description="Name, as templates use it.")
    text: str | None = Field(
        default=None,
        min_length=1,
        pattern=r"\S",
        description="The text; None if it is a picture.",
    )
    image: ImageRef | None = Field(
        default=None, description="The picture; None if it is a text."
    )

    @model_validator(mode="after")
    def _check_input(self) -> Self:
        if self.name in RESERVED_INPUT_NAMES:
            raise ValueError(f"{self.name!r} is not a name for an input")
        if (self.text is None) == (self.image is None):
            raise ValueError(
                f"input {self.name!r}: expected either a text or a picture"
            )
        return self


class Tag(Record):
    """A fact about a question to report by, such as its subject; never shown."""

    name: str = Field(pattern=INPUT_NAME, description="Name of the tag.")
    value: NonEmpty = Field(description="Value of the tag.")


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
        description="The Hub's config name, or that of published files, such as a direction "
        "of translation; None if the dataset has only one."
    )
    split: NonEmpty = Field(description="Split name; a dev set is called validation.")
    revision: str | None = Field(
        description="Resolved commit on the Hub; None for a file."
    )
    row: int = Field(ge=0, description="Index of the row in its split, from 0.")


def join_inputs(text: str, inputs: Iterable[Input]) -> str:
    """Return the text of a question and its inputs, pictures by digest.

    Two questions with equal texts and other inputs are two questions.
    """
    parts = [text]
    for one in inputs:
        shown = one.text if one.image is None else one.image.sha256
        parts.append(f"{one.name}: {shown}")
    return "\n".join(parts)


class Question(Record):
    """One question: text, inputs, choices, target and provenance."""

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
        description="Further accepted answers or references; only for text and prose."
    )
    source: SourceRef = Field(description="Where the question came from.")
    inputs: tuple[Input, ...] = Field(
        default=(),
        max_length=MAX_INPUTS,
        description="What the question is asked with besides its text, in order.",
    )
    tags: tuple[Tag, ...] = Field(
        default=(),
        max_length=MAX_INPUTS,
        description="Facts to report by, never shown.",
    )

    @classmethod
    def create(
        cls,
        text: str,
        *,
        target: str | None = None,
        choices: Sequence[str] = (),
        kind: QuestionKind | None = None,
        id: str = "question",
        inputs: Sequence[Input] = (),
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
            inputs=tuple(inputs),
        )

    @cached_property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Label and text of each choice: a key of caches that is fast to hash."""
        return tuple((choice.label, choice.text) for choice in self.choices)

    @property
    def input_texts(self) -> dict[str, str]:
        """The text of each input that is a text, by name."""
        return {one.name: one.text for one in self.inputs if one.text is not None}

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The pictures it is asked with, in order."""
        return tuple(one.image for one in self.inputs if one.image is not None)

    @property
    def full_text(self) -> str:
        """Its text and its inputs, pictures by digest: what tells two questions apart.

        Equal to `text` if it has no inputs.
        """
        return join_inputs(self.text, self.inputs)

    def digest_values(self) -> dict[str, Any]:
        """Return its plain values for a digest, without inputs and tags if it has none.

        Digests of questions from before there were inputs stay the same.
        """
        left_out = {name for name in ("inputs", "tags") if not getattr(self, name)}
        return self.model_dump(mode="json", exclude=left_out)

    @property
    def targets(self) -> tuple[str, ...]:
        """Every accepted answer; empty if the target is not published."""
        return () if self.target is None else (self.target, *self.other_targets)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        self._check_choices()
        self._check_target()
        if self.inputs or self.tags:
            self._check_names()
        return self

    def _check_names(self) -> None:
        for what, named in (("input", self.inputs), ("tag", self.tags)):
            names = [one.name for one in named]
            if len(set(names)) < len(names):
                raise ValueError(
                    f"question {short_repr(self.id)} has {what}s {short_repr(names)}, "
                    "expected different names"
                )

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
        has_several = self.kind in (QuestionKind.TEXT, QuestionKind.PROSE)
        if self.other_targets and not has_several:
            raise ValueError(
                f"question {short_repr(self.id)} is of kind {self.kind.value}, "
                "expected one target"
            )
