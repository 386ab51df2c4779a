"""Read the rows of CSV and TSV files.

A file is first read through once, to settle what single rows do not show: whether
quotes in a tab-separated file are text, which nameless columns are empty, and which
words stand for nothing.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files import lines as bounds
from cotbuild.builder.sources.files.csv_dialect import (
    DELIMITERS,
    choose_delimiter,
    read_separator_line,
)
from cotbuild.builder.sources.files.csv_nulls import (
    NULL_WORDS,
    NullWords,
    describe_null_words,
    find_null_columns,
)
from cotbuild.builder.sources.files.lines import describe_invalid_utf8, read_lines
from cotbuild.builder.sources.files.opening import open_content
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import short_repr

MAX_CSV_COLUMNS = 10_000
INDEX_NAME = "Unnamed: 0"
"""pandas' own name for its row labels, which `to_csv` writes as a nameless column."""
_ESCAPED_QUOTE = re.compile(r'(?<!\\)((?:\\\\)*+)\\"')
_SAMPLE_LINES = 100
_SAMPLE_BYTES = 1 << 20


class Dialect(NamedTuple):
    """How the fields of a file are written."""

    delimiter: str
    is_quoted: bool
    """Whether quotes enclose fields; if not, they are text."""
    is_escaped: bool
    r"""Whether a quote inside a field is written as \"."""
    num_skipped: int
    """Lines before the header: one if the first names the delimiter."""

    def describe(self) -> str:
        """Return a phrase such as "semicolon-separated"."""
        name = DELIMITERS.get(self.delimiter, repr(self.delimiter))
        quotes = "" if self.is_quoted else ", quotes as text"
        escapes = ", quotes after a backslash" if self.is_escaped else ""
        return f"{name}-separated{quotes}{escapes}"


class _Layout(NamedTuple):
    """What the whole file shows."""

    dialect: Dialect
    null_columns: frozenset[int]
    """Columns in which null words stand for empty cells."""
    blank_columns: frozenset[int]
    """Nameless columns, after the first, without a filled cell."""
    notes: dict[str, str]


@dataclass
class CsvTable:
    """A CSV or TSV file; can be iterated any number of times.

    `preferred` is the delimiter that is taken if it fits, `is_fixed` whether it is
    taken in any case. `header` has the names of the columns if the first line does not.
    Quoted fields may contain line breaks. Iterating raises DataError if the file cannot
    be read.
    """

    path: Path
    preferred: str
    is_fixed: bool = False
    header: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Row | BadRow]:
        layout = self._layout
        with open_content(self.path) as content:
            rows = _read_fields(content.file, self.path, layout.dialect, self.header)
            header, _ = next(rows, ([], 0))
            names = _name_columns(header, layout.blank_columns, self.path)
            for fields, line in rows:
                if len(fields) != len(header):
                    yield _ragged_row(len(fields), len(header), line)
                else:
                    yield _make_row(names, fields, layout)

    @property
    def shape(self) -> str:
        """What was recognised, such as "CSV, semicolon-separated"."""
        dialect = self._layout.dialect
        name = "TSV" if dialect.delimiter == "\t" else "CSV"
        return f"{name}, {dialect.describe()}"

    @property
    def notes(self) -> Mapping[str, str]:
        """Lines on cells that could be read in another way, by column."""
        return self._layout.notes

    @cached_property
    def _layout(self) -> _Layout:
        dialect = _find_dialect(
            self.path, self.preferred, self.header, is_fixed=self.is_fixed
        )
        if _are_quotes_escaped(self.path, dialect):
            dialect = dialect._replace(is_escaped=True)
        elif dialect.delimiter == "\t" and _are_quotes_text(self.path, dialect):
            dialect = dialect._replace(is_quoted=False)
        return _survey(self.path, dialect, self.header)


def _make_row(names: list[str], fields: list[str], layout: _Layout) -> Row:
    for column in layout.null_columns:
        if fields[column] in NULL_WORDS:
            fields[column] = ""
    if layout.blank_columns:
        return {
            names[column]: value
            for column, value in enumerate(fields)
            if column not in layout.blank_columns
        }
    return dict(zip(names, fields, strict=True))


def _ragged_row(num_fields: int, num_columns: int, line: int) -> BadRow:
    return BadRow(
        BadRowReason.RAGGED_ROW,
        f"the row that ends in line {line} has {num_fields} fields; the header has "
        f"{num_columns}.",
    )


def _name_columns(
    header: list[str], blank_columns: frozenset[int], path: Path
) -> list[str]:
    """Return the names of the columns; raises DataError if they do not differ."""
    if len(header) > MAX_CSV_COLUMNS:
        raise DataError(
            f"{path.name}: {len(header):,} columns, more than {MAX_CSV_COLUMNS:,}. Name "
            "the columns in the first line."
        )
    names = list(header)
    if len(names) > 1 and names[0] == "" and INDEX_NAME not in names:
        names[0] = INDEX_NAME
    used = [name for at, name in enumerate(names) if at not in blank_columns]
    if len(set(used)) < len(used) or "" in used:
        raise DataError(
            f"{path.name}: header {short_repr(header)} has empty or repeated names. Give "
            "each column its own name."
        )
    return names


# -- fields ----------------------------------------------------------------------------


def _read_fields(
    file: BufferedReader, path: Path, dialect: Dialect, header: Sequence[str] = ()
) -> Iterator[tuple[list[str], int]]:
    """Yield the fields of the header and of each row that is not blank, with the line
    that it ends in.

    `header` comes first if it is given. Raises DataError.
    """
    if header:
        yield list(header), 0
    # Rows are bounded below. The limit is the whole process's, so it is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), bounds.MAX_LINE_BYTES))
    texts = _CsvLines(file, path, dialect)
    reader = csv.reader(
        texts,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.is_quoted else csv.QUOTE_NONE,
        strict=True,
    )
    is_header = not header
    try:
        for fields in reader:
            texts.begin_row()
            if fields or is_header:
                yield fields, reader.line_num + dialect.num_skipped
            is_header = False
    except csv.Error as error:
        line = reader.line_num + dialect.num_skipped
        raise DataError(
            f"{path.name}: line {line} is not CSV: {error}. Enclose a field with quotes "
            "in it in quotes, and write each of them twice."
        ) from error


class _CsvLines:
    """The lines of a CSV file as text, of which a quoted field may take several."""

    # Not io.TextIOWrapper: the offset in its UnicodeDecodeError counts from the start
    # of a chunk, not of the file.

    def __init__(self, file: BufferedReader, path: Path, dialect: Dialect) -> None:
        self._file = file
        self._path = path
        self._dialect = dialect
        self._num_bytes = 0

    def begin_row(self) -> None:
        """Count the bytes of a row from here."""
        self._num_bytes = 0

    def __iter__(self) -> Iterator[str]:
        lines = enumerate(read_lines(self._file), 1)
        for number, line in islice(lines, self._dialect.num_skipped, None):
            self._num_bytes += len(line.text)
            if line.is_cut or self._num_bytes > bounds.MAX_LINE_BYTES:
                raise DataError(
                    f"{self._path.name}: the row that holds line {number} is longer than "
                    f"{bounds.MAX_LINE_BYTES >> 20} MiB. Shorten it, or close its quotes."
                )
            try:
                text = line.text.decode()
            except UnicodeDecodeError as error:
                message = describe_invalid_utf8(error, line.start)
                raise DataError(
                    f"{self._path.name}: {message} Save the file as UTF-8."
                ) from error
            yield double_quotes(text) if self._dialect.is_escaped else text


def double_quotes(line: str) -> str:
    r"""Return a line in which each quote after a backslash, \", is written twice.

    Not csv's escapechar, which also drops the backslash of \frac.
    """
    return _ESCAPED_QUOTE.sub(r'\1""', line)


# -- the whole file --------------------------------------------------------------------


def _find_dialect(
    path: Path, preferred: str, header: Sequence[str], *, is_fixed: bool
) -> Dialect:
    sample, is_whole = read_sample(path)
    separator = read_separator_line(sample[0]) if sample else None
    if separator is not None:
        return Dialect(separator, is_quoted=True, is_escaped=False, num_skipped=1)
    if not is_fixed:
        preferred = choose_delimiter(
            sample, preferred, is_whole=is_whole, header=header
        )
    return Dialect(preferred, is_quoted=True, is_escaped=False, num_skipped=0)


def read_sample(path: Path) -> tuple[list[str], bool]:
    """Return the first lines, and whether they are all.

    They end before one that is not UTF-8; reading the rows describes it.
    """
    sample: list[str] = []
    num_bytes = 0
    with open_content(path) as content:
        for line in read_lines(content.file):
            num_bytes += len(line.text)
            is_full = len(sample) == _SAMPLE_LINES or num_bytes > _SAMPLE_BYTES
            if line.is_cut or (is_full and sample):
                return sample, False
            try:
                sample.append(line.text.decode())
            except UnicodeDecodeError:
                return sample, False
    return sample, True


def _are_quotes_escaped(path: Path, dialect: Dialect) -> bool:
    """Return whether quotes inside fields follow a backslash, as Spark writes them.

    They do where the file is a regular table only if they do.
    """
    with open_content(path) as content:
        if not any(b'\\"' in line.text for line in read_lines(content.file)):
            return False
    if _measure(path, dialect).is_regular:
        return False
    return _measure(path, dialect._replace(is_escaped=True)).is_regular


def _are_quotes_text(path: Path, dialect: Dialect) -> bool:
    """Return whether quotes in a tab-separated file enclose no fields.

    They do not where reading them as such fails or takes several lines for one row,
    while each line has as many tabs as the first.
    """
    widths = _measure(path, dialect)
    lines = _measure(path, dialect._replace(is_quoted=False))
    is_as_good = widths.is_regular and widths.num_rows == lines.num_rows
    return lines.is_regular and lines.num_columns > 1 and not is_as_good


def _measure(path: Path, dialect: Dialect) -> "_Widths":
    widths = _Widths()
    with open_content(path) as content:
        widths.read(_read_fields(content.file, path, dialect))
    return widths


@dataclass
class _Widths:
    """How many rows a file has, and whether all have as many fields as the header."""

    num_columns: int = 0
    num_rows: int = 0
    is_regular: bool = True

    def read(self, rows: Iterator[tuple[list[str], int]]) -> None:
        """Read all rows; a file that cannot be read is not regular."""
        try:
            for fields, _ in rows:
                self.num_columns = self.num_columns or len(fields)
                self.num_rows += 1
                self.is_regular &= len(fields) == self.num_columns
        except DataError:
            self.is_regular = False


def _survey(path: Path, dialect: Dialect, given_header: Sequence[str]) -> _Layout:
    """Read a file through, twice if it has null words; it may end in a fault."""
    with open_content(path) as content:
        rows = _until_fault(_read_fields(content.file, path, dialect, given_header))
        header = next(rows, [])
        blank = {at for at, name in enumerate(header) if at and not name.strip()}
        nulls: set[int] = set()
        for fields in rows:
            if len(fields) == len(header):
                nulls |= find_null_columns(fields)
                blank -= {at for at in blank if fields[at].strip()}
    words = NullWords({at: Counter() for at in sorted(nulls)})
    if nulls:
        with open_content(path) as content:
            for fields in islice(
                _until_fault(_read_fields(content.file, path, dialect, given_header)),
                1,
                None,
            ):
                if len(fields) == len(header):
                    words.add(fields)
    notes = describe_null_words(words, header)
    return _Layout(dialect, words.empty_in, frozenset(blank), notes)


def _until_fault(rows: Iterator[tuple[list[str], int]]) -> Iterator[list[str]]:
    """Yield the fields of rows up to one that cannot be read."""
    try:
        for fields, _ in rows:
            yield fields
    except DataError:
        return
