"""Read the rows of a file, in the format that its content or its name shows.

A row that cannot be read is yielded as a BadRow; a file that cannot be read raises.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files.csv_rows import CsvTable
from cotbuild.builder.sources.files.formats import find_format
from cotbuild.builder.sources.files.json_rows import read_json, read_jsonl
from cotbuild.builder.sources.files.opening import open_content, open_file
from cotbuild.builder.sources.files.text_lines import (
    parse_parallel,
    read_parallel,
    read_text_lines,
)
from cotbuild.builder.sources.files.workbook import SheetRows
from cotbuild.builder.sources.label_names import read_label_names
from cotbuild.builder.storage.cache import cache_dir, sha256_of_unchanged
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.row_files import FileFormat

_CACHED_BYTES = 64 << 20
"""Size from which a file's checksum is cached: reading it takes a fifth of a second."""


class FileRows:
    """The rows of one file; can be iterated any number of times.

    `file_format` is the format, None to find it. `rows_under` is the path to the rows in
    a JSON document or the sheet of a workbook, None to find them. `header` are the names
    of the columns of a table whose first line does not have them. Raises DataError if the
    file as a whole cannot be read, ConfigError if it has no rows there.
    """

    def __init__(
        self,
        path: Path,
        file_format: FileFormat | None = None,
        rows_under: str | None = None,
        header: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.location = path.name
        self._file_format = file_format
        self._rows_under = rows_under
        self._header = header
        self._document_shape: str | None = None

    def __iter__(self) -> Iterator[Row | BadRow]:
        match self.format:
            case "jsonl":
                return read_jsonl(self.path)
            case "json":
                self._document_shape, rows = read_json(self.path, self._rows_under)
                return rows
            case "csv" | "tsv":
                return iter(self._table)
            case "parquet":
                return read_parquet(self.path)
            case "xlsx":
                return iter(self._sheet)
            case "lines":
                return read_text_lines(self.path)

    @cached_property
    def format(self) -> FileFormat:
        """The format of the file; raises DataError or ConfigError if it is unknown."""
        found = self._file_format or find_format(self.path, self._header)
        if self._header and found not in ("csv", "tsv", "xlsx"):
            raise ConfigError(
                f"{self.location}: --header is for tables, and the file is read as "
                f"{found}. Leave it out."
            )
        if self._rows_under is None or found == "xlsx":
            return found
        if found not in ("json", "jsonl"):
            raise ConfigError(
                f"{self.location}: --rows-under {shell_quote(self._rows_under)} is for "
                f"JSON and workbooks, and the file is read as {found}. Leave it out."
            )
        return "json"

    @cached_property
    def _table(self) -> CsvTable:
        preferred = "\t" if self.format == "tsv" else ","
        is_fixed = self._file_format == "tsv"
        return CsvTable(self.path, preferred, is_fixed=is_fixed, header=self._header)

    @cached_property
    def _sheet(self) -> SheetRows:
        return SheetRows(self.path, self._rows_under, self._header)

    @property
    def shape(self) -> str:
        """What was recognised, such as "CSV, semicolon-separated, gzip"."""
        if self.format == "xlsx":  # its zip archive is no wrapping of a text
            return self._plain_shape()
        with open_content(self.path) as content:
            wrappings = content.wrappings
        return ", ".join([self._plain_shape(), *wrappings])

    def _plain_shape(self) -> str:
        match self.format:
            case "jsonl":
                return "JSON Lines"
            case "json":
                if self._document_shape is None:
                    self._document_shape, _ = read_json(self.path, self._rows_under)
                return self._document_shape
            case "csv" | "tsv":
                return self._table.shape
            case "parquet":
                return "Parquet"
            case "xlsx":
                return self._sheet.shape
            case "lines":
                return "text, one row a line"

    @property
    def notes(self) -> Mapping[str, str]:
        """Lines on cells of a table that could be read in another way, by column."""
        return self._table.notes if self.format in ("csv", "tsv") else {}

    def label_names(self) -> Mapping[str, Sequence[str]]:
        """Return the names of labels that a Parquet file declares, by column.

        Raises DataError if the file cannot be read.
        """
        if self.format != "parquet":
            return {}
        return read_label_names(self.path)

    @property
    def num_bytes(self) -> int:
        """Size of the file on disk."""
        return self.path.stat().st_size

    def checksum(self) -> str:
        """Return the sha256 of the bytes on disk in 64 hex digits."""
        with open_file(self.path) as file:
            if os.fstat(file.fileno()).st_size >= _CACHED_BYTES:
                with suppress(OSError):
                    return sha256_of_unchanged(self.path, cache_dir())
            return hashlib.file_digest(file, "sha256").hexdigest()


class ParallelRows:
    """The rows of several text files side by side: line n of each is row n."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files
        self.location = parallel_name(files)

    def __iter__(self) -> Iterator[Row | BadRow]:
        return read_parallel(self._files)

    shape = "text files side by side, one row a line"
    notes: Mapping[str, str] = MappingProxyType({})

    @property
    def num_bytes(self) -> int:
        """Size of the files on disk."""
        return sum(path.stat().st_size for path in self._files.values())

    def checksum(self) -> str:
        """Return a digest of the columns and the files' sha256."""
        checksums = {
            column: FileRows(path).checksum() for column, path in self._files.items()
        }
        return digest("parallel/1", checksums)


RowFile = FileRows | ParallelRows
"""What `open_rows` returns."""


def parallel_name(files: dict[str, Path]) -> str:
    """Return the name of files that are read side by side, without their folders."""
    return ",".join(f"{column}={path.name}" for column, path in files.items())


def open_rows(
    name: str,
    file_format: FileFormat | None = None,
    rows_under: str | None = None,
    header: tuple[str, ...] = (),
) -> RowFile:
    """Return the rows of a file, or of "question=q.txt,target=a.txt".

    Raises ConfigError.
    """
    path = Path(name)
    files = None if path.exists() else parse_parallel(name)
    if files is None:
        return FileRows(path, file_format, rows_under, header)
    if file_format not in (None, "lines") or rows_under is not None or header:
        raise ConfigError(
            f"{parallel_name(files)}: text files with one row a line. Leave out --as, "
            "--rows-under and --header."
        )
    return ParallelRows(files)


def read_parquet(path: Path) -> Iterator[Row | BadRow]:
    """Yield the rows of a Parquet file, in bounded memory."""
    from cotbuild.builder.storage.parquet_rows import ParquetRows, RowFault

    with ParquetRows(path, path.name) as file:
        for row in file.rows():
            if not isinstance(row, RowFault):
                yield row
            elif row.is_text:
                yield BadRow(BadRowReason.NOT_UTF8, row.message)
            else:
                yield BadRow(BadRowReason.UNREADABLE, row.message)
