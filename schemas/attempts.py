"""Attempts at questions by another model, which a teacher evaluates."""

from typing import Literal

from pydantic import Field

from cotbuild.schemas.import_recipe import ImportFile
from cotbuild.schemas.record import Record

ATTEMPT = "attempt"
"""Name of the input that holds an attempt."""


class AttemptsConfig(Record):
    """Where the attempts are read, and which of them are evaluated."""

    file: str = Field(
        min_length=1,
        description="A file of texts, another build, or the folder of an evaluation.",
    )
    columns: dict[str, str] = Field(
        default={},
        description="Field (text, id or question) to column, for files whose columns do "
        "not show it.",
    )
    only: Literal["all", "wrong"] = Field(
        default="all",
        description="Evaluate all attempts, or only those that are graded incorrect, "
        "no_answer or truncated.",
    )


class AttemptsEntry(Record):
    """The attempts that were read, and what became of them."""

    files: tuple[ImportFile, ...] = Field(description="Files, in order.")
    columns: dict[str, str] = Field(
        description="Field to column or path; empty for an evaluation."
    )
    only: Literal["all", "wrong"] = Field(description="Which attempts are evaluated.")
    num_texts: int = Field(ge=0, description="Texts in the files.")
    num_evaluated: int = Field(ge=0, description="Attempts that were evaluated.")
    num_questions_without: int = Field(
        ge=0, description="Questions without an attempt to evaluate; they have no row."
    )
    dropped: dict[str, int] = Field(description="Texts left out, by reason.")
