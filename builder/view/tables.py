"""The rows of a config of a build, as a table that DuckDB reads.

A file is looked at once for each of its states before DuckDB sees it: its name, its
columns and its number of rows have to be what the manifest says. Rows are counted from 0
over the files of a config in the order of the manifest: the position of a row.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.storage.columns import check_schema
from cotbuild.builder.storage.images import IMAGE_COLUMN
from cotbuild.builder.storage.parquet_pages import check_footer
from cotbuild.builder.view.database import Database, escape_glob
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import open_regular
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record, short_repr
from cotbuild.schemas.variant_rows import row_model

_FROM = "FROM read_parquet(?, hive_partitioning = false)"
_PLAIN_FOOTER_BYTES = 2 << 20
"""Footers up to this size are parsed without counting their values first. That of
100,000 rationales has 0.7 MiB.
"""
_MAX_REMEMBERED = 10_000
"""Files whose state is remembered."""


class FileState(NamedTuple):
    """What changes when a file is replaced."""

    inode: int
    size: int
    mtime_ns: int


class TableFile(NamedTuple):
    """A file of a config."""

    path: Path
    first: int
    """Position of its first row."""
    num_rows: int
    state: FileState


@dataclass(frozen=True)
class RowTable:
    """The rows of one config and split."""

    build: StoredBuild
    config_name: str
    split: str
    model: type[Record]
    """The record that a row is."""
    columns: frozenset[str]
    """The columns that all files have: older builds lack some of the model's."""
    files: tuple[TableFile, ...]
    digest: str
    """Digest of the rows of the config, all splits."""

    @property
    def identity(self) -> tuple[TableFile, ...]:
        """What results may be remembered by: where its files are, and their state.

        Not a digest that the manifest states: a stranger may have written it.
        """
        return self.files

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return sum(file.num_rows for file in self.files)

    def query(
        self,
        database: Database,
        select: str,
        where: str = "TRUE",
        values: Sequence[Any] = (),
        *,
        files: Sequence[TableFile] | None = None,
        then: str = "",
        seconds: float | None = None,
    ) -> list[tuple[Any, ...]]:
        """Return what `SELECT select FROM … WHERE where then` finds in its files.

        `values` are those of `where` and `then`. DuckDB's own columns `file_index` and
        `file_row_number` count from the first of `files`, by default all. Raises
        QueryStopped, and DataError if a file cannot be read or was replaced meanwhile.
        """
        files = self.files if files is None else files
        sql = f"SELECT {select} {_FROM} WHERE {where} {then}"
        with self._unchanged(files) as paths:
            return database.query(sql, [paths, *values], seconds=seconds)

    def query_arrays(
        self,
        database: Database,
        select: str,
        where: str,
        values: Sequence[Any] = (),
        *,
        before: Sequence[Any] = (),
        file: TableFile,
        seconds: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return what `SELECT select FROM … WHERE where` finds in one file, as arrays.

        `before` are the values of `select`. Otherwise as `query`.
        """
        sql = f"SELECT {select} {_FROM} WHERE {where}"
        with self._unchanged([file]) as paths:
            return database.query_arrays(
                sql, [*before, paths, *values], seconds=seconds
            )

    @contextmanager
    def _unchanged(self, files: Sequence[TableFile]) -> Iterator[list[str]]:
        """Yield the paths of files; raise DataError if one is not what was looked at."""
        try:
            yield [escape_glob(file.path) for file in files]
        finally:
            for file in files:
                if _file_state(file.path) != file.state:
                    raise _changed(self.build)


def open_table(
    build: StoredBuild, config_name: str = RATIONALES, split: str | None = None
) -> RowTable:
    """Open the rows of a config, by default those of the split that variants train on.

    A config without that split is opened at its first one. Raises ConfigError if the
    build has no such config or split, DataError if a file is damaged, or not the one
    that the manifest describes.
    """
    splits = build.splits(config_name)
    if not splits:
        names = list(dict.fromkeys(entry.config_name for entry in build.manifest.files))
        raise ConfigError(
            f"config {short_repr(config_name)}: the build has none of this name. Choose "
            f"one of {names}."
        )
    if split is None:
        split = build.split if build.split in splits else splits[0]
    if split not in splits:
        raise ConfigError(
            f"split {short_repr(split)}: {config_name} has none of this name. Choose one "
            f"of {splits}."
        )
    model = _model_of(build, config_name)
    files: list[TableFile] = []
    columns: frozenset[str] | None = None
    first = 0
    for entry in build.files(config_name, split):
        looked_at = _look_at(build, entry, model)
        if columns is None:
            columns = looked_at.columns
        columns &= looked_at.columns
        path = build.place(entry)
        files.append(TableFile(path, first, entry.num_rows, looked_at.state))
        first += entry.num_rows
    return RowTable(
        build=build,
        config_name=config_name,
        split=split,
        model=model,
        columns=columns or frozenset(),
        files=tuple(files),
        digest=build.manifest.digests.get(config_name, ""),
    )


def _model_of(build: StoredBuild, config_name: str) -> type[Record]:
    if config_name == RATIONALES:
        return Rationale
    if config_name == QUESTIONS:
        return Question
    return row_model(build.spec(config_name))


def _changed(build: StoredBuild) -> DataError:
    return DataError(
        f"{build.folder}: the build was replaced while it was read. Load the page again."
    )


# -- looking at a file once ----------------------------------------------------------------


class _LookedAt(NamedTuple):
    """A file whose columns and number of rows are what they should be."""

    state: FileState
    model: type[Record]
    columns: frozenset[str]
    num_rows: int


_looked_at: OrderedDict[Path, _LookedAt] = OrderedDict()
_lock = threading.Lock()


def _look_at(build: StoredBuild, entry: FileEntry, model: type[Record]) -> _LookedAt:
    """Check a file, unless it was checked in the state it is in."""
    path = build.place(entry)
    state = _file_state(path)
    if state is None:
        raise DataError(
            f"{path}: it is missing. Run `cotbuild verify` on the build, or load the page "
            "again if the build is being replaced."
        )
    with _lock:
        known = _looked_at.get(path)
    if known is None or known.state != state or known.model is not model:
        known = _check_file(path, state, model)
        with _lock:
            _looked_at[path] = known
            if len(_looked_at) > _MAX_REMEMBERED:
                _looked_at.popitem(last=False)
    if state.size != entry.num_bytes or known.num_rows != entry.num_rows:
        raise DataError(
            f"{path}: {known.num_rows:,} rows in {state.size:,} bytes, but {MANIFEST} "
            f"says {entry.num_rows:,} in {entry.num_bytes:,}. Load the page again if the "
            "build is being replaced; otherwise run `cotbuild verify`."
        )
    return known


def _check_file(path: Path, state: FileState, model: type[Record]) -> _LookedAt:
    try:
        with open_regular(path) as file:
            check_footer(file, trusted_bytes=_PLAIN_FOOTER_BYTES)
            parquet = pq.ParquetFile(file)
            schema, num_rows = parquet.schema_arrow, parquet.metadata.num_rows
    except (OSError, ValueError, pa.ArrowException) as fault:
        reason = " ".join(str(fault).split())[:300].rstrip(".")
        raise DataError(f"{path}: not Parquet, or damaged: {reason}.") from fault
    names = schema.names
    has_images = bool(names) and names[-1] == IMAGE_COLUMN
    check_schema(path, schema, model, has_images=has_images)
    return _LookedAt(state, model, frozenset(names), num_rows)


def _file_state(path: Path) -> FileState | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return FileState(status.st_ino, status.st_size, status.st_mtime_ns)
