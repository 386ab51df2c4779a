"""Evaluations: results by outcome, and what changed between two of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.view.compare_evaluations import (
    Change,
    EvaluationComparison,
    compare_evaluations,
)
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.evaluation import Outcome, view_evaluation
from cotbuild.schemas.errors import DataError
from tests.support.evaluations import result, write_results

FIRST = ["B", "A", "A", "B", "A", None]
SECOND = ["B", "B", "A", "A", None, None]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two evaluations of the same questions, and one of others."""
    folder = tmp_path_factory.mktemp("evaluations [x]*")
    for name, choices in (("first", FIRST), ("second", SECOND)):
        write_results(folder / name, [result(*one) for one in enumerate(choices)])
    others = [result(0, "A", target="A"), result(7, "B"), result(1, "A")]
    write_results(folder / "others", others, rows="2" * 64)
    return folder


@pytest.fixture(scope="module")
def database(root: Path) -> Iterator[Database]:
    with Database([root]) as opened:
        yield opened


def compare(
    database: Database, root: Path, change: Change, after: int = -1, limit: int = 25
) -> EvaluationComparison:
    """The first evaluation compared with the second."""
    first, second = root / "first", root / "second"
    return compare_evaluations(
        database, first, second, change=change, after=after, limit=limit
    )


@pytest.mark.parametrize(
    ("outcome", "ids"),
    [
        (None, ["q0", "q1", "q2", "q3", "q4", "q5"]),
        (Outcome.RIGHT, ["q0", "q3"]),
        (Outcome.WRONG, ["q1", "q2", "q4", "q5"]),
        (Outcome.UNANSWERED, ["q5"]),
        (Outcome.UNGRADED, []),
    ],
)
def test_results_by_outcome(
    database: Database, root: Path, outcome: Outcome | None, ids: list[str]
) -> None:
    view = view_evaluation(database, root / "first", outcome=outcome)
    assert [one.result.question_id for one in view.results] == ids
    assert view.counts[Outcome.WRONG] == 4
    assert view.counts[Outcome.UNANSWERED] == 1


def test_pages_of_results_hold_every_one_once(database: Database, root: Path) -> None:
    found, after = [], -1
    while True:
        view = view_evaluation(database, root / "first", after=after, limit=4)
        found += [one.result.question_id for one in view.results]
        if view.next is None:
            break
        after = view.next
    assert found == ["q0", "q1", "q2", "q3", "q4", "q5"]


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        (Change.FIXED, ["q1"]),
        (Change.BROKEN, ["q3"]),
        (Change.OTHER_WRONG, ["q4"]),
        (Change.SAME_WRONG, ["q2", "q5"]),
        (Change.BOTH_RIGHT, ["q0"]),
        (Change.UNGRADED, []),
    ],
)
def test_questions_by_change(
    database: Database, root: Path, change: Change, ids: list[str]
) -> None:
    found = compare(database, root, change)
    assert [pair.first.result.question_id for pair in found.pairs] == ids
    assert [pair.second.result.question_id for pair in found.pairs] == ids
    assert found.counts[change] == len(ids)
    assert found.is_same_questions


def test_the_test_is_mcnemars(database: Database, root: Path) -> None:
    test = compare(database, root, Change.FIXED).test
    assert test is not None
    assert (test.only_a, test.only_b, test.num_questions, test.p) == (1, 1, 6, 1.0)


def test_pages_of_changes_go_on(database: Database, root: Path) -> None:
    page = compare(database, root, Change.SAME_WRONG, limit=1)
    assert page.next == 2
    rest = compare(database, root, Change.SAME_WRONG, after=page.next, limit=1)
    assert [one.first.result.question_id for one in rest.pairs] == ["q5"]
    assert rest.next is None


def test_only_equal_questions_and_targets_are_compared(
    database: Database, root: Path
) -> None:
    found = compare_evaluations(database, root / "first", root / "others")
    assert not found.is_same_questions
    assert sum(found.counts.values()) == 1
    assert (found.num_only_first, found.num_only_second) == (5, 2)


def test_another_file_is_refused(database: Database, tmp_path: Path) -> None:
    folder = write_results(tmp_path / "e", [result(0, "A")])
    (folder / "student.parquet").write_bytes(b"PAR1 no results PAR1")
    with pytest.raises(DataError, match="not Parquet, or damaged"):
        view_evaluation(database, folder)
