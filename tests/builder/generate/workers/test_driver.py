"""What a run with workers gives to its launcher, and which plan it goes on with."""

from pathlib import Path

import pytest

from cotbuild.builder.generate.run import generate
from cotbuild.builder.generate.worker_options import (
    SharedStore,
    WorkersOptions,
    board_blobs,
)
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.driver import refuse_workers
from cotbuild.builder.launchers.base import Launcher, WorkerCommand, WorkerExit
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, StoreError
from tests.builder.generate.workers.test_worker import config_of
from tests.support.plans import open_board, plan_build, take_unit

PLACE = "s3://bucket/build"


class FailingLauncher:
    """Its workers end with a wrong option at once."""

    def __init__(self) -> None:
        self.commands: list[WorkerCommand] = []
        self._exits: list[WorkerExit] = []

    def launch(self, command: WorkerCommand) -> None:
        self.commands.append(command)
        self._exits.append(WorkerExit(command.name, 2, "error: no."))

    def poll(self) -> list[WorkerExit]:
        exits, self._exits = self._exits, []
        return exits

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(ended.name for ended in self._exits)

    def drain(self) -> None: ...

    def stop(self) -> None: ...


def run_and_fail(
    config: BuildConfig, out: Path, *, on_store: bool = False
) -> list[str]:
    """Run with a worker that fails; return the places that its launcher was given."""
    places: list[str] = []
    launcher = FailingLauncher()

    def make_launcher(place: str, config: BuildConfig) -> Launcher:
        del config
        places.append(place)
        return launcher

    store = SharedStore(PLACE, board_blobs(out), lambda: None) if on_store else None
    options = WorkersOptions(1, make_launcher=make_launcher, store=store)
    with pytest.raises(ConfigError, match=r"^no\.$"):
        generate(config, out, Terminal(), workers=options)
    places += [command.arguments[1] for command in launcher.commands]
    return places


@pytest.mark.parametrize("on_store", [False, True])
def test_launcher_and_workers_are_given_the_place_that_they_share(
    tmp_path: Path, on_store: bool
) -> None:
    out = tmp_path / "build"
    places = run_and_fail(config_of(tmp_path, 20), out, on_store=on_store)
    assert places == [PLACE if on_store else str(out)] * 2


def test_a_run_with_another_teacher_cuts_a_new_plan(tmp_path: Path) -> None:
    """Also while a worker holds a unit of the old one, which names the old teacher."""
    out = tmp_path / "build"
    run_and_fail(config_of(tmp_path, 20), out)
    before = open_board(out).find_plan()
    assert before is not None
    take_unit(open_board(out), before, "other")
    run_and_fail(config_of(tmp_path, 20), out)
    assert open_board(out).find_plan() == before
    wider = config_of(tmp_path, 20, teacher={"model": "scripted", "window": 3})
    run_and_fail(wider, out)
    after = open_board(out).find_plan()
    assert after is not None
    assert after.config.teacher.window == 3
    assert "closed" in open_board(out).signals(before.name)


def test_a_plan_that_was_drained_is_not_gone_on_with(tmp_path: Path) -> None:
    """Each worker that joins it would drain, though one still holds a unit of it."""
    out = tmp_path / "build"
    run_and_fail(config_of(tmp_path, 20), out)
    before = open_board(out).find_plan()
    assert before is not None
    take_unit(open_board(out), before, "other")
    open_board(out).send(before.name, "drain")
    run_and_fail(config_of(tmp_path, 20), out)
    after = open_board(out).find_plan()
    assert after is not None
    assert after.name > before.name
    assert open_board(out).signals(after.name) == set()


def test_a_run_without_workers_is_refused_while_one_has_a_unit(tmp_path: Path) -> None:
    board: Board = open_board(tmp_path)
    plan = plan_build(config_of(tmp_path, 20), tmp_path)
    assert plan is not None
    take_unit(board, plan, "other")
    refused = rf"^{PLACE}: workers are at work on it: other\."
    with pytest.raises(StoreError, match=refused):
        refuse_workers(board, PLACE)
    assert board.signals(plan.name) == set()
