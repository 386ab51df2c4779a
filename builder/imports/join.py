"""Which texts belong to which question."""

from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.imports.keys import question_key, row_key
from cotbuild.builder.imports.read import (
    DroppedTexts,
    ImportedText,
    read_rows,
    texts_of,
)
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.files import FileRows
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import ImportConfig, ImportDropReason, ImportFile
from cotbuild.schemas.question import Question


class JoinedTexts:
    """The texts of all files by question. They are held in memory; of the questions
    only where a text's stands.

    A text is looked up in the whole split, whatever slice of it the build takes: which
    of two questions written alike a text is for must not depend on the slice. Of those
    the n-th text, in file order, is for the n-th question, provided that there are as
    many texts as questions; else nobody can tell, and the texts are dropped as
    ambiguous.
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
        for path in map(Path, config.files):
            self._read(path)
        self._places: dict[str, list[int]] = {key: [] for key in self._texts}
        self._find(source)
        if config.recipe.join == "order":
            num_rows = (
                sum(1 for _ in source.open_split(source.split))
                if order is None
                else len(order)
            )
            self._check_count(num_rows, source)
        self._drop_unmatched()

    def of(self, question: Question) -> list[ImportedText]:
        """The texts of a question, in file order."""
        key = self._question_key(question)
        places = self._places.get(key)
        if not places:
            return []
        texts = self._texts[key]
        return texts if len(places) == 1 else [texts[places.index(question.source.row)]]

    def _read(self, path: Path) -> None:
        checksum, first, rows = FileRows(path).checksum(), self._num_rows(), 0
        for rows, row in enumerate(read_rows(path, self._config.recipe), 1):
            for number, found in enumerate(self._row_texts(row, first + rows - 1)):
                self.num_texts += 1
                if isinstance(found, BadRow):
                    self._bad(path.name, rows - 1, found)
                else:
                    key, text, answer = found
                    place = ImportedText(
                        first + rows - 1,
                        len(self.files),
                        rows - 1,
                        number,
                        text,
                        answer,
                    )
                    self._texts.setdefault(key, []).append(place)
        self.files.append(ImportFile(file=path.name, checksum=checksum, num_rows=rows))

    def _num_rows(self) -> int:
        return sum(file.num_rows for file in self.files)

    def _row_texts(
        self, row: Row | BadRow, number: int
    ) -> Iterator[tuple[str, str, object] | BadRow]:
        """Key, text and answer of each text of a row."""
        if isinstance(row, BadRow):
            yield row
            return
        try:
            key = self._row_key(row, number)
        except BadRow as fault:
            yield fault
            return
        for found in texts_of(row, self._config.recipe):
            yield found if isinstance(found, BadRow) else (key, *found)

    def _bad(self, file: str, row: int, fault: BadRow) -> None:
        if self._stop:
            message = f"{file} row {row} (from 0): {fault.message} Fix the row or pass --on-bad-row drop."
            raise DataError(message) from fault
        self.drops.add(file, row, ImportDropReason.BAD_ROW, fault.message)

    def _find(self, source: Source) -> None:
        """Note where in the split each text's questions stand."""
        for question in source.whole(source.split):
            places = self._places.get(self._question_key(question))
            if places is not None:
                places.append(question.source.row)

    def _check_count(self, expected: int, source: Source) -> None:
        found = self._num_rows()
        if found != expected:
            whose = self._config.order_from and Path(self._config.order_from).name
            raise DataError(
                f"{self.files[0].file}: {found} rows in {len(self.files)} files to be joined by order. Expected "
                f"{expected}, one for each row of {whose or f'{source.dataset}/{source.split}'}. "
                "Pass all the files, in order, or join by id or question."
            )

    def _drop_unmatched(self) -> None:
        reasons: list[tuple[ImportedText, ImportDropReason, str]] = []
        for key, texts in list(self._texts.items()):
            places = self._places[key]
            if len(places) == 1 or len(places) == len(texts):
                continue
            reason = (
                ImportDropReason.AMBIGUOUS if places else ImportDropReason.NO_QUESTION
            )
            reasons += [(text, reason, key) for text in texts]
            del self._texts[key], self._places[key]
        for text, reason, key in sorted(reasons):
            self.drops.add(self.files[text.file].file, text.row, reason, key)
