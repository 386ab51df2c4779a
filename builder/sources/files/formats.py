"""Find the format of a file, by its content and the ending of its name."""

from collections.abc import Sequence
from pathlib import Path

from cotbuild.builder.sources.files.csv_dialect import DELIMITERS, count_columns
from cotbuild.builder.sources.files.csv_rows import read_sample
from cotbuild.builder.sources.files.json_rows import is_document
from cotbuild.builder.sources.files.opening import (
    COMPRESSION_ENDINGS,
    PARQUET_MAGIC,
    open_content,
)
from cotbuild.builder.sources.files.rows_under import ROW_FIELDS
from cotbuild.builder.sources.files.workbook import is_workbook
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.row_files import FileFormat

ENDINGS: dict[str, FileFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
"""Ending of a file's name to its format."""
_OTHER_ENDINGS = frozenset((".txt", ".log", ".zip", ".tar", ".tgz", ".arrow"))
"""Further endings that files have, and Hub ids have not."""
_HEADER_NAMES = ROW_FIELDS | frozenset(
    ("id", "answer", "target", "label", "output", "response", "completion")
)
"""A first line with two of these, and as many fields as the others, is a header."""


def data_ending(path: Path) -> str:
    """Return the ending of a name in lower case, without that of a compression."""
    if path.suffix.lower() in COMPRESSION_ENDINGS:
        return Path(path.stem).suffix.lower()
    return path.suffix.lower()


def is_data_file(path: Path) -> bool:
    """Return whether a name has the ending of a format, compressed or not."""
    return data_ending(path) in ENDINGS


def is_compressed_name(path: Path) -> bool:
    """Return whether a name has the ending of a compression."""
    return path.suffix.lower() in COMPRESSION_ENDINGS


def may_be_file_name(path: Path) -> bool:
    """Return whether a name has an ending that data files have."""
    endings = {path.suffix.lower(), data_ending(path)}
    known = _OTHER_ENDINGS | set(ENDINGS) | set(COMPRESSION_ENDINGS)
    return not endings.isdisjoint(known)


def find_format(path: Path, header: Sequence[str] = ()) -> FileFormat:
    """Return the format of a file; raises DataError if nothing shows it.

    `header` are the names of a table's columns if its first line does not have them.
    JSON documents are often named .jsonl and JSON Lines .json, so there the content
    decides, as it does for other endings and none.
    """
    ending = data_ending(path)
    if is_workbook(path):
        return "xlsx"
    with open_content(path) as content:
        head = content.head
        if head.startswith(PARQUET_MAGIC):
            return "parquet"
        named = ENDINGS.get(ending)
        if named not in ("json", "jsonl", None):
            return named
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if named is not None or text.startswith((b"{", b"[")) or not head:
            return "json" if is_document(content.file) else "jsonl"
    if b"\0" in head:
        raise DataError(
            f"{path.name}: binary data in none of the formats that are read. Write it as "
            "JSON Lines, CSV or Parquet."
        )
    table = _find_table(path, header)
    if table is not None:
        return table
    raise DataError(
        f"{path.name}: its first lines are neither JSON nor a table with a header. Add: "
        "--as lines if each line is a row, or --as with another of csv, tsv, jsonl, json, "
        "parquet and xlsx."
    )


def _find_table(path: Path, header: Sequence[str]) -> FileFormat | None:
    """Return the format of a table whose header has usual names, or is given."""
    sample, is_whole = read_sample(path)
    if not sample:
        return None
    for delimiter in DELIMITERS:
        count = count_columns(sample, delimiter, is_whole=is_whole, header=header)
        names = {name.strip('" \r\n').lower() for name in sample[0].split(delimiter)}
        is_header = bool(header) or len(names & _HEADER_NAMES) > 1
        if count.is_regular and count.num_columns > 1 and is_header:
            return "tsv" if delimiter == "\t" else "csv"
    return None
