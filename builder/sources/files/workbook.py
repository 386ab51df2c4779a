"""Read the rows of a sheet of an Excel workbook (.xlsx, .xlsm).

openpyxl reads it, row by row. Formulas and macros are never run: the value of a formula
is the one that was saved with it. A workbook is a zip archive of XML, so what it may
hold is bounded before openpyxl sees it. Entities in the XML are bounded by expat itself.
"""

import datetime
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from cotbuild.builder.packages import missing_package
from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files.opening import open_file
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.record import short_repr

MAX_XML_BYTES = 512 << 20
MAX_XML_TAGS = 40_000_000
"""Most tags in the XML of a workbook: a cell has four. openpyxl keeps about 64 bytes for
each tag that it does not expect."""
MAX_COLUMNS = 10_000
MAX_ROWS = 1 << 20
"""Rows that a sheet can have."""

_WORKBOOK_PART = "xl/workbook.xml"
_ERRORS = frozenset(
    ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A")
)
"""What Excel shows where a formula has no value."""
_CHUNK_BYTES = 1 << 20
_CHUNK_ROWS = 1_000
_SAVE_AS_CSV = "Save the sheet as CSV in UTF-8"
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    SyntaxError,  # the XML parser's
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,  # an encrypted entry; NotImplementedError for an unknown compression
)
"""What zipfile, the XML parser and openpyxl raise for a damaged file."""


def is_workbook(path: Path) -> bool:
    """Return whether a file is a zip archive with the parts of a workbook."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _WORKBOOK_PART in archive.namelist()
    except _FAULTS:
        return False


@dataclass
class SheetRows:
    """The rows of a sheet; can be iterated any number of times.

    `sheet` is its name, None for the first one. `header` has the names of the columns if
    the first row does not. Blank rows are left out. Values are texts, numbers and
    booleans, dates in ISO form, and None for empty cells. Iterating raises DataError if
    the workbook cannot be read or is larger than the bounds of this module, and
    ConfigError if there is no such sheet or openpyxl is not installed.
    """

    path: Path
    sheet: str | None = None
    header: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Row | BadRow]:
        with self._open() as workbook:
            rows = self._filled_rows(self._find_sheet(workbook))
            names = self.header or _name_columns(next(rows, ()), self.path)
            for values in rows:
                yield _make_row(names, values)

    @property
    def shape(self) -> str:
        """What was read, such as "workbook, sheet 'Sheet1'"."""
        with self._open() as workbook:
            title = self._find_sheet(workbook).title
            num_others = len(workbook.worksheets) - 1
        sheets = "sheet" if num_others == 1 else "sheets"
        others = f", {num_others} more {sheets} by --rows-under" if num_others else ""
        return f"workbook, sheet {short_repr(title)}{others}"

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """Open the workbook within the bounds; turn what it raises into a DataError."""
        try:
            import openpyxl
        except ImportError as error:
            raise missing_package(
                f"{self.path.name}: a workbook needs", "openpyxl", "xlsx", _SAVE_AS_CSV
            ) from error
        with open_file(self.path) as file:
            try:
                self._check_bounds(file)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of styles and extensions
                    workbook = openpyxl.load_workbook(
                        file, read_only=True, data_only=True, keep_links=False
                    )
                yield workbook
            except (ConfigError, DataError):
                raise
            except _FAULTS as fault:
                raise self._damaged(fault) from fault

    def _check_bounds(self, file: BinaryIO) -> None:
        """Raise DataError if the XML is larger than the bounds."""
        num_tags = 0
        with zipfile.ZipFile(file) as archive:
            parts = [info for info in archive.infolist() if _is_xml(info.filename)]
            num_bytes = sum(info.file_size for info in parts)
            if num_bytes > MAX_XML_BYTES:
                raise DataError(
                    f"{self.path.name}: a workbook of {num_bytes >> 20:,} MiB of XML, "
                    f"more than {MAX_XML_BYTES >> 20:,}. {_SAVE_AS_CSV}."
                )
            for info in parts:
                num_tags += _count_tags(archive, info)
                if num_tags > MAX_XML_TAGS:
                    raise DataError(
                        f"{self.path.name}: a workbook of more than "
                        f"{MAX_XML_TAGS // 4:,} cells. {_SAVE_AS_CSV}."
                    )

    def _find_sheet(self, workbook: Any) -> Any:
        sheets = workbook.worksheets
        if not sheets:
            raise DataError(f"{self.path.name}: a workbook without a sheet of cells.")
        if self.sheet is None:
            return sheets[0]
        found = next((one for one in sheets if one.title == self.sheet), None)
        if found is None:
            titles = [one.title for one in sheets]
            raise ConfigError(
                f"{self.path.name}: no sheet {short_repr(self.sheet)} among "
                f"{short_repr(titles)}. Pass --rows-under "
                f"{shell_quote(titles[0])}, or another."
            )
        return found

    def _filled_rows(self, sheet: Any) -> Iterator[Sequence[Any]]:
        """Yield the values of each row that has any."""
        sheet.reset_dimensions()  # what a writer states may be wrong
        rows = sheet.iter_rows(values_only=True)
        for number, row in enumerate(_read_quietly(rows)):
            if number >= MAX_ROWS or len(row) > MAX_COLUMNS:
                raise DataError(
                    f"{self.path.name}: a sheet of more than {MAX_ROWS:,} rows or "
                    f"{MAX_COLUMNS:,} columns. {_SAVE_AS_CSV}."
                )
            values = [_plain_value(value) for value in row]
            if any(value is not None for value in values):
                yield values

    def _damaged(self, fault: BaseException) -> DataError:
        line = str(fault).partition("\n")[0].rstrip(".") or type(fault).__name__
        return DataError(
            f"{self.path.name}: a workbook that cannot be read: {short_repr(line)}. "
            f"{_SAVE_AS_CSV}."
        )


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".vml"))


def _count_tags(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    count = 0
    with archive.open(info) as part:
        while chunk := part.read(_CHUNK_BYTES):
            count += chunk.count(b"<")
    return count


def _read_quietly(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield rows without the warnings of openpyxl, such as that of a date too late."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chunk = list(islice(rows, _CHUNK_ROWS))
        if not chunk:
            return
        yield from chunk


def _plain_value(value: object) -> object:
    """Return the value of a cell as JSON would have it, None if it is empty."""
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, str):
        is_empty = not value.strip() or value in _ERRORS
        return None if is_empty else value
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def _name_columns(values: Sequence[object], path: Path) -> tuple[str, ...]:
    """Return the names of the columns; raises DataError if they do not differ.

    Columns without a name are called "Unnamed: 3", counted from 0.
    """
    names = [
        f"Unnamed: {number}" if value is None else str(value).strip()
        for number, value in enumerate(values)
    ]
    if len(set(names)) < len(names):
        raise DataError(
            f"{path.name}: its first row {short_repr(names)} has repeated names. Give "
            "each column its own name."
        )
    return tuple(names)


def _make_row(names: Sequence[str], values: Sequence[object]) -> Row | BadRow:
    """Return a row; one with values to the right of all names is a BadRow."""
    excess = [value for value in values[len(names) :] if value is not None]
    if excess:
        return BadRow(
            BadRowReason.RAGGED_ROW,
            f"the row has {short_repr(excess[0])} to the right of the {len(names)} named "
            "column(s).",
        )
    padded = [*values, *(None for _ in range(len(names) - len(values)))]
    return dict(zip(names, padded, strict=False))
