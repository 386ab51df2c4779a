"""Two variants of a build, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.question import (
    VariantRowView,
    parse_variant_row,
    view_row,
)
from cotbuild.builder.view.question_rows import (
    FoundRow,
    move_position,
    read_question_rows,
    read_rows_from,
)
from cotbuild.builder.view.tables import RowTable, open_table
from cotbuild.builder.view.variant_marks import VariantMarker, find_rationale
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_set import VariantEntry

CHUNK_ROWS = 100
"""Rows that are read and compared at once."""
MAX_LOOKED_AT = 1_000
"""Rows of a variant that are looked at for a page of rows that differ."""
PAGE_ROWS = 10

RowKey = tuple[str, int, str | None]
"""Question id, sample index and task of a row."""


@dataclass(frozen=True)
class VariantSide:
    """One of two variants, with its counts."""

    spec: VariantSpec
    entry: VariantEntry


@dataclass(frozen=True)
class RowPair:
    """The rows that two variants made of the same sample of a question."""

    position: int
    """Of the first variant's row, from 0."""
    rationale: Rationale
    first: VariantRowView
    second: VariantRowView | None
    """None if the other variant has no such row."""
    is_same: bool
    """Whether both have the same rationale; where it stands may differ."""


@dataclass(frozen=True)
class VariantComparison:
    """Two variants of a build and a page of their rows."""

    first: VariantSide
    second: VariantSide
    pairs: tuple[RowPair, ...]
    num_looked_at: int
    """Rows of the first variant that the page was chosen from."""
    num_rows: int
    """All rows of the first variant in the split."""
    next: int | None
    """Position at which the next page starts; None if there is none."""


def compare_variants(
    database: Database,
    build: StoredBuild,
    first: str,
    second: str,
    *,
    start: int = 0,
    limit: int = PAGE_ROWS,
    only_differing: bool = False,
) -> VariantComparison:
    """Compare the rows of two variants from a position of the first one on.

    With `only_differing` rows whose rationale is the same are left out; up to
    MAX_LOOKED_AT rows are looked at for a page. Raises ConfigError if there is no such
    variant, DataError, QueryStopped.
    """
    reader = _PairReader(database, build, build.spec(first), build.spec(second))
    pairs: list[RowPair] = []
    at = start = max(0, start)
    while at < min(reader.num_rows, start + MAX_LOOKED_AT) and len(pairs) < limit:
        chunk = CHUNK_ROWS if only_differing else limit - len(pairs)
        for pair in reader.read(at, chunk):
            at = pair.position + 1
            if not (only_differing and pair.is_same):
                pairs.append(pair)
            if len(pairs) == limit:
                break
    return VariantComparison(
        first=_side(build, first),
        second=_side(build, second),
        pairs=tuple(pairs),
        num_looked_at=at - start,
        num_rows=reader.num_rows,
        next=at if at < reader.num_rows else None,
    )


def _side(build: StoredBuild, name: str) -> VariantSide:
    variants = build.manifest.variants
    assert variants is not None, "the build has this variant"
    entry = next(one for one in variants.variants if one.name == name)
    return VariantSide(build.spec(name), entry)


class _PairReader:
    """Reads rows of one variant with those of another, and the rationales of both."""

    def __init__(
        self,
        database: Database,
        build: StoredBuild,
        first: VariantSpec,
        second: VariantSpec,
    ) -> None:
        self._database = database
        self._build = build
        self._specs = first, second
        self._tables = open_table(build, first.name), open_table(build, second.name)
        self._rationales = open_table(build)
        self._marker = VariantMarker(build)

    @property
    def num_rows(self) -> int:
        return self._tables[0].num_rows

    def read(self, start: int, count: int) -> Sequence[RowPair]:
        """Return `count` pairs from a position of the first variant on."""
        found = read_rows_from(self._database, self._tables[0], start, count)
        if not found:
            return []
        ids = list(dict.fromkeys(one.values["question_id"] for one in found))
        rationales = {
            (one.values["question_id"], one.values["sample_index"]): one
            for one in self._read_others(self._rationales, ids, found[0].position)
        }
        others = {
            _key(one): one
            for one in self._read_others(self._tables[1], ids, found[0].position)
        }
        pairs = []
        for one in found:
            row = rationales.get(
                (one.values["question_id"], one.values["sample_index"])
            )
            if row is not None:
                pairs.append(self._pair(one, others.get(_key(one)), row))
        return pairs

    def _read_others(
        self, table: RowTable, ids: Sequence[str], position: int
    ) -> list[FoundRow]:
        near = move_position(position, self._tables[0], table)
        return read_question_rows(self._database, table, ids, near)

    def _pair(
        self, found: FoundRow, other: FoundRow | None, rationale: FoundRow
    ) -> RowPair:
        where = f"{self._build.folder}/{RATIONALES} row {rationale.position}"
        original = Rationale.parse(rationale.values, where)
        first, second = self._specs
        row = parse_variant_row(self._build, first, found)
        view = view_row(self._marker, first, original, row, first.name)
        if other is None:
            return RowPair(found.position, original, view, None, is_same=False)
        other_row = parse_variant_row(self._build, second, other)
        other_view = view_row(self._marker, second, original, other_row, second.name)
        question = original.question_record()
        is_same = find_rationale(first, question, row) == find_rationale(
            second, question, other_row
        )
        return RowPair(found.position, original, view, other_view, is_same)


def _key(found: FoundRow) -> RowKey:
    values = found.values
    return values["question_id"], values["sample_index"], values["task"]
