"""Scores files: how much each part of a rationale matters to a student. Attribution
writes them, the transform `top` reads them.

A scores file is one parquet file with a row for each rationale, in the order of the
build, and its spans in the order of the text. The file's metadata has a `ScoresInfo` as
JSON. Offsets count characters of the published rationale; its digest shows whether it
has changed since.

A rationale whose scores failed a bound has a row that names the bound and has no spans:
to variants it is as if it had no scores, and they say how many there are. A file is
refused whose other rows fail its own bounds, or whose method needs bounds and has none. A
file of version 1 has no bounds, which variants say too.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.arrow_tables import make_table
from cotbuild.builder.storage.keys import KEY_DTYPE
from cotbuild.builder.storage.parquet import ROWS_PER_GROUP
from cotbuild.builder.storage.parquet_rows import ParquetRows
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.schemas.attribution import (
    ROW_FIELDS_OF_VERSION_2,
    SCORES_VERSION,
    Refusal,
    ScoredRationale,
    ScoresInfo,
    rationale_digest,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import fsync_path, write_error
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import check_format, short_repr
from cotbuild.schemas.transform import Top, Transform
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_set import ScoresEntry

_INFO_KEY = b"cotbuild.scores"

NAMED_REFUSED = 5
"""Refused rationales that a manifest names; the scores file has all of them."""

_MEASURED = ("completeness_error", "rank_correlation")
"""Columns that bounds are for."""

_REMEDY = "Pass a scores file that `cotbuild attribute` wrote."


class RefusedRationale(NamedTuple):
    """A rationale whose scores failed a bound."""

    question_id: str
    sample_index: int
    refusal: Refusal

    def __str__(self) -> str:
        return f"{self.question_id} sample {self.sample_index}"


def row_key(question_id: str, sample_index: int) -> bytes:
    """Return 16 bytes that name a rationale, the same in every build."""
    name = question_id.encode("utf-8", "surrogatepass")
    return sha256(b"%d:%s/%d" % (len(name), name, sample_index)).digest()[:16]


def write_scores(path: Path, info: ScoresInfo, rows: Iterable[ScoredRationale]) -> int:
    """Write a scores file atomically, and return its number of rows.

    Raises StoreError if it cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            num_rows = _write_parquet(part, info, iter(rows))
            fsync_path(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error
    return num_rows


def _write_parquet(
    path: Path, info: ScoresInfo, rows: Iterator[ScoredRationale]
) -> int:
    metadata = {_INFO_KEY: info.model_dump_json()}
    schema = arrow_schema(ScoredRationale).with_metadata(metadata)
    num_rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while True:
            group = list(islice(rows, ROWS_PER_GROUP))
            if not group:
                return num_rows
            values = [row.model_dump(mode="json") for row in group]
            writer.write_table(make_table(values, schema))
            num_rows += len(group)


# -- what variants say of the scores they use --------------------------------------------


def find_scores_files(specs: Iterable[VariantSpec]) -> list[str]:
    """Return the names of the scores files that variants refer to, sorted."""
    transforms = [
        transform
        for spec in specs
        for part in spec.parts
        for transform in part.transforms
    ]
    return sorted({name for one in transforms for name in _scores_files_of(one)})


def _scores_files_of(transform: Transform) -> Iterator[str]:
    if isinstance(transform, Top) and transform.by == "scores":
        yield str(transform.file)
    like: Transform | None = getattr(transform, "like", None)
    if like is not None:
        yield from _scores_files_of(like)


def describe_scores(
    specs: Iterable[VariantSpec], files: Mapping[str, Path]
) -> dict[str, ScoresEntry]:
    """Return what the manifest records of each scores file that variants refer to.

    `files` maps the names of files to paths. Raises DataError as `ScoresFile` does.
    """
    entries = {}
    for name in find_scores_files(specs):
        with closing(ScoresFile(files[name])) as file:
            named = tuple(str(one) for one in file.refused[:NAMED_REFUSED])
            entries[name] = ScoresEntry(info=file.info, refused=named)
    return entries


# -- reading -----------------------------------------------------------------------------


class ScoresFile:
    """Looks up the scores of a rationale in a scores file.

    Memory is 24 bytes a row and the row group last read, of 1,000 rows. Look-ups in the
    order of the file are fast; in any other order each one reads its row group.
    """

    def __init__(self, path: Path) -> None:
        """Raises DataError if it is not a scores file, or has a rationale twice."""
        self.path = path
        try:
            self._file = ParquetRows(path, str(path))
        except DataError as error:
            raise DataError(f"{error} {_REMEDY}") from error
        try:
            self.info = _read_info(self._file.schema, path)
            self._keys, self._rows = _read_index(self._file, path)
            self.refused = _read_refused(self._file, self.info, path)
        except BaseException:
            self._file.close()
            raise
        sizes = self._file.group_sizes
        self._group_starts: NDArray[np.int64] = np.cumsum([0, *sizes], dtype=np.int64)
        self._last_group: tuple[int, list[dict[str, Any]]] | None = None

    @property
    def num_rows(self) -> int:
        """Rationales in the file, refused ones too."""
        return len(self._rows)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def spans(
        self, example: RationaleExample
    ) -> Sequence[tuple[int, int, float, bool]] | None:
        """Return (start, end, score, names an option) of each span in order, or None if
        the file has no row for this rationale, or its scores were refused.

        Raises DataError if the row is invalid, or was scored on another text.
        """
        key = row_key(example.question_id, example.sample_index)
        at = int(np.searchsorted(self._keys, np.frombuffer(key, KEY_DTYPE))[0])
        if self._keys[at : at + 1].tobytes() != key:
            return None
        number = int(self._rows[at])
        where = f"{self.path} row {number}"
        row = ScoredRationale.parse(self._read_row(number), where)
        _check_text(row, example, where)
        if row.refused is not None:
            return None
        return [(span.start, span.end, span.score, span.option) for span in row.spans]

    def _read_row(self, number: int) -> dict[str, Any]:
        group = int(np.searchsorted(self._group_starts, number, side="right")) - 1
        start = number - int(self._group_starts[group])
        return self._read_group(group)[start]

    def _read_group(self, group: int) -> list[dict[str, Any]]:
        if self._last_group is not None and self._last_group[0] == group:
            return self._last_group[1]
        try:
            rows = list(self._file.valid_rows(groups=[group]))
        except DataError as error:
            raise DataError(f"{error} {_REMEDY}") from error
        self._last_group = (group, rows)
        return rows


def _check_text(row: ScoredRationale, example: RationaleExample, where: str) -> None:
    name = f"{where}: question {example.question_id!r} sample {example.sample_index}"
    digest = rationale_digest(example.rationale)
    if digest != row.rationale_digest:
        raise DataError(
            f"{name}: the scored text has digest {row.rationale_digest:.12}…, that of "
            f"this build {digest:.12}…. Attribute a student of this build."
        )
    length = len(example.rationale)
    if row.spans and row.spans[-1].end > length:
        raise DataError(
            f"{name}: a span ends at {row.spans[-1].end}, and the rationale has "
            f"{length} characters. {_REMEDY}"
        )


def _read_info(schema: pa.Schema, path: Path) -> ScoresInfo:
    text = (schema.metadata or {}).get(_INFO_KEY)
    if text is None:
        raise _no_scores_file(path, schema)
    where = f"{path}: metadata"
    try:
        value = parse_record_json(text)
    except JsonFault as error:
        raise DataError(f"{where}: not JSON: {error}. {_REMEDY}") from error
    if not isinstance(value, dict):
        raise DataError(f"{where} is {short_repr(value)}, not a JSON object. {_REMEDY}")
    check_format(value.get("format_version"), str(path), newest=SCORES_VERSION)
    info = ScoresInfo.parse(value, where)
    if not schema.equals(_columns_of(info.format_version)):
        raise _no_scores_file(path, schema)
    if info.needs_bounds and info.bounds is None:
        raise DataError(
            f"{where}: no bounds, which scores by {info.method} of version "
            f"{info.format_version} have. {_REMEDY}"
        )
    return info


def _no_scores_file(path: Path, schema: pa.Schema) -> DataError:
    return DataError(
        f"{path}: not a scores file: its columns are {schema.names}. {_REMEDY}"
    )


def _columns_of(version: int) -> pa.Schema:
    """Return the columns of a scores file of a version."""
    schema = arrow_schema(ScoredRationale)
    if version >= SCORES_VERSION:
        return schema
    return pa.schema(
        [field for field in schema if field.name not in ROW_FIELDS_OF_VERSION_2]
    )


def _read_index(
    file: ParquetRows, path: Path
) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Return the sorted keys of all rows, and the row number of each."""
    buffer = bytearray()
    for number, row in enumerate(file.valid_rows(["question_id", "sample_index"])):
        question_id, sample_index = row["question_id"], row["sample_index"]
        if question_id is None or sample_index is None:
            raise DataError(
                f"{path} row {number}: no question_id or sample_index. {_REMEDY}"
            )
        buffer += row_key(question_id, sample_index)
    keys: NDArray[np.bytes_] = np.frombuffer(bytes(buffer), KEY_DTYPE)
    rows = np.argsort(keys, kind="stable")
    keys = keys[rows]
    repeated = np.flatnonzero(keys[1:] == keys[:-1])
    if len(repeated):
        first, second = rows[repeated[0]], rows[repeated[0] + 1]
        raise DataError(
            f"{path} row {second}: the same rationale as row {first}. {_REMEDY}"
        )
    return keys, rows


def _read_refused(
    file: ParquetRows, info: ScoresInfo, path: Path
) -> tuple[RefusedRationale, ...]:
    """Return the rationales whose scores failed a bound, in the order of the file.

    Raises DataError if the scores of another row fail one too.
    """
    if info.format_version < SCORES_VERSION:
        return ()
    known = {refusal.value for refusal in Refusal}
    refused = []
    columns = ["question_id", "sample_index", "refused", *_MEASURED]
    for number, row in enumerate(file.valid_rows(columns)):
        bound = row["refused"]
        if bound is None:
            _check_converged(row, info, f"{path} row {number}")
            continue
        if bound not in known:
            raise DataError(
                f"{path} row {number}: refused is {short_repr(bound)}, expected one of "
                f"{sorted(known)}. {_REMEDY}"
            )
        refused.append(
            RefusedRationale(row["question_id"], row["sample_index"], Refusal(bound))
        )
    if len(refused) != info.num_refused:
        raise DataError(
            f"{path}: {len(refused)} rows are refused, but its metadata counts "
            f"{info.num_refused}. {_REMEDY}"
        )
    return tuple(refused)


def _check_converged(row: Mapping[str, Any], info: ScoresInfo, where: str) -> None:
    """Raise DataError if the scores of a row fail a bound of their own file."""
    if info.bounds is None:
        return
    failed = info.bounds.find_refusal(*(row[name] for name in _MEASURED))
    if failed is not None:
        measured = ", ".join(f"{name} {row[name]!r}" for name in _MEASURED)
        raise DataError(
            f"{where}: not refused, but its scores ({measured}) fail a bound of the file, "
            f"{failed.value}. {_REMEDY}"
        )
