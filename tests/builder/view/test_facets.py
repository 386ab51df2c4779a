"""Facets: the counts of a plain loop, under the filter that is set."""

from collections import Counter
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.facets import Facets, read_facets
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.schemas.rationale import Rationale
from tests.support.big_builds import write_big_build
from tests.support.source_tree import ROOT


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> StoredBuild:
    folder = tmp_path_factory.mktemp("facets") / "big"
    return write_big_build(folder, 700, rows_per_file=300, rows_per_group=100)


def counts_of(facets: Facets) -> dict[str, dict[str, int]]:
    return {
        facet.name: {one.value: one.count for one in facet.values}
        for facet in facets.facets
    }


def plain_counts(rows: list[Rationale]) -> dict[str, dict[str, int]]:
    return {
        "verdict": Counter(row.verdict.value for row in rows),
        "flag": Counter(flag.value for row in rows for flag in row.flags),
        "purpose": Counter(row.purpose.value for row in rows),
        "kind": Counter(row.kind.value for row in rows),
        "template": Counter(row.template for row in rows),
    }


@pytest.mark.parametrize(
    "query", [{}, {"verdict": "incorrect"}, {"flag": "cut"}, {"text": "rake 1"}]
)
def test_facets_count_the_rows_that_match(
    build: StoredBuild, query: dict[str, str]
) -> None:
    row_filter = RowFilter.from_query(query)
    rows = [
        row
        for row in build.rationales()
        if row_filter.verdict in (None, row.verdict)
        and (row_filter.flag is None or row_filter.flag in row.flags)
        and (row_filter.text or "") in row.question
    ]
    with Database([build.folder], seconds=60) as database:
        facets = read_facets(database, build, row_filter)
    assert counts_of(facets) == plain_counts(rows)
    assert facets.num_matches == len(rows)
    for facet in facets.facets:
        counts = [one.count for one in facet.values]
        assert counts == sorted(counts, reverse=True)
        chosen = [one.value for one in facet.values if one.is_chosen]
        assert chosen == ([query[facet.name]] if facet.name in query else [])


def test_other_configs_have_the_facets_of_their_columns() -> None:
    folder: Path = ROOT / "tests" / "golden" / "builds" / "row_version_3"
    build = StoredBuild.open(folder)
    with Database([folder], seconds=60) as database:
        questions = read_facets(database, build, RowFilter(config="questions"))
    assert [facet.name for facet in questions.facets] == ["kind"]
