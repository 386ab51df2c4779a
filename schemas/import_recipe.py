"""Imports of existing rationales: the recipe that reads files, the files, the counts."""

from enum import StrEnum
from functools import cached_property
from string import Template as StringTemplate
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, is_input_name
from cotbuild.schemas.record import Record
from cotbuild.schemas.row_files import FormatField, HeaderField, RowsUnderField

MAPPING = "mapping"
"""Name of the recipe that --map makes."""
FROM_SOURCE = "from_source"
"""Name of the recipe that takes the rationales which the rows of the questions hold."""
FORM_NAMES = (
    "chat",
    "sharegpt",
    "alpaca",
    "lm_eval",
    "inspect",
    "openai_batch",
    "anthropic_batch",
    "openai_evals",
    "vllm_outputs",
    "opencompass",
    "math_eval",
    "rows",
)
"""Forms of files that an import recognises, by the names of their recipes."""
WHOLE_ROW = "."
"""Column name for the row itself, in files that are lists of texts."""
QUESTION_FIELDS = ("id", "question", "choices", "target", "other_targets", "kind")
"""Fields of its question that a row can hold."""
TEXT_FIELDS = ("text", "answer", "reasoning", "finish_reason", "error")
"""Fields of a row that are about its text."""
COLUMN_FIELDS = (*TEXT_FIELDS, *QUESTION_FIELDS)
_JOIN_FIELDS = {"id": "id", "question": "question", "inside": "question"}
"""Join to the field whose column it needs."""

Join = Literal["id", "question", "order", "inside"]
"""Ways in which rows are joined with questions; see `ImportRecipe.join`."""
JOINS: tuple[Join, ...] = get_args(Join)


class ImportRecipe(Record):
    """How to read files of rationales: the columns, and the join with questions."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the recipe.")
    version: int = Field(ge=1, description="Version, increased with every change.")
    about: str = Field(
        min_length=1,
        description="One line of description; not part of the fingerprint.",
    )
    made_by: str = Field(
        min_length=1, description="Author of the rationales: a model, or people."
    )
    licence: str = Field(
        min_length=1,
        description="Licence that the publisher states; unknown if none is stated.",
    )
    url: str | None = Field(
        default=None,
        description="URL of the rationales at a commit; None if not stated.",
    )
    join: Join = Field(
        description="How rows are joined with questions: by id; by the question's text; by "
        "order, row n of all files with question n; or inside, where rows hold "
        "their questions."
    )
    columns: dict[str, str] = Field(
        description="Field to column, or to a path such as choices.0.message.content. text "
        "is a text or a list of texts, with '.' for the row itself. The others are answer, "
        "reasoning, finish_reason, error (a value there means that the request failed), "
        "id, question, choices, target, other_targets and kind; any other name is an "
        "input of questions that the rows hold. 'a,b' is the first of "
        "two columns that has a value; as question the texts of both, as choices the "
        "options."
    )
    where: dict[str, str] = Field(
        default={},
        description="Column to the value that it must have; other rows are left out.",
    )
    once: tuple[str, ...] = Field(
        default=(),
        description="Columns whose values name a row: of the rows of a file with the same "
        "ones, the first is read.",
    )
    question_form: str = Field(
        default="$question",
        description="Format of the question column, with $question and $choices.",
    )
    choice_form: str = Field(
        default="$label: $text",
        description="Format of one of $choices, with $label and $text.",
    )
    choice_separator: str = Field(default=", ", description="Separator of $choices.")
    order_about: str | None = Field(
        default=None,
        description="Description of the file whose ids are in the order of the rows; None for"
        " the source's own order.",
    )
    answer: Literal["last", "first", "column", "target"] = Field(
        description="Where the answer is: last or first in the text, in the answer column, or"
        " the target itself, for texts written to explain it."
    )
    target_shown: bool = Field(description="Whether the author was shown the target.")

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def is_from_source(self) -> bool:
        """Whether the rows of the questions hold the rationales, so there are no files."""
        return self.name == FROM_SOURCE

    @property
    def is_mapping(self) -> bool:
        """Whether it was made of --map or of a recognised form, not of a recipe file."""
        return self.name == MAPPING or self.name in FORM_NAMES

    @property
    def input_names(self) -> tuple[str, ...]:
        """Inputs of the questions in the rows that `columns` names."""
        return tuple(name for name in self.columns if name not in COLUMN_FIELDS)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that determines the rows."""
        values = self.model_dump(mode="json", exclude={"about", "order_about"})
        for name in ("where", "once"):
            if not values[name]:
                del values[name]  # recipes did not have it at first
        return digest("recipe/1", values)

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        unknown = sorted(name for name in self.input_names if not is_input_name(name))
        if unknown:
            raise ValueError(
                f"columns names {unknown}, expected some of {list(COLUMN_FIELDS)}, or "
                "inputs, named in small letters, digits and _"
            )
        if self.input_names and self.join != "inside":
            raise ValueError(
                f"columns names {list(self.input_names)}, which would be inputs of "
                f"questions in the rows, and the join is {self.join}; map inputs of the "
                "source instead, with --source-map"
            )
        needed = {"text", _JOIN_FIELDS.get(self.join, "text")}
        missing = sorted(name for name in needed if not self.columns.get(name))
        if missing:
            raise ValueError(f"columns lacks {missing}, which join {self.join!r} needs")
        alone = len(self.columns) == 1 and self.join == "order"
        if self.columns["text"] == WHOLE_ROW and not alone:
            raise ValueError(
                f"the text is the whole row {WHOLE_ROW!r}, "
                "expected join order and no other column"
            )
        if (self.answer == "column") != ("answer" in self.columns):
            raise ValueError(
                "answer 'column' and a column for answer go together, expected both or neither"
            )
        _check_form(
            "question_form",
            self.question_form,
            allowed={"question", "choices"},
            needed={"question"},
        )
        _check_form(
            "choice_form", self.choice_form, allowed={"label", "text"}, needed={"text"}
        )
        return self

    def format_question(self, question: Question) -> str:
        """Format a question as the files' question column does."""
        choices = self.choice_separator.join(
            self._choice_template.substitute(label=choice.label, text=choice.text)
            for choice in question.choices
        )
        return self._question_template.substitute(
            question=question.text, choices=choices
        )

    @cached_property
    def _question_template(self) -> StringTemplate:
        return StringTemplate(self.question_form)

    @cached_property
    def _choice_template(self) -> StringTemplate:
        return StringTemplate(self.choice_form)


def _check_form(name: str, form: str, *, allowed: set[str], needed: set[str]) -> None:
    """Raise ValueError unless a form has the needed placeholders and no unknown ones."""
    template = StringTemplate(form)
    if not template.is_valid():
        raise ValueError(
            f"{name} has a lone $, expected $name, or $$ for a dollar sign"
        )
    names = set(template.get_identifiers())
    if not needed <= names <= allowed:
        raise ValueError(
            f"{name} uses {sorted(names)}, "
            f"expected {sorted(needed)} and at most {sorted(allowed)}"
        )


class ImportConfig(Record):
    """The files of an import, and how to read them."""

    files: tuple[str, ...] = Field(
        default=(),
        description="Files of rationales, in order; empty if the rows of the questions hold "
        "them.",
    )
    recipe: ImportRecipe = Field(description="The recipe that reads them, resolved.")
    file_format: FormatField = None
    header: HeaderField = ()
    rows_under: RowsUnderField = None
    order_from: str | None = Field(
        default=None,
        description="File whose ids are in the order of the rows; None for the source's own "
        "order.",
    )

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if self.recipe.is_from_source and self.files:
            raise ValueError(
                f"files are {list(self.files)}, and {self.recipe.ref} takes the rationales "
                "of the source; leave them out"
            )
        if not self.recipe.is_from_source and not self.files:
            raise ValueError("files are empty; name a file of rationales")
        return self

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        recipe = self.recipe
        if self.order_from is not None and recipe.join != "order":
            raise ValueError(
                f"order_from is for join order, and {recipe.ref} joins by {recipe.join}; "
                "leave it out"
            )
        if self.order_from is None and recipe.order_about is not None:
            raise ValueError(
                f"{recipe.ref} needs order_from: its rows are in the order of "
                f"{recipe.order_about}"
            )
        return self


class ImportDropReason(StrEnum):
    """Why a text of the files was dropped."""

    BAD_ROW = "bad_row"  # unreadable, without a text, or without what the join needs
    FAILED = "failed"  # the row has an error in place of a text
    NOT_SELECTED = "not_selected"  # the row is not one of those the recipe reads
    REPEATED = "repeated"  # the row is in the file before
    NO_RATIONALE = "no_rationale"  # the row of the question holds none
    NO_QUESTION = "no_question"  # the split has no such question
    BAD_QUESTION = "bad_question"  # the row of the question cannot be used
    # Several questions have this text, and there is not one rationale for each.
    AMBIGUOUS = "ambiguous"
    LEFT_OUT = "left_out"  # the split has the question, but the build does not


class ImportFile(Record):
    """A file of rationales that was read."""

    file: str = Field(description="File name, without a path.")
    checksum: str = Field(description="SHA-256 of its bytes, 64 hex digits.")
    num_rows: int = Field(ge=0, description="Number of rows.")


class ImportEntry(Record):
    """What was imported, with counts over all texts."""

    files: tuple[ImportFile, ...] = Field(description="Files, in order.")
    order_from: ImportFile | None = Field(
        description="File that determined the order; None if there was none."
    )
    recipe: str = Field(description="name@version of the recipe.")
    fingerprint: str = Field(description="The recipe's fingerprint.")
    columns: dict[str, str] = Field(
        default={},
        description="Field to column or path, as in the recipe; empty if not recorded.",
    )
    where: dict[str, str] = Field(
        default={}, description="Column to the value that it must have."
    )
    once: tuple[str, ...] = Field(
        default=(), description="Columns whose values name a row, which is read once."
    )
    made_by: str = Field(description="Author of the rationales.")
    licence: str = Field(description="Licence of the rationales, as stated.")
    url: str | None = Field(description="URL of the rationales; None if not stated.")
    num_texts: int = Field(
        ge=0, description="Texts in the files; a row without one counts as one."
    )
    num_rationales: int = Field(ge=0, description="Rationales imported.")
    dropped: dict[str, int] = Field(description="Texts dropped, by reason.")
    num_questions_without: int = Field(
        ge=0, description="Questions of the build without a rationale."
    )
    num_telling: int = Field(
        ge=0,
        description="Rows whose text shares more words with either its own question or the "
        "previous one.",
    )
    num_closer: int = Field(
        ge=0, description="Of those, rows that share more with their own question."
    )

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        if self.num_texts != self.num_rationales + sum(self.dropped.values()):
            raise ValueError(
                f"{self.num_texts} texts are not {self.num_rationales} rationales and the "
                f"dropped {self.dropped}"
            )
        reasons = [reason.value for reason in ImportDropReason]
        unknown = sorted(set(self.dropped) - set(reasons))
        if unknown:
            raise ValueError(f"dropped for {unknown}, expected reasons {reasons}")
        if not self.num_closer <= self.num_telling <= self.num_rationales:
            raise ValueError(
                f"num_closer {self.num_closer}, num_telling {self.num_telling} and "
                f"num_rationales {self.num_rationales} are not in rising order"
            )
        return self
