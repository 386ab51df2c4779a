"""Cutting a plan: sizes, names, bytes, and what a crash leaves of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.generate.chains import Chain
from cotbuild.builder.generate.follow import follow_chains
from cotbuild.builder.generate.workers import units
from cotbuild.builder.generate.workers.units import choose_unit_size, cut_units
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.work import MAX_UNIT, MIN_UNIT
from tests.builder.generate.test_chains import ask, elicit, no_answer
from tests.support.plans import open_board, plan_build


def chains(number: int) -> Iterator[Chain]:
    questions = [ask(str(i), f"Why {i}?") for i in range(number)]
    return follow_chains(elicit(), questions, no_answer)


@pytest.mark.parametrize(
    ("num_chains", "num_workers", "size"),
    [
        (10_000_000, 64, MAX_UNIT),
        (100_000_000, None, MAX_UNIT),
        (100_000, 64, 391),
        (2_048, 2, MIN_UNIT),
        (2_000, 2, 250),
        (1_000, 64, 16),
        (1, 1, 16),
        (1, 0, 16),
        (20_000, None, 313),
    ],
)
def test_each_worker_gets_several_units_of_a_size_that_pays(
    num_chains: int, num_workers: int | None, size: int
) -> None:
    """Below MIN_UNIT only where there are too few chains for several units a worker."""
    assert choose_unit_size(num_chains, num_workers) == size


@pytest.mark.parametrize(
    ("number", "size", "sizes"),
    [(0, 4, []), (3, 4, [3]), (4, 4, [4]), (9, 4, [4, 4, 1])],
)
def test_units_hold_every_chain(number: int, size: int, sizes: list[int]) -> None:
    cut = list(cut_units(chains(number), size))
    assert [len(unit.lines) for unit in cut] == sizes
    assert [unit.name[:6] for unit in cut] == [f"{i:06d}" for i in range(len(sizes))]
    assert len({unit.name[7:] for unit in cut}) == len(sizes)
    assert cut == list(cut_units(chains(number), size))


def test_requests_that_begin_alike_follow_each_other_within_a_unit() -> None:
    passages = [f"Passage {i % 3}. " + "word " * 80 for i in range(9)]
    questions = [ask(str(i), text + f"Why {i}?") for i, text in enumerate(passages)]
    [first, second] = cut_units(follow_chains(elicit(), questions, no_answer), 6)
    ids = [[json.loads(line)["question"]["id"] for line in unit.lines]
           for unit in (first, second)]  # fmt: skip
    assert ids == [["0", "3", "1", "4", "2", "5"], ["6", "7", "8"]]


def test_a_unit_of_long_texts_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "UNIT_BYTES", 500)
    cut = list(cut_units(chains(10), 8))
    assert sum(len(unit.lines) for unit in cut) == 10
    assert all(len(unit.lines) < 8 for unit in cut)


def test_a_plan_that_is_published_again_has_the_same_files(tmp_path: Path) -> None:
    config = BuildConfig.parse({"teacher": {"model": "scripted"}}, "test")
    first = plan_build(config, tmp_path / "a")
    assert first is not None
    files = read_all(tmp_path / "a")
    [unit, *_] = [path for path in files if "/units/" in path]
    (tmp_path / "a" / ".answers" / "work" / unit).unlink()
    assert plan_build(config, tmp_path / "a") == first
    assert read_all(tmp_path / "a") == files
    assert open_board(tmp_path / "a").find_plan() == first
    assert plan_build(config, tmp_path / "b") == first


def test_a_plan_after_one_that_was_closed_has_the_next_number(tmp_path: Path) -> None:
    config = BuildConfig.parse({"teacher": {"model": "scripted"}}, "test")
    first = plan_build(config, tmp_path)
    assert first is not None
    open_board(tmp_path).send(first.name, "closed")
    second = plan_build(config, tmp_path)
    assert second is not None
    assert second.name.startswith("plan-0002-")
    assert second.units == first.units


@pytest.mark.parametrize(
    "teacher",
    [{"window": 3}, {"revision": "b"}, {"scripted": {"length_frac": 0.5}}],
)
def test_a_plan_of_another_teacher_is_another_plan(
    tmp_path: Path, teacher: dict[str, object]
) -> None:
    """Workers read the endpoints and the window from the plan."""
    first, second = (
        BuildConfig.parse({"teacher": {"model": "scripted"} | settings}, "test")
        for settings in ({}, teacher)
    )
    plan_build(first, tmp_path)
    plan = plan_build(second, tmp_path)
    assert plan is not None
    assert plan.name.startswith("plan-0002-")
    found = open_board(tmp_path).find_plan()
    assert found is not None
    assert found.config == second


def test_a_plan_with_fewer_chains_is_another_plan(tmp_path: Path) -> None:
    config = BuildConfig.parse({"teacher": {"model": "scripted"}}, "test")
    few = plan_build(config, tmp_path, max_chains=20)
    whole = plan_build(config, tmp_path)
    assert few is not None
    assert whole is not None
    assert sum(unit.num_chains for unit in few.units) == 20
    assert whole.name.startswith("plan-0002-")
    assert sum(unit.num_chains for unit in whole.units) == whole.num_open
    assert plan_build(config, tmp_path, max_chains=whole.num_open) == whole


def test_a_plan_that_was_drained_is_not_published_again(tmp_path: Path) -> None:
    """Every worker that takes a unit of it would drain."""
    config = BuildConfig.parse({"teacher": {"model": "scripted"}}, "test")
    first = plan_build(config, tmp_path)
    assert first is not None
    open_board(tmp_path).send(first.name, "drain")
    second = plan_build(config, tmp_path)
    assert second is not None
    assert second.name.startswith("plan-0002-")


def read_all(build_dir: Path) -> dict[str, bytes]:
    """The files of a board."""
    blobs = open_board(build_dir).blobs
    return {blob.path: blobs.read(blob.path) or b"" for blob in blobs.list("")}
