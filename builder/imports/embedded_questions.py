"""A source of questions made of the files of rationales that contain them."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cotbuild.builder.imports.batch_requests import with_request_columns
from cotbuild.builder.imports.read import (
    ImportedFile,
    column_paths,
    get,
    get_options,
    open_files,
    read_rows,
)
from cotbuild.builder.imports.row_filter import RowFilter, nothing_selected
from cotbuild.builder.imports.values import question_text
from cotbuild.builder.sources import Source, canonical_split, open_source
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.make import clean_field
from cotbuild.builder.sources.paths import find_value
from cotbuild.builder.sources.python_text import read_text_list
from cotbuild.builder.sources.question_form import (
    is_question_form,
    make_form_getter,
    make_joined_getter,
)
from cotbuild.builder.sources.splits import infer_split
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import QUESTION_FIELDS, ImportConfig, ImportRecipe

_BRACKETED = re.compile(r"\([a-z]\)")
_MAX_GETTERS = 64
_GETTERS: dict[str, Callable[[Row, str], Any]] = {
    **{field: get for field in QUESTION_FIELDS if field != "question"},
    "choices": get_options,
}
"""How the fields of a question beside its text are read from a column or path."""
_QUOTED_LISTS = ("['", '["')


def open_import_source(config: ImportConfig, source: SourceConfig) -> Source:
    """Return the questions of an import: the named source, or those in the files.

    For questions in the files, `source` gives the split, slices, kind and on_bad_row;
    its name is not used. Raises ConfigError.
    """
    if config.recipe.join != "inside":
        opened = open_source(with_request_columns(source))
        opened.map_option = "--source-map"
        return opened
    if source.columns:
        raise ConfigError(
            f"{config.recipe.ref}: the questions are in the files of rationales, so "
            f"their columns {source.columns} belong in the recipe."
        )
    files = open_files(config, source)
    name = files[0].location
    split = canonical_split(source.split or infer_split(Path(name)))
    columns = _source_columns(config.recipe)
    tags = source.tags
    source = source.model_copy(
        update={
            "name": name,
            "columns": columns,
            "tags": {tag: _tag_column(tag, config.recipe) for tag in tags},
        }
    )

    def open_split(wanted: str) -> "EmbeddedQuestionRows":
        if wanted != split:
            raise ConfigError(
                f"{name}: no split {wanted!r}; the files hold {split!r} alone."
            )
        return EmbeddedQuestionRows(files, config.recipe, tags)

    return Source(source, name, split, open_split)


def _source_columns(recipe: ImportRecipe) -> dict[str, str]:
    """Return the columns that the source of the questions in the files is given.

    A target that is named keeps the source from reading rows as those of a known
    dataset whose shape the first one has: a log may hold the questions of several. The
    recipe of a published set is for one.
    """
    inputs = {name: name for name in recipe.input_names}
    if "target" not in recipe.columns:
        return {"target": "", **inputs}
    return {"target": "answer", **inputs} if recipe.is_mapping else inputs


def _tag_column(tag: str, recipe: ImportRecipe) -> str:
    """Return the column of a tag, which no field or input of the questions has."""
    taken = (*QUESTION_FIELDS, "answer", *recipe.input_names)
    return f"tag {tag}" if tag in taken else tag


class EmbeddedQuestionRows:
    """Rows of the different questions in the files, in the order of their first rows.

    Rows that cannot be read hold none. `tags` are those of the first row of a question,
    by name the columns of the files. Iterating raises DataError if the recipe selects
    none of the rows.
    """

    def __init__(
        self,
        files: list[ImportedFile],
        recipe: ImportRecipe,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._files = files
        self._recipe = recipe
        self._tags = tags
        self.location = f"questions of {files[0].location}"
        self._places: list[tuple[int, int]] = []
        """File and row of each question that was read."""

    def __iter__(self) -> Iterator[Row | BadRow]:
        index = EmbeddedQuestionIndex(self._recipe)
        for place, row, question in self._questions():
            number = len(index)
            is_new = index.number_of(question) == number
            if not is_new:
                continue
            if number == len(self._places):  # else from a pass before
                self._places.append(place)
            yield {**question, **self._tag_values(row)}

    def _tag_values(self, row: Row) -> dict[str, Any]:
        return {
            _tag_column(tag, self._recipe): get(row, column)
            for tag, column in self._tags.items()
        }

    def _questions(self) -> Iterator[tuple[tuple[int, int], Row, dict[str, Any]]]:
        num_rows = num_selected = 0
        for file_number, file in enumerate(self._files):
            row_filter = RowFilter(self._recipe)
            for row_number, row in enumerate(read_rows(file, self._recipe)):
                if isinstance(row, BadRow):
                    continue
                num_rows += 1
                if row_filter.reject(row) is not None:
                    continue
                num_selected += 1
                try:
                    question = question_row(row, self._recipe)
                except BadRow:
                    continue  # the join counts it
                yield (file_number, row_number), row, question
        if num_rows and not num_selected:
            first = self._files[0]
            raise nothing_selected(iter(first), self._recipe, first.location)

    def place(self, position: int) -> str:
        """Return the file and the row of a question that was read."""
        file_number, row_number = self._places[position]
        return f"{self._files[file_number].location} row {row_number} (from 0)"

    def checksum(self) -> str:
        """Return the sha256 of the file, or a digest of those of several files."""
        checksums = [file.checksum() for file in self._files]
        return checksums[0] if len(checksums) == 1 else digest("files/1", checksums)


class EmbeddedQuestionIndex:
    """Numbers the different questions in the files, in the order of their first rows."""

    def __init__(self, recipe: ImportRecipe) -> None:
        self._recipe = recipe
        self._numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def number_of(self, question: Mapping[str, Any]) -> int:
        """Return the number of a question that `question_row` returned, from 0."""
        # A digest, since questions can be long prompts.
        content = repr(question).encode("utf-8", "surrogatepass")
        key = blake2b(content, digest_size=16).digest()
        return self._numbers.setdefault(key, len(self._numbers))


def question_row(row: Row, recipe: ImportRecipe) -> dict[str, Any]:
    """Return the question's fields of a row, under the names that every source has.

    Raises BadRow where there is no text of a question, or an image in it.
    """
    columns = recipe.columns
    fields = {
        field: get_field(row, columns[field])
        for field, get_field in _GETTERS.items()
        if field in columns
    }
    question = written_question(row, columns["question"])
    clean_field(question, "question")
    inputs = {name: _read_input(row, columns[name]) for name in recipe.input_names}
    fields = {"question": question, **fields, **inputs}
    if "target" in fields:
        fields["answer"] = read_target(fields.pop("target"))
    return fields


def _read_input(row: Row, column: str) -> Any:
    """Return the value of an input, which may be a form with columns."""
    is_form = column not in row and is_question_form(column)
    return written_question(row, column) if is_form else get(row, column)


def written_question(row: Row, column: str) -> Any:
    """Return the question in a column or path, in several or in a form with columns.

    Of a chat it is the last turn of the user. Raises BadRow.
    """
    return _question_getter(column)(row)


@lru_cache(_MAX_GETTERS)
def _question_getter(column: str) -> Callable[[Row], Any]:
    paths = column_paths(column, "question")
    getters = {path: _part_getter(path) for path in paths}
    if is_question_form(column):
        get_form = make_form_getter(column, getters)
    elif len(paths) == 1:
        get_form = getters[paths[0]]
    else:
        get_form = make_joined_getter(list(getters.values()))
    # A column of that very name takes precedence.
    return lambda row: question_text(row[column]) if column in row else get_form(row)


def _part_getter(path: str) -> Callable[[Row], Any]:
    return lambda row: question_text(find_value(row, path))


def read_target(target: object) -> object:
    """Return the target of a row as sources publish it.

    (a) becomes (A): QuaRel publishes (A) and (B), the rationales for it (a), (b). The
    text "['Paris', 'paris']", as lm-evaluation-harness writes a list, becomes the list.
    """
    if not isinstance(target, str):
        return target
    if _BRACKETED.fullmatch(target):
        return target.upper()
    if target.startswith(_QUOTED_LISTS):
        texts = read_text_list(target)
        return target if texts is None else texts
    return target
