"""Transforms of rationales, as a variant declares them.

Each record holds the parameters of the function that applies it, in
`builder/variants/transforms`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cotbuild.schemas.record import Record

Share = Annotated[float, Field(ge=0, le=1)]
Unit = Literal["word", "piece", "sentence"]
"""What a transform moves, masks or counts.

A word is a run of non-space characters, a piece one or more tokens of the spec's
tokenizer that decode to valid UTF-8, a sentence as `variants/units.py` splits them.
"""


class Shuffle(Record):
    """Shuffle the units."""

    do: Literal["shuffle"]
    unit: Unit = Field(default="word", description="Unit to move.")
    within: Literal["rationale", "sentence"] = Field(
        default="rationale", description="Range within which units move."
    )
    block: int = Field(
        default=1, ge=1, description="Number of units that move together, as an n-gram."
    )

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.unit == "sentence" and self.within == "sentence":
            raise ValueError(
                "unit sentence within a sentence moves nothing, "
                "expected within rationale"
            )
        return self


class Reverse(Record):
    """Reverse the order of the units."""

    do: Literal["reverse"]
    unit: Unit = Field(default="word", description="Unit to reverse.")


class Sort(Record):
    """Sort the units alphabetically, case-folded and stable."""

    do: Literal["sort"]
    unit: Unit = Field(default="word", description="Unit to sort.")


class Mask(Record):
    """Replace or drop words: a fraction of them, or all of a class."""

    do: Literal["mask"]
    words: Literal["any", "stop", "content", "number", "mention"] = Field(
        default="any",
        description="Words that may be masked; mention is words that name an option.",
    )
    share: Share = Field(
        default=1.0, description="Fraction of those words to mask, rounded half up."
    )
    layout: Literal["scattered", "contiguous"] = Field(
        default="scattered",
        description="Whether masked words are scattered or contiguous.",
    )
    symbol: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        description="Replacement of each masked word; None to drop it.",
    )


class Cut(Record):
    """Keep the first or last words: a number, a fraction, or as many as another
    transform keeps.
    """

    do: Literal["cut"]
    end: Literal["first", "last"] = Field(
        default="first", description="End of the rationale to keep."
    )
    count: int | None = Field(
        default=None,
        ge=0,
        description="Number of words to keep; None to use share or like.",
    )
    share: Share | None = Field(
        default=None,
        description="Fraction of the words to keep, rounded half up; None to use count or "
        "like.",
    )
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to keep; None to use count or share.",
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        _check_one_of(self, "count", "share", "like")
        return self


class Top(Record):
    """Keep the k most important words by some measure."""

    do: Literal["top"]
    by: Literal["scores", "tfidf", "question", "options", "list"] = Field(
        description="Measure of importance. scores: a file of attribution scores; tfidf: over"
        " the build; question, options: words shared with them; list: words in a "
        "file."
    )
    count: int = Field(ge=1, description="Maximum number of words to keep.")
    order: Literal["text", "score"] = Field(
        default="text",
        description="Order of the kept words: as in the text, or by score.",
    )
    mentions: Literal["with", "without"] = Field(
        default="with", description="Whether words naming an option may count."
    )
    file: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name that --file binds to a path; None if no file is needed.",
    )

    @model_validator(mode="after")
    def _check_file(self) -> Self:
        if (self.by in ("scores", "list")) != (self.file is not None):
            raise ValueError(
                f"by {self.by!r} and file {self.file!r}: "
                "expected a file for scores and list, else none"
            )
        return self


class Sample(Record):
    """Keep random words of the rationale in their order: a number, or as many as another
    transform keeps.
    """

    do: Literal["sample"]
    count: int | None = Field(
        default=None, ge=0, description="Number of words to keep; None to use like."
    )
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to keep; None to use count.",
    )
    mentions: Literal["with", "without"] = Field(
        default="with", description="Whether words naming an option may count."
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        _check_one_of(self, "count", "like")
        return self


class Vocabulary(Record):
    """Replace the rationale by random words of the build: as many as it has, or as another
    transform keeps.
    """

    do: Literal["vocabulary"]
    weights: Literal["uniform", "corpus"] = Field(
        default="uniform",
        description="Probability of a word: uniform over distinct words, or by its frequency "
        "in the build.",
    )
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to draw; None for the rationale's own "
        "number.",
    )


class Swap(Record):
    """Replace the rationale by that of another question."""

    do: Literal["swap"]
    label: Literal["any", "same", "other"] = Field(
        default="any",
        description="Label of the other question: any, the same, or another one.",
    )


class Filler(Record):
    """Replace the rationale by one word, repeated as often as the rationale, or another
    transform's result, has words.
    """

    do: Literal["filler"]
    word: str = Field(default="…", pattern=r"^\S+$", description="The word to repeat.")
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to use; None for the rationale's own "
        "number.",
    )


class Echo(Record):
    """Replace the rationale by the question's words, repeated to the same number of words."""

    do: Literal["echo"]


class Constant(Record):
    """Replace the rationale by the same text in every row."""

    do: Literal["constant"]
    text: str = Field(min_length=1, pattern=r"\S", description="The text.")


class Strip(Record):
    """Remove words that name the target or any option; or, as a control, as many random
    words.
    """

    do: Literal["strip"]
    what: Literal["target", "options"] = Field(description="Whose mentions to remove.")
    random: bool = Field(
        default=False,
        description="Remove as many words as that would, drawn from the other words as far as"
        " they suffice.",
    )


class LeakOnly(Record):
    """Keep only the words that name the target."""

    do: Literal["leak_only"]


def _check_one_of(record: Record, *names: str) -> None:
    """Raise ValueError unless exactly one of the fields is set."""
    given = [name for name in names if getattr(record, name) is not None]
    if len(given) != 1:
        described = " and ".join(given) or f"none of {', '.join(names)}"
        raise ValueError(f"{described} given, expected one of {list(names)}")


Transform = Annotated[
    Shuffle
    | Reverse
    | Sort
    | Mask
    | Cut
    | Top
    | Sample
    | Vocabulary
    | Swap
    | Filler
    | Echo
    | Constant
    | Strip
    | LeakOnly,
    Field(discriminator="do"),
]
for _model in (Cut, Sample, Vocabulary, Filler):
    _model.model_rebuild()
