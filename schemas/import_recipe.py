"""Recipe: how files of rationales made elsewhere are read; ImportConfig: which files;
ImportEntry: what came of it.
"""

from enum import StrEnum
from functools import cached_property
from string import Template as Text
from typing import Literal, Self

from pydantic import Field, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import Record

WHOLE_ROW = "."
"""As a column: the row itself, in files that are lists of texts."""
QUESTION_FIELDS = ("id", "question", "choices", "target", "other_targets", "kind")
"""What a row can say of its question."""
_FIELDS = ("text", "answer", *QUESTION_FIELDS)
_NEEDED = {"id": "id", "question": "question", "inside": "question"}

Join = Literal["id", "question", "order", "inside"]


class ImportRecipe(Record):
    """How the rows of files of rationales belong to questions, and where in a row the
    text stands.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="What it is called.")
    version: int = Field(ge=1, description="Counts up with every change.")
    about: str = Field(
        min_length=1, description="One line for people; not part of the fingerprint."
    )
    made_by: str = Field(
        min_length=1, description="Who wrote the rationales: a model's name, or people."
    )
    licence: str = Field(
        min_length=1, description="As stated by the publisher; unknown where none is."
    )
    url: str | None = Field(
        default=None, description="Where they were published, at a commit."
    )
    join: Join = Field(
        description="How a row finds its question: by id, by the question's text, as row n of all files to question n, "
        "or the rows bring their questions themselves."
    )
    columns: dict[str, str] = Field(
        description="Field to column of the row, dotted to reach into nested ones. text: a text or a list of texts, "
        "'.' for the row itself; answer; and of the question id, question, choices, target, other_targets, kind."
    )
    question_form: str = Field(
        default="$question",
        description="How the question column writes a question: $question and $choices.",
    )
    choice_form: str = Field(
        default="$label: $text", description="How it writes one of $choices."
    )
    choice_separator: str = Field(
        default=", ", description="What stands between two of $choices."
    )
    order_about: str | None = Field(
        default=None,
        description="For people: the file whose ids stand in the order of the rows; None: the source's own order.",
    )
    answer: Literal["last", "first", "column", "target"] = Field(
        description="Where the answer stands: last or first in the text, in the answer column, or nowhere, since the "
        "text was written for the target."
    )
    target_shown: bool = Field(description="Whether the writer was shown the target.")

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that decides the rows made."""
        return digest(
            "recipe/1", self.model_dump(mode="json", exclude={"about", "order_about"})
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if unknown := sorted(set(self.columns) - set(_FIELDS)):
            raise ValueError(
                f"columns names {unknown}, expected some of {list(_FIELDS)}"
            )
        needed = {"text", *([_NEEDED[self.join]] if self.join in _NEEDED else [])}
        if missing := sorted(name for name in needed if not self.columns.get(name)):
            raise ValueError(f"columns lacks {missing}, which join {self.join!r} needs")
        if self.columns["text"] == WHOLE_ROW and (
            len(self.columns) > 1 or self.join != "order"
        ):
            raise ValueError(
                f"the text is the whole row {WHOLE_ROW!r}, expected join order and no other column"
            )
        if (self.answer == "column") != ("answer" in self.columns):
            raise ValueError(
                "answer 'column' and a column for answer go together, expected both or neither"
            )
        self._check_forms()
        return self

    def _check_forms(self) -> None:
        for field, allowed, needed in (
            ("question_form", {"question", "choices"}, {"question"}),
            ("choice_form", {"label", "text"}, {"text"}),
        ):
            form = Text(getattr(self, field))
            if not form.is_valid():
                raise ValueError(
                    f"{field} has a lone $, expected $name, or $$ for a dollar sign"
                )
            names = set(form.get_identifiers())
            if not needed <= names <= allowed:
                raise ValueError(
                    f"{field} uses {sorted(names)}, expected {sorted(needed)} and at most {sorted(allowed)}"
                )

    def write_question(self, question: Question) -> str:
        """The question as the files' question column would write it."""
        choices = self.choice_separator.join(
            self._choice_form.substitute(label=choice.label, text=choice.text)
            for choice in question.choices
        )
        return self._question_form.substitute(question=question.text, choices=choices)

    @cached_property
    def _question_form(self) -> Text:
        return Text(self.question_form)

    @cached_property
    def _choice_form(self) -> Text:
        return Text(self.choice_form)


class ImportConfig(Record):
    """What an import reads."""

    files: tuple[str, ...] = Field(
        min_length=1, description="Files of rationales, in order."
    )
    recipe: ImportRecipe = Field(description="How to read them, resolved.")
    order_from: str | None = Field(
        default=None,
        description="File whose ids stand in the order of the rows; None: the source's own order.",
    )

    @model_validator(mode="after")
    def _order_is_known(self) -> Self:
        recipe = self.recipe
        if self.order_from is not None and recipe.join != "order":
            raise ValueError(
                f"order_from is for join order, and {recipe.ref} joins by {recipe.join}; leave it out"
            )
        if self.order_from is None and recipe.order_about is not None:
            raise ValueError(
                f"{recipe.ref} needs order_from: the rows stand in the order of {recipe.order_about}"
            )
        return self


class ImportDropReason(StrEnum):
    """Why a text of the files became no row."""

    BAD_ROW = "bad_row"  # unreadable, without a text, or without what the join needs
    NO_QUESTION = "no_question"  # the split has no such question
    AMBIGUOUS = "ambiguous"  # several questions are written like this, and not one text for each
    LEFT_OUT = (
        "left_out"  # the split has the question, but it was left out of the build
    )


class ImportFile(Record):
    """One file of rationales that was read."""

    file: str = Field(description="Name of the file; no path.")
    checksum: str = Field(description="sha256 of its bytes, 64 hex digits.")
    num_rows: int = Field(ge=0, description="Rows in it.")


class ImportEntry(Record):
    """What was imported, and what became of every text."""

    files: tuple[ImportFile, ...] = Field(description="The files, in order.")
    order_from: ImportFile | None = Field(
        description="The file that gave the order; None: none did."
    )
    recipe: str = Field(description="name@version of the recipe.")
    fingerprint: str = Field(description="The recipe's fingerprint.")
    made_by: str = Field(description="Who wrote the rationales.")
    licence: str = Field(description="Licence of the rationales, as stated.")
    url: str | None = Field(description="Where they were published; None: not stated.")
    num_texts: int = Field(
        ge=0, description="Texts in the files; a row without one counts as one."
    )
    num_rationales: int = Field(ge=0, description="Rows made.")
    dropped: dict[str, int] = Field(description="Texts that became no row, by reason.")
    num_questions_without: int = Field(
        ge=0, description="Questions of the build that got none."
    )
    num_telling: int = Field(
        ge=0,
        description="Rows whose text shares more words with its own question than with the one before, or less.",
    )
    num_closer: int = Field(
        ge=0, description="Those of them that share more with their own."
    )

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.num_texts != self.num_rationales + sum(self.dropped.values()):
            raise ValueError(
                f"{self.num_texts} texts are not {self.num_rationales} rationales and the dropped {self.dropped}"
            )
        if unknown := sorted(set(self.dropped) - set(ImportDropReason)):
            raise ValueError(
                f"dropped for {unknown}, expected reasons {[reason.value for reason in ImportDropReason]}"
            )
        if not self.num_closer <= self.num_telling <= self.num_rationales:
            raise ValueError(
                f"{self.num_closer} closer of {self.num_telling} telling of {self.num_rationales} rows"
            )
        return self
