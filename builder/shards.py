"""Rows to parquet files with checksums, in flat memory."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.builder.arrow import arrow_schema
from cotbuild.builder.durable import file_sha256
from cotbuild.schemas.base import FORMAT_VERSION, Record, check_format
from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.fingerprint import canonical_json, digest
from cotbuild.schemas.manifest import FileEntry

ROWS_PER_FILE = 100_000
ROWS_PER_GROUP = 1_000
"""Rows held in memory and written together."""

_FORMAT_KEY = b"cotbuild.format_version"


def write_split(
    root: Path, config_name: str, split: str, model: type[Record], rows: Iterable[Record], num_rows: int
) -> list[FileEntry]:
    """Write `num_rows` rows as `root/config_name/split-…-of-….parquet`; one entry a file.

    Raises DataError where there are fewer or more rows than said, StoreError where a file cannot be written.
    """
    source, entries = iter(rows), []
    num_files = max(1, -(-num_rows // ROWS_PER_FILE))
    (root / config_name).mkdir(parents=True, exist_ok=True)
    for number in range(num_files):
        path = f"{config_name}/{split}-{number:05d}-of-{num_files:05d}.parquet"
        try:
            count, rows_digest = _write_file(root / path, model, islice(source, ROWS_PER_FILE))
        except OSError as error:
            raise StoreError(f"{root / path}: {error}. Expected room to write the build.") from error
        entries.append(
            FileEntry(
                path=path,
                config_name=config_name,
                split=split,
                num_rows=count,
                num_bytes=(root / path).stat().st_size,
                sha256=file_sha256(root / path),
                digest=rows_digest,
            )
        )
    found = sum(entry.num_rows for entry in entries)
    if found != num_rows or next(source, None) is not None:
        raise DataError(
            f"{config_name}/{split}: {found} rows or more. Expected {num_rows}: the source changed meanwhile."
        )
    return entries


def _write_file(path: Path, model: type[Record], rows: Iterator[Record]) -> tuple[int, str]:
    schema = arrow_schema(model).with_metadata({_FORMAT_KEY: str(FORMAT_VERSION)})
    total, count = RowsDigest(), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := [row.model_dump(mode="json") for row in islice(rows, ROWS_PER_GROUP)]:
            for row in batch:
                total.add(row)
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count, total.hexdigest()


class RowsDigest:
    """Digest over rows in order, each as canonical JSON: independent of pyarrow and of how rows are grouped."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256(b"rows/1\n")

    def add(self, row: dict[str, Any]) -> None:
        self._sum.update(canonical_json(row).encode())
        self._sum.update(b"\n")

    def hexdigest(self) -> str:
        return self._sum.hexdigest()


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one of our files as plain values, in flat memory.

    Raises DataError where the file is not parquet, or was written by a newer cotbuild.
    """
    try:
        with pq.ParquetFile(path) as file:
            check_format(_format_of(file.schema_arrow), str(path))
            for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: {error}. Expected a parquet file of this build.") from error


def _format_of(schema: pa.Schema) -> object:
    found = (schema.metadata or {}).get(_FORMAT_KEY, b"")
    return int(found) if found.isdigit() else found.decode("utf-8", "replace")


def config_digests(entries: Iterable[FileEntry]) -> dict[str, str]:
    """Per config: digest over the row digests of its files, in the order of their paths."""
    by_config: dict[str, list[list[str]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.path):
        by_config.setdefault(entry.config_name, []).append([entry.path, entry.digest])
    return {name: digest("config/1", files) for name, files in sorted(by_config.items())}
