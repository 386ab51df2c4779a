"""Scores files: how much each part of a rationale mattered to a student. What
attribution writes, what `top` reads.

One parquet file, a row a rationale in the order of the build, its spans in the order of
the text. What made the scores stands once, as JSON in the file's metadata. Offsets
count characters of the rationale as published; its digest tells one that has changed
since.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cotbuild.builder.storage.keys import KEY
from cotbuild.builder.storage.parquet import ROWS_PER_GROUP, arrow_schema
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.schemas.attribution import ScoredRationale, ScoresInfo, rationale_digest
from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.files import fsync_path
from cotbuild.schemas.record import check_format

_INFO_KEY = b"cotbuild.scores"


def row_key(question_id: str, sample_index: int) -> bytes:
    """16 bytes that name a rationale, the same in every build."""
    name = question_id.encode("utf-8", "surrogatepass")
    return sha256(b"%d:%s/%d" % (len(name), name, sample_index)).digest()[:16]


def write_scores(path: Path, info: ScoresInfo, rows: Iterable[ScoredRationale]) -> int:
    """Write a scores file, whole or not at all; how many rows.

    Raises StoreError where it cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            count = _write(part, info, iter(rows))
            fsync_path(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: {error}. Expected room to write the scores."
        ) from error
    return count


def _write(path: Path, info: ScoresInfo, rows: Iterator[ScoredRationale]) -> int:
    schema = arrow_schema(ScoredRationale).with_metadata(
        {_INFO_KEY: info.model_dump_json()}
    )
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := [
            row.model_dump(mode="json") for row in islice(rows, ROWS_PER_GROUP)
        ]:
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


class ScoresFile:
    """A scores file, any row at hand: 24 bytes a row in memory, and the group of 1,000
    rows last asked for.

    Fast for who asks in the order of the file; in any other order each row costs the
    reading of its group. Raises DataError where the file is no such file, or has two
    rows for one rationale.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
            self.info = _info_of(self._file.schema_arrow, path)
            self._keys, self._rows = _index(self._file, path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: {error}. Expected a scores file.") from error
        meta = self._file.metadata
        sizes = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
        self._starts: NDArray[np.int64] = np.cumsum([0, *sizes], dtype=np.int64)
        self._group: tuple[int, pa.Table | None] = (-1, None)

    def close(self) -> None:
        self._file.close()

    def spans(
        self, example: RationaleExample
    ) -> Sequence[tuple[int, int, float, bool]] | None:
        """(start, end, score, names an option) in order; None: the file has no row for
        this rationale.

        Raises DataError, with file and row, where the row is not for the rationale's
        text as it is.
        """
        key = row_key(example.question_id, example.sample_index)
        at = int(np.searchsorted(self._keys, np.frombuffer(key, KEY))[0])
        if self._keys[at : at + 1].tobytes() != key:
            return None
        number = int(self._rows[at])
        where = f"{self.path} row {number}"
        row = ScoredRationale.parse(self._row(number, where), where)
        _check_fits(row, example, where)
        return [(span.start, span.end, span.score, span.option) for span in row.spans]

    def _row(self, number: int, where: str) -> dict[str, object]:
        group = int(np.searchsorted(self._starts, number, side="right")) - 1
        if self._group[0] != group:
            try:
                self._group = (group, self._file.read_row_group(group))
            except (pa.ArrowException, OSError) as error:
                raise DataError(
                    f"{where}: {error}. Expected a whole scores file."
                ) from error
        table = self._group[1]
        assert table is not None
        row: dict[str, object] = table.slice(
            number - int(self._starts[group]), 1
        ).to_pylist()[0]
        return row


def _check_fits(row: ScoredRationale, example: RationaleExample, where: str) -> None:
    found = f"{where}: question {example.question_id!r} sample {example.sample_index}"
    if (expected := rationale_digest(example.rationale)) != row.rationale_digest:
        raise DataError(
            f"{found}: scored was a text with digest {row.rationale_digest:.12}…. "
            f"Expected that of this build, {expected:.12}…. Score this build."
        )
    if row.spans and row.spans[-1].end > len(example.rationale):
        raise DataError(
            f"{found}: a span ends at {row.spans[-1].end}. "
            f"Expected at most {len(example.rationale)}, the characters of the rationale."
        )


def _info_of(schema: pa.Schema, path: Path) -> ScoresInfo:
    text = (schema.metadata or {}).get(_INFO_KEY)
    expected = arrow_schema(ScoredRationale)
    if text is None or not schema.equals(expected):
        raise DataError(
            f"{path}: columns {schema.names}. Expected a scores file, as attribution writes it."
        )
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError(
            f"{path}: metadata {text[:80]!r} is not JSON. Expected what made the scores."
        ) from error
    where = f"{path}: metadata"
    if not isinstance(value, dict):
        raise DataError(f"{where} is {value!r:.80}. Expected what made the scores.")
    check_format(value.get("format_version"), str(path))
    return ScoresInfo.parse(value, where)


def _index(
    file: pq.ParquetFile, path: Path
) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Keys in order, and the row of each."""
    keys = bytearray()
    for batch in file.iter_batches(columns=["question_id", "sample_index"]):
        ids, indexes = (batch.column(i).to_pylist() for i in range(2))
        for number, (question_id, sample_index) in enumerate(
            zip(ids, indexes, strict=True), len(keys) // 16
        ):
            if question_id is None or sample_index is None:
                raise DataError(
                    f"{path} row {number}: no question_id or sample_index. Expected both."
                )
            keys += row_key(question_id, sample_index)
    found: NDArray[np.bytes_] = np.frombuffer(bytes(keys), KEY)
    order = np.argsort(found, kind="stable")
    found = found[order]
    again = np.flatnonzero(found[1:] == found[:-1])
    if len(again):
        one, other = order[again[0]], order[again[0] + 1]
        raise DataError(
            f"{path} row {other}: the rationale of row {one} again. Expected one row a rationale."
        )
    return found, order
