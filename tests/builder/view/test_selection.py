"""Searches that are stopped: what they found, what they say, and how they go on."""

from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.deadline import Deadline
from cotbuild.builder.view.facets import read_facets
from cotbuild.builder.view.faults import QueryStopped
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.rows import read_page
from cotbuild.builder.view.selection import Selection, select_rows
from cotbuild.builder.view.tables import open_table
from tests.support.big_builds import write_big_build


class CountedDeadline(Deadline):
    """A time that is over after a number of queries, whatever the clock says."""

    def __init__(self, num_queries: int) -> None:
        super().__init__(2.0)
        self._num_left = num_queries

    def left(self) -> float:
        if self._num_left == 0:
            raise QueryStopped(self.seconds)
        self._num_left -= 1
        return 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched") / "big"
    write_big_build(folder, 13_000, rows_per_file=12_000)
    return folder


def search(database: Database, folder: Path, text: str, num_queries: int) -> Selection:
    table = open_table(StoredBuild.open(folder))
    deadline = CountedDeadline(num_queries)
    return select_rows(database, table, RowFilter(text=text), deadline)


def test_a_stopped_search_says_what_it_searched_and_goes_on(folder: Path) -> None:
    with Database([folder], seconds=60) as database:
        first = search(database, folder, "rake 2", 2)  # one query waits for the lock
        second = search(database, folder, "rake 2", 2)
        whole = search(database, folder, "rake 2", 100)
        again = search(database, folder, "rake 2", 1)
    assert first.num_searched == 10_000
    assert first.total is None
    assert first.stopped == (
        f"stopped after 2 s: {first.num_matches:,} matched in the first 10,000 rows"
    )
    assert second.num_searched == 12_000  # to the end of the first file
    assert whole.stopped is None
    assert whole.num_searched == 13_000
    assert again.total == whole.total == whole.num_matches > first.num_matches > 0
    positions = whole.positions()
    assert first.positions().tolist() == positions[positions < 10_000].tolist()


def test_without_any_time_nothing_is_found_and_that_is_said(folder: Path) -> None:
    with Database([folder], seconds=60) as database:
        nothing = search(database, folder, "rake", 0)
    assert nothing.num_searched == nothing.num_matches == 0
    assert nothing.stopped == "stopped after 2 s: 0 matched in the first 0 rows"


def test_a_page_and_facets_without_time_say_so(folder: Path) -> None:
    build = StoredBuild.open(folder)
    with Database([folder], seconds=60) as database:
        database.seconds = 0.0
        text = RowFilter(text="rake")
        facets = read_facets(database, build, text)
        assert facets.facets == ()
        assert facets.stopped is not None
        assert facets.stopped.startswith("stopped after 0 s")
        page = read_page(database, build, text)
        assert page.rows == ()
        assert page.total is None
        assert page.stopped is not None


def test_files_that_changed_are_searched_again(tmp_path: Path) -> None:
    build = write_big_build(tmp_path / "b", 300, seed=1)
    with Database([tmp_path], seconds=60) as database:
        before = read_page(database, build, RowFilter(text="rake 7 "))
        [path] = (tmp_path / "b" / "rationales").iterdir()
        path.unlink()
        for left in (tmp_path / "b" / "manifest.json", tmp_path / "b" / "rationales"):
            left.unlink() if left.is_file() else left.rmdir()
        build = write_big_build(tmp_path / "b", 500, seed=2)
        after = read_page(
            database, StoredBuild.open(build.folder), RowFilter(text="rake 99 ")
        )
    assert before.total == 4
    assert after.total == 4
    assert after.num_rows == 500
