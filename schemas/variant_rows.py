"""Rows of variants: texts, or lists of messages."""

from typing import Literal

from pydantic import Field

from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import RowFormat, VariantSpec

Task = Literal["predict", "explain", "attempt"]
"""What one of several rows of a rationale trains: the label, the rationale, an attempt."""


class ChatTurn(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"] = Field(
        description="Role of the speaker."
    )
    content: str = Field(description="Text of the turn.")


class VariantRow(Record):
    """A row of a variant, in the prompt-completion format that TRL and others train on.

    Rows of evaluation splits have the same columns, since all splits of a config must,
    and their completion is the label alone.
    """

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(
        ge=0, description="Index of the sample for this question, from 0."
    )
    task: Task | None = Field(
        description="Task of the row, of rationales that have several; None for others."
    )
    prompt: str | tuple[ChatTurn, ...] = Field(description="Prompt of the student.")
    completion: str | tuple[ChatTurn, ...] = Field(
        description="Completion that the student is trained on."
    )
    choices: tuple[str, ...] = Field(
        description="Possible labels, one per option; empty unless it is a choice question."
    )
    target: str | None = Field(
        description="Reference answer; None if it is not published."
    )
    label_start: int | None = Field(
        description="Index of the label's first character in the completion; None without a "
        "label."
    )
    label_end: int | None = Field(
        description="Index after the label's last character; None without a label."
    )
    rationale_start: int | None = Field(
        description="Index of the rationale's first character in the completion; None without"
        " one."
    )
    rationale_end: int | None = Field(
        description="Index after the rationale's last character; None without one."
    )

    @property
    def completion_text(self) -> str:
        """The text that `label_start` and the other offsets count in."""
        if isinstance(self.completion, str):
            return self.completion
        return self.completion[-1].content


class TrainingRow(VariantRow):
    """A row of format text.

    The prompt never ends in white space, the completion begins with it, and neither
    holds an end-of-text token.
    """

    prompt: str = Field(description="Prompt of the student.")
    completion: str = Field(description="Completion that the student is trained on.")


class MessagesRow(VariantRow):
    """A row of format messages: a conversation whose last turn is the completion.

    The texts are those of a row of format text. Offsets count in the assistant's turn
    that is the completion.
    """

    prompt: tuple[ChatTurn, ...] = Field(
        min_length=1, description="Turns before the completion."
    )
    completion: tuple[ChatTurn, ...] = Field(
        min_length=1,
        max_length=1,
        description="The assistant's turn that the student is trained on.",
    )
    pictures: tuple[ImageRef, ...] = Field(
        default=(),
        description="Pictures of the question, which belong before the text of the user's "
        "first turn.",
    )

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The pictures, whose bytes are a column of the file."""
        return self.pictures


def row_model(spec: VariantSpec) -> type[VariantRow]:
    """Return the record that the rows of a variant are."""
    return MessagesRow if spec.format is RowFormat.MESSAGES else TrainingRow
