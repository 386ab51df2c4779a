"""Questions that stand beside their rationales: a source made of the files themselves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cotbuild.builder.imports.read import get, read_rows
from cotbuild.builder.sources import Source, canonical_split, open_source
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.splits import split_of_file
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import QUESTION_FIELDS, ImportConfig, ImportRecipe

_BRACKETED = re.compile(r"\([a-z]\)")


def open_import_source(config: ImportConfig, source: SourceConfig) -> Source:
    """The questions an import is for: the source named, or that of the files where they
    bring their questions.

    Of the latter `source` gives the split, slices, kind and on_bad_row, and its name is
    not read. Raises ConfigError.
    """
    if config.recipe.join != "inside":
        return open_source(source)
    if source.columns:
        raise ConfigError(
            f"{config.recipe.ref}: columns {source.columns} of the source. Expected them in the recipe."
        )
    files = [Path(file) for file in config.files]
    split = canonical_split(source.split) if source.split else split_of_file(files[0])
    if "target" not in config.recipe.columns:
        source = source.model_copy(update={"columns": {"target": ""}})

    def open_split(name: str) -> "EmbeddedQuestionRows":
        if name != split:
            raise ConfigError(
                f"{files[0].name}: split {name!r}. Expected {split!r}: the files hold one split."
            )
        return EmbeddedQuestionRows(files, config.recipe)

    return Source(source, files[0].name, split, open_split)


class EmbeddedQuestionRows:
    """The different questions of the files, in the order of their first rows; rows that
    are unreadable hold none.
    """

    def __init__(self, files: list[Path], recipe: ImportRecipe) -> None:
        self._files = files
        self._recipe = recipe
        self.where = f"questions of {files[0].name}"

    def __iter__(self) -> Iterator[Row | BadRow]:
        numbers = EmbeddedQuestionIndex(self._recipe)
        for file in self._files:
            for row in read_rows(file, self._recipe):
                if not isinstance(row, BadRow):
                    before = len(numbers)
                    if numbers.of(row) == before:
                        yield question_row(row, self._recipe)

    def checksum(self) -> str:
        checksums = [FileRows(file).checksum() for file in self._files]
        return checksums[0] if len(checksums) == 1 else digest("files/1", checksums)


class EmbeddedQuestionIndex:
    """The different questions of the files, numbered in the order of their first rows."""

    def __init__(self, recipe: ImportRecipe) -> None:
        self._recipe = recipe
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, row: Row) -> int:
        return self._numbers.setdefault(
            repr(question_row(row, self._recipe)), len(self._numbers)
        )


def question_row(row: Row, recipe: ImportRecipe) -> dict[str, Any]:
    """What a row says of its question, under the names that every source reads."""
    columns = recipe.columns
    found = {
        field: get(row, columns[field]) for field in QUESTION_FIELDS if field in columns
    }
    if "target" in found:
        found["answer"] = _as_published(found.pop("target"))
    return found


def _as_published(target: object) -> object:
    """QuaRel's published targets are (A) and (B); the rationales made for it write (a)
    and (b).
    """
    return (
        target.upper()
        if isinstance(target, str) and _BRACKETED.fullmatch(target)
        else target
    )
