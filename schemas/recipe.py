"""Recipe: how a file of rationales made elsewhere is read; ImportConfig: which files, by which recipe."""

from typing import Literal

from pydantic import Field

from cotbuild.schemas.base import Record


class Recipe(Record):
    """How the rows of a file of rationales belong to questions, and where in a row the text stands."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="What it is called.")
    version: int = Field(ge=1, description="Counts up with every change.")
    about: str = Field(min_length=1, description="One line for people.")
    made_by: str = Field(min_length=1, description="Who wrote the rationales: a model's name, or people.")
    licence: str = Field(min_length=1, description="As stated by the publisher; unknown where none is.")
    url: str | None = Field(default=None, description="Where they were published, at a commit.")
    join: Literal["id", "question", "order"] = Field(description="How a row finds its question.")
    columns: dict[str, str] = Field(description="Field to column of the row: text, and what the join needs.")
    answer: Literal["last", "first", "target"] = Field(
        description="Where the text states its answer; target: written for the target it was shown, stating none."
    )
    target_shown: bool = Field(description="Whether the writer was shown the target.")

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"


class ImportConfig(Record):
    """What an import reads."""

    files: tuple[str, ...] = Field(min_length=1, description="Files of rationales, in order.")
    recipe: Recipe = Field(description="How to read them, resolved.")
