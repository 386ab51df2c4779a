"""Two builds compared: their settings, their verdicts question by question, and the
rationales whose verdict changed.

A rationale of one build belongs to that of the other with the same question id, sample
index and text of the question. Builds of different questions share few or none, and
those that only one has are counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import JsonValue

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.view.database import Database, escape_glob
from cotbuild.builder.view.marks import MarkedText, mark_differences
from cotbuild.builder.view.question_rows import read_rows_from
from cotbuild.builder.view.tables import RowTable, open_table
from cotbuild.schemas.errors import CotbuildError, DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Rationale, Verdict
from cotbuild.schemas.record import short_repr

PAGE_ROWS = 10
MAX_SETTINGS = 100
"""Settings that differ which are listed."""

_MANIFEST_FIELDS = (
    "teacher",
    "mode",
    "extract_version",
    "grading",
    "sampling",
    "samples",
    "seed",
    "exemplars",
    "edits",
    "cotbuild",
)
"""What a manifest says about how a build was made; older builds have no settings."""


@dataclass(frozen=True)
class SettingDifference:
    """A setting that two builds do not share."""

    name: str
    """Its dotted name."""
    first: JsonValue
    second: JsonValue


@dataclass(frozen=True)
class VerdictCell:
    """How many rationales have one verdict in the first build, another in the second."""

    first: Verdict
    second: Verdict
    count: int


@dataclass(frozen=True)
class SamplePair:
    """A sample of a question in both builds."""

    first_position: int
    second_position: int
    first: Rationale
    second: Rationale
    difference: MarkedText
    """The second rationale, with what differs from the first one."""


@dataclass(frozen=True)
class BuildComparison:
    """What two builds share, and what differs."""

    settings: tuple[SettingDifference, ...]
    cells: tuple[VerdictCell, ...]
    """All cells that are not empty; none if the comparison was stopped."""
    num_only_first: int
    """Rationales that only the first build has."""
    num_only_second: int
    stopped: str | None
    """Why verdicts were not compared; None if they were."""

    @property
    def num_shared(self) -> int:
        """Rationales that both builds have."""
        return sum(cell.count for cell in self.cells)

    def count(self, first: Verdict, second: Verdict) -> int:
        """Return the number of rationales of a cell."""
        for cell in self.cells:
            if (cell.first, cell.second) == (first, second):
                return cell.count
        return 0

    @property
    def verdicts(self) -> tuple[list[Verdict], list[Verdict]]:
        """The verdicts of either build that some shared rationale has, in order."""
        firsts = {cell.first for cell in self.cells}
        seconds = {cell.second for cell in self.cells}
        return (
            [verdict for verdict in Verdict if verdict in firsts],
            [verdict for verdict in Verdict if verdict in seconds],
        )


class PairFilter(NamedTuple):
    """Which of the shared rationales to list."""

    first: Verdict | None = None
    """Their verdict in the first build; None for any."""
    second: Verdict | None = None
    changed: bool = True
    """Whether to list only those whose verdict differs."""


CHANGED = PairFilter()
"""Those whose verdict differs."""


@dataclass(frozen=True)
class PairPage:
    """Some samples that both builds have."""

    pairs: tuple[SamplePair, ...]
    next: int | None
    """`after` of the next page; None if there is none."""
    stopped: str | None


def compare_builds(
    database: Database, first: StoredBuild, second: StoredBuild
) -> BuildComparison:
    """Compare settings and verdicts of two builds; raises DataError."""
    settings = tuple(_setting_differences(first, second))
    tables = open_table(first), open_table(second)
    try:
        counted = _count_verdicts(database, *tables)
    except TimeoutError as stop:
        return BuildComparison(settings, (), 0, 0, str(stop))
    cells = [
        VerdictCell(_parse_verdict(first, one), _parse_verdict(second, other), count)
        for one, other, count in counted
        if one is not None and other is not None
    ]
    return BuildComparison(
        settings=settings,
        cells=tuple(cells),
        num_only_first=sum(count for _, other, count in counted if other is None),
        num_only_second=sum(count for one, _, count in counted if one is None),
        stopped=None,
    )


def _parse_verdict(build: StoredBuild, value: str) -> Verdict:
    try:
        return Verdict(value)
    except ValueError:
        raise DataError(
            f"{build.folder}: a rationale has the verdict {short_repr(value)}, which "
            "there is not. Run `cotbuild verify` on it."
        ) from None


_JOIN = (
    "(SELECT file_index, file_row_number, question_id, sample_index, question, verdict "
    "FROM read_parquet(?, hive_partitioning = false)) AS a {kind} JOIN "
    "(SELECT file_index, file_row_number, question_id, sample_index, question, verdict "
    "FROM read_parquet(?, hive_partitioning = false)) AS b "
    "ON a.question_id = b.question_id AND a.sample_index = b.sample_index "
    "AND a.question = b.question"
)


def _count_verdicts(
    database: Database, first: RowTable, second: RowTable
) -> list[tuple[str | None, str | None, int]]:
    """Return (verdict, verdict, count), None for a rationale that one build lacks."""
    join = _JOIN.format(kind="FULL OUTER")
    rows = database.query(
        f"SELECT a.verdict, b.verdict, count(*) FROM {join} GROUP BY ALL ORDER BY ALL",
        [_paths(first), _paths(second)],
    )
    return [(one, other, count) for one, other, count in rows]


def _paths(table: RowTable) -> list[str]:
    return [escape_glob(file.path) for file in table.files]


def read_pairs(
    database: Database,
    first: StoredBuild,
    second: StoredBuild,
    pair_filter: PairFilter = CHANGED,
    *,
    after: int | None = None,
    limit: int = PAGE_ROWS,
) -> PairPage:
    """Return rationales of both builds that match, in the order of the first build.

    `after` is the position of the last one of the page before. Raises DataError.
    """
    tables = open_table(first), open_table(second)
    try:
        places = _find_pairs(database, tables, pair_filter, after, limit + 1)
        pairs = [_read_pair(database, tables, *place) for place in places[:limit]]
    except TimeoutError as stop:
        return PairPage((), None, str(stop))
    has_more = len(places) > limit
    return PairPage(tuple(pairs), pairs[-1].first_position if has_more else None, None)


def _find_pairs(
    database: Database,
    tables: tuple[RowTable, RowTable],
    pair_filter: PairFilter,
    after: int | None,
    limit: int,
) -> list[tuple[int, int]]:
    """Return the positions in either build of the rationales that match."""
    first, second = tables
    conditions: list[str] = ["TRUE"]
    values: list[Any] = [_paths(first), _paths(second)]
    for name, verdict in (("a", pair_filter.first), ("b", pair_filter.second)):
        if verdict is not None:
            conditions.append(f"{name}.verdict = ?")
            values.append(verdict.value)
    if pair_filter.changed:
        conditions.append("a.verdict != b.verdict")
    if after is not None:
        file_index, row_number = _place(first, after)
        conditions.append("(a.file_index, a.file_row_number) > (?, ?)")
        values += [file_index, row_number]
    found = database.query(
        "SELECT a.file_index, a.file_row_number, b.file_index, b.file_row_number FROM "
        f"{_JOIN.format(kind='INNER')} WHERE {' AND '.join(conditions)} "
        f"ORDER BY a.file_index, a.file_row_number LIMIT {limit}",
        values,
    )
    return [
        (first.files[one].first + row, second.files[other].first + other_row)
        for one, row, other, other_row in found
    ]


def _place(table: RowTable, position: int) -> tuple[int, int]:
    """Return the number of the file of a row, and of the row in it."""
    for number, file in enumerate(table.files):
        if position < file.first + file.num_rows:
            return number, position - file.first
    return len(table.files), 0


def _read_pair(
    database: Database,
    tables: tuple[RowTable, RowTable],
    first_position: int,
    second_position: int,
) -> SamplePair:
    first = _read_rationale(database, tables[0], first_position)
    second = _read_rationale(database, tables[1], second_position)
    difference = mark_differences(first.rationale, second.rationale)
    return SamplePair(first_position, second_position, first, second, difference)


def _read_rationale(database: Database, table: RowTable, position: int) -> Rationale:
    [found] = read_rows_from(database, table, position, 1)
    where = f"{table.build.folder}/{RATIONALES} row {position}"
    return Rationale.parse(found.values, where)


# -- settings -----------------------------------------------------------------------------


def _setting_differences(
    first: StoredBuild, second: StoredBuild
) -> Iterator[SettingDifference]:
    """Yield the settings that differ, at most MAX_SETTINGS."""
    values = dict(_settings(first)), dict(_settings(second))
    names = sorted(values[0].keys() | values[1].keys())
    differing = [name for name in names if values[0].get(name) != values[1].get(name)]
    for name in differing[:MAX_SETTINGS]:
        yield SettingDifference(name, values[0].get(name), values[1].get(name))


def _settings(build: StoredBuild) -> Iterator[tuple[str, JsonValue]]:
    """Yield the settings of a build by dotted name, and what its manifest says beside."""
    manifest = build.manifest
    yield from _flatten("build", _made(manifest))
    try:
        settings = build.config.model_dump(mode="json")
    except CotbuildError:
        return  # a release that was made without them
    yield from _flatten("", settings)


def _made(manifest: Manifest) -> dict[str, Any]:
    fields = manifest.model_dump(mode="json", include=set(_MANIFEST_FIELDS))
    templates = {one.template: one.fingerprint[:12] for one in manifest.templates}
    source = manifest.source
    return {
        **fields,
        "templates": templates,
        "dataset": source.dataset,
        "split": source.split,
        "questions": source.num_questions,
        "source": source.checksums,
    }


def _flatten(prefix: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _flatten(f"{prefix}.{name}".lstrip("."), part)
    else:
        yield prefix, value


def changed_cells(cells: Sequence[VerdictCell]) -> int:
    """Return how many rationales have another verdict in the second build."""
    return sum(cell.count for cell in cells if cell.first is not cell.second)
