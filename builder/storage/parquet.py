"""Rows to parquet files with checksums, in flat memory."""

import contextlib
import hashlib
import types
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self, Union, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest, dumped_json
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.record import FORMAT_VERSION, Record, check_format

ROWS_PER_FILE = 100_000
ROWS_PER_GROUP = 1_000
"""Rows held in memory and written together."""

_FORMAT_KEY = b"cotbuild.format_version"


# -- schemas ------------------------------------------------------------------------------

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def arrow_schema(model: type[Record]) -> pa.Schema:
    """Return the columns of a record, in the order of its fields.

    They are derived from the annotations, so that no column is declared twice. Every
    column is nullable, since readers differ on required ones. Raises TypeError as
    `arrow_type` does.
    """
    fields = model.model_fields.items()
    return pa.schema([(name, arrow_type(field.annotation)) for name, field in fields])


def arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type of a field's annotation.

    Raises TypeError for an annotation that no column can hold.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        alternatives = [arg for arg in args if arg is not type(None)]
        if len(alternatives) == 1:
            return arrow_type(alternatives[0])
    if origin is Literal and all(isinstance(arg, str) for arg in args):
        return pa.string()
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return pa.list_(arrow_type(args[0]))
    if isinstance(annotation, type):
        if annotation in _SCALARS:
            return _SCALARS[annotation]
        if issubclass(annotation, StrEnum):
            return pa.string()
        if issubclass(annotation, Record):
            return pa.struct(list(arrow_schema(annotation)))
    raise TypeError(f"no Arrow type for {annotation!r}")


# -- writing ------------------------------------------------------------------------------


def write_split(
    root: Path,
    config_name: str,
    split: str,
    model: type[Record],
    rows: Iterable[Record],
    num_rows: int,
) -> list[FileEntry]:
    """Write `num_rows` rows as `root/config_name/split-…-of-….parquet`; one entry a
    file.

    Raises DataError where there are fewer or more rows than said, StoreError where a
    file cannot be written.
    """
    found = 0
    with SplitWriter(root, config_name, split, model) as writer:
        for row in rows:
            writer.add(row)
            found += 1
            if found > num_rows:
                break
        if found != num_rows:
            raise DataError(
                f"{config_name}/{split}: {found} rows or more. Expected {num_rows}: the source changed meanwhile."
            )
    return writer.entries


class SplitWriter:
    """Writes the rows of one split as they come, in files of ROWS_PER_FILE; `entries`
    once it is closed.

    The number of files stands in their names, so they get their names at the end. A
    context manager; after a fault it leaves what it has written under hidden names.
    Raises StoreError where a file cannot be written.
    """

    def __init__(
        self, root: Path, config_name: str, split: str, model: type[Record]
    ) -> None:
        self.entries: list[FileEntry] = []
        self._folder, self._split, self._config_name = (
            root / config_name,
            split,
            config_name,
        )
        self._schema = arrow_schema(model).with_metadata(
            {_FORMAT_KEY: str(FORMAT_VERSION)}
        )
        self._batch: list[dict[str, Any]] = []
        self._file: pq.ParquetWriter | None = None
        self._written: list[
            tuple[int, str]
        ] = []  # rows and digest of each finished file
        self._count, self._digest = 0, RowsDigest()
        self._folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: Record) -> None:
        """Append one row."""
        value = row.model_dump(mode="json")
        self._digest.add(value)
        self._batch.append(value)
        self._count += 1
        if len(self._batch) == ROWS_PER_GROUP:
            self._flush()
            if self._count >= ROWS_PER_FILE:
                self._finish_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            if self._count or not self._written:
                self._flush()
                self._finish_file()
            self._name_files()
        elif self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _part(self, number: int) -> Path:
        return self._folder / f".{self._split}-{number:05d}.parquet"

    def _flush(self) -> None:
        path = self._part(len(self._written))
        try:
            if self._file is None:
                self._file = pq.ParquetWriter(path, self._schema, compression="zstd")
            self._file.write_table(pa.Table.from_pylist(self._batch, self._schema))
        except OSError as error:
            raise StoreError(
                f"{path}: {error}. Expected room to write the build."
            ) from error
        self._batch.clear()

    def _finish_file(self) -> None:
        assert self._file is not None
        try:
            self._file.close()
        except OSError as error:
            raise StoreError(
                f"{self._folder}: {error}. Expected room to write the build."
            ) from error
        self._written.append((self._count, self._digest.hexdigest()))
        self._file, self._count, self._digest = None, 0, RowsDigest()

    def _name_files(self) -> None:
        total = len(self._written)
        for number, (count, rows_digest) in enumerate(self._written):
            path = self._folder / f"{self._split}-{number:05d}-of-{total:05d}.parquet"
            self._part(number).replace(path)
            self.entries.append(
                FileEntry(
                    path=f"{self._config_name}/{path.name}",
                    config_name=self._config_name,
                    split=self._split,
                    num_rows=count,
                    num_bytes=path.stat().st_size,
                    sha256=file_sha256(path),
                    digest=rows_digest,
                )
            )


class RowsDigest:
    """Digest over rows in order, each as canonical JSON: independent of pyarrow and of
    how rows are grouped.
    """

    def __init__(self) -> None:
        self._sum = hashlib.sha256(b"rows/1\n")

    def add(self, row: dict[str, Any]) -> None:
        self._sum.update(dumped_json(row).encode())
        self._sum.update(b"\n")

    def hexdigest(self) -> str:
        return self._sum.hexdigest()


# -- reading ------------------------------------------------------------------------------


def read_rows(
    path: Path, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of one of our files as plain values, in flat memory; `columns` None: all
    of them.

    Raises DataError where the file is not parquet, or was written by a newer cotbuild.
    """
    try:
        with pq.ParquetFile(path) as file:
            check_format(_format_of(file.schema_arrow), str(path))
            for batch in file.iter_batches(batch_size=ROWS_PER_GROUP, columns=columns):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: {error}. Expected a parquet file of this build."
        ) from error


def _format_of(schema: pa.Schema) -> object:
    found = (schema.metadata or {}).get(_FORMAT_KEY, b"")
    return int(found) if found.isdigit() else found.decode("utf-8", "replace")


def config_digests(entries: Iterable[FileEntry]) -> dict[str, str]:
    """Per config: digest over the row digests of its files, in the order of their
    paths.
    """
    by_config: dict[str, list[list[str]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.path):
        by_config.setdefault(entry.config_name, []).append([entry.path, entry.digest])
    return {
        name: digest("config/1", files) for name, files in sorted(by_config.items())
    }
