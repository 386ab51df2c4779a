"""Which texts belong to which question.

A row of the files and a question of the source each get a key; the two belong together
where their keys are equal.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.imports.embedded_questions import (
    EmbeddedQuestionIndex,
    question_row,
    written_question,
)
from cotbuild.builder.imports.read import (
    DroppedTexts,
    ImportedFile,
    ImportedText,
    RowText,
    get,
    get_options,
    open_rationales,
    read_rows,
    texts_of,
)
from cotbuild.builder.imports.row_filter import RowDrop, RowFilter
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.make import clean_field, clean_id
from cotbuild.schemas.answers.compare import casefold_text
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import (
    ImportConfig,
    ImportDropReason,
    ImportFile,
    ImportRecipe,
)
from cotbuild.schemas.question import Question

# -- keys ------------------------------------------------------------------------------

RowKey = Callable[[Row, int], str]
"""From a row and its number over all files to its key; raises BadRow."""


def row_key(recipe: ImportRecipe, order: list[str] | None) -> RowKey:
    """Return the function that gives a row its key.

    `order`: the ids of an order file, in whose order the rows are; None: there is none.
    """
    columns = recipe.columns
    if recipe.join == "id":
        return lambda row, _: clean_id(get(row, columns["id"]))
    if recipe.join == "question":
        return lambda row, _: _written_question(row, columns)
    if recipe.join == "inside":
        index = EmbeddedQuestionIndex(recipe)
        return lambda row, _: str(index.number_of(question_row(row, recipe)))
    if order is None:
        return lambda _, number: str(number)
    # A wrong number of rows is an error later.
    return lambda _, number: order[number] if number < len(order) else ""


def question_key(
    recipe: ImportRecipe, order: list[str] | None
) -> Callable[[Question], str]:
    """Return the function that gives a question its key; see `row_key`."""
    if recipe.join == "question":
        return lambda question: _expected_question(question, recipe)
    if recipe.join == "id" or order is not None:
        return lambda question: question.id
    return lambda question: str(question.source.row)


def bad_row_key(
    recipe: ImportRecipe, source: Source, order: list[str] | None
) -> Callable[[Row | BadRow, int], str]:
    """Return the function that gives a row of the source without a question its key.

    The key is "" where the row does not show it.
    """
    if recipe.join == "inside" or (recipe.join == "order" and order is None):
        return lambda _, position: str(position)
    columns = source.config.columns
    field = "question" if recipe.join == "question" else "id"

    def find_key(row: Row | BadRow, _: int) -> str:
        if isinstance(row, BadRow):
            return ""
        value = get(row, columns.get(field) or field)
        if field == "question" and isinstance(value, str):
            return casefold_text(value)
        return str(value)

    return find_key


def _written_question(row: Row, columns: dict[str, str]) -> str:
    """The question in a row, with its choices where they have their own column."""
    parts = [clean_field(written_question(row, columns["question"]), "question")]
    if "choices" in columns:
        parts += [
            text for _, text in parse_choices(get_options(row, columns["choices"]))
        ]
    return "\n".join(casefold_text(part) for part in parts)


def _expected_question(question: Question, recipe: ImportRecipe) -> str:
    """The question as `_written_question` gives it for a row of the files."""
    parts = [recipe.format_question(question)]
    if "choices" in recipe.columns:
        parts += [choice.text for choice in question.choices]
    return "\n".join(casefold_text(part) for part in parts)


def read_order(path: Path) -> list[str]:
    """Return the ids of an order file, in order.

    Raises DataError at a row without one.
    """
    ids = []
    for number, row in enumerate(FileRows(path)):
        try:
            if isinstance(row, BadRow):
                raise row
            ids.append(clean_id(row.get("id")))
        except BadRow as fault:
            place = f"{path.name} row {number} (from 0)"
            raise DataError(f"{place}: {fault.message}") from fault
    return ids


# -- the join --------------------------------------------------------------------------


class KeyedText(NamedTuple):
    """A text of a row, with the row's key."""

    key: str
    text: RowText


class JoinedTexts:
    """The texts of all files by question, held in memory.

    Of the questions only the position is kept, where a text has one. A text is looked
    up in the whole split, whatever slice of it the build takes: which of two identical
    questions a text is for must not depend on the slice. The n-th text, in file order,
    is then for the n-th of them, provided that there are as many texts as questions;
    else nothing tells them apart, and the texts are dropped as ambiguous.

    Raises DataError at a bad row, unless the source drops them, and where the number of
    rows does not fit the order.
    """

    def __init__(
        self, config: ImportConfig, source: Source, order: list[str] | None
    ) -> None:
        self.drops = DroppedTexts()
        self.files: list[ImportFile] = []
        self.num_texts = 0
        self._config = config
        self._stop = source.config.on_bad_row == "stop"
        self._row_key = row_key(config.recipe, order)
        self._question_key = question_key(config.recipe, order)
        self._texts: dict[str, list[ImportedText]] = {}
        for file in open_rationales(config, source):
            self._read_file(file)
        self._positions: dict[str, list[int]] = {key: [] for key in self._texts}
        self._bad_row_key = bad_row_key(config.recipe, source, order)
        self._bad_questions: dict[str, str] = {}
        self._locate_questions(source)
        if config.recipe.join == "order":
            self._check_num_rows(source, order)
        self._drop_unmatched()

    def texts_for(self, question: Question) -> list[ImportedText]:
        """Return the texts of a question, in file order."""
        key = self._question_key(question)
        positions = self._positions.get(key)
        if not positions:
            return []
        texts = self._texts[key]
        if len(positions) == 1:
            return texts
        return [texts[bisect_left(positions, question.source.row)]]

    @property
    def _num_rows(self) -> int:
        return sum(file.num_rows for file in self.files)

    def _read_file(self, file: ImportedFile) -> None:
        name, checksum = file.location, file.checksum()
        first, num_rows = self._num_rows, 0
        row_filter = RowFilter(self._config.recipe)
        for row_number, row in enumerate(read_rows(file, self._config.recipe)):
            num_rows += 1
            number = first + row_number
            for position, found in enumerate(self._row_texts(row, number, row_filter)):
                self.num_texts += 1
                if isinstance(found, RowDrop):
                    self._drop(name, row_number, found)
                    continue
                text = ImportedText(
                    number=number,
                    file=len(self.files),
                    row=row_number,
                    position=position,
                    text=found.text.text,
                    answer=found.text.answer,
                    reasoning=found.text.reasoning,
                    finish_reason=found.text.finish_reason,
                )
                self._texts.setdefault(found.key, []).append(text)
        self.files.append(ImportFile(file=name, checksum=checksum, num_rows=num_rows))

    def _row_texts(
        self, row: Row | BadRow, number: int, row_filter: RowFilter
    ) -> Iterator[KeyedText | RowDrop]:
        try:
            if isinstance(row, BadRow):
                raise row
            rejection = row_filter.reject(row)
            if rejection is not None:
                yield rejection
                return
            key = self._row_key(row, number)
        except BadRow as fault:
            yield RowDrop(ImportDropReason.BAD_ROW, fault.message)
            return
        for found in texts_of(row, self._config.recipe):
            yield found if isinstance(found, RowDrop) else KeyedText(key, found)

    def _drop(self, file: str, row: int, drop: RowDrop) -> None:
        if self._stop and drop.reason is ImportDropReason.BAD_ROW:
            raise DataError(
                f"{file} row {row} (from 0): {drop.message} Fix the row or pass "
                "--on-bad-row drop."
            )
        self.drops.add(file, row, drop.reason, drop.message)

    def _locate_questions(self, source: Source) -> None:
        """Note the positions in the split of the questions that have texts, and the
        faults of the rows that give no question.
        """
        for question in source.read_all(source.split, self._note_bad_question):
            positions = self._positions.get(self._question_key(question))
            if positions is not None:
                positions.append(question.source.row)

    def _note_bad_question(
        self, position: int, row: Row | BadRow, fault: BadRow
    ) -> None:
        key = self._bad_row_key(row, position)
        if key in self._positions:
            message = f"{fault.reason.value}: {fault.message}"
            self._bad_questions.setdefault(key, message)

    def _check_num_rows(self, source: Source, order: list[str] | None) -> None:
        if self._config.order_from is not None and order is not None:
            num_expected, name = len(order), Path(self._config.order_from).name
        else:
            num_expected = sum(1 for _ in source.open_split(source.split))
            name = f"{source.dataset}/{source.split}"
        if self._num_rows != num_expected:
            raise DataError(
                f"{self.files[0].file}: {self._num_rows} rows in {len(self.files)} "
                f"files to be joined by order. Expected {num_expected}, one for each "
                f"row of {name}. Pass all the files, in order, or join by id or "
                "question."
            )

    def _drop_unmatched(self) -> None:
        dropped: list[tuple[ImportedText, ImportDropReason, str]] = []
        for key, texts in list(self._texts.items()):
            num_questions = len(self._positions[key])
            if num_questions in (1, len(texts)):
                continue
            reason, what = ImportDropReason.AMBIGUOUS, key
            if not num_questions:
                reason, what = self._why_no_question(key)
            dropped += [(text, reason, what) for text in texts]
            del self._texts[key], self._positions[key]
        for text, reason, key in sorted(dropped):
            self.drops.add(self.files[text.file].file, text.row, reason, key)

    def _why_no_question(self, key: str) -> tuple[ImportDropReason, str]:
        fault = self._bad_questions.get(key)
        if fault is None:
            return ImportDropReason.NO_QUESTION, key
        return ImportDropReason.BAD_QUESTION, fault
