"""The workers that a run starts: at their places, again where one was lost, no more
where one cannot go on.
"""

import re

import pytest

from cotbuild.builder.generate.workers.team import MAX_LOSSES, PAUSES_S, WorkerTeam
from cotbuild.builder.launchers.base import WorkerCommand, WorkerExit
from cotbuild.schemas.errors import ConfigError, CotbuildError, TeacherError


class FakeLauncher:
    """Workers that end as a test says."""

    def __init__(self, found: tuple[str, ...] = ()) -> None:
        self.commands: list[WorkerCommand] = []
        self.names = list(found)
        self.exits: list[WorkerExit] = []
        self.is_drained = False

    def launch(self, command: WorkerCommand) -> None:
        self.commands.append(command)
        self.names.append(command.name)

    def poll(self) -> list[WorkerExit]:
        exits, self.exits = self.exits, []
        return exits

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(self.names)

    def drain(self) -> None:
        self.is_drained = True

    def stop(self) -> None:
        self.names.clear()

    def end(self, place: int, exit_code: int | None, message: str = "gone") -> None:
        """Have the worker at a place end."""
        [name] = [name for name in self.names if name.startswith(f"worker-{place}-")]
        self.names.remove(name)
        self.exits.append(WorkerExit(name, exit_code, message))


class Team:
    """A team of two with what it says and gives back."""

    def __init__(self, found: tuple[str, ...] = ()) -> None:
        self.launcher = FakeLauncher(found)
        self.lines: list[str] = []
        self.given_back: list[str] = []
        self.now_s = 0.0
        self.team = WorkerTeam(
            self.launcher,
            ["worker", "b"],
            [{"GPU": "0"}, {"GPU": "1"}],
            self.given_back.append,
            self.lines.append,
            clock=lambda: self.now_s,
        )

    def places(self) -> list[str]:
        return sorted(name.split("-")[1] for name in self.launcher.names)


def test_each_place_has_a_worker_with_its_variables_and_a_name_of_its_own() -> None:
    it = Team()
    assert it.team.fill([]) == 2
    assert it.team.fill([]) == 0
    first, second = it.launcher.commands
    assert (first.environment, second.environment) == ({"GPU": "0"}, {"GPU": "1"})
    assert first.arguments == ("worker", "b", "--id", first.name)
    assert re.fullmatch(r"worker-1-[0-9a-f]{4}", first.name)
    assert re.fullmatch(r"worker-2-[0-9a-f]{4}", second.name)


def test_a_worker_that_an_earlier_run_left_keeps_its_place() -> None:
    it = Team(found=("worker-2-abcd", "another"))
    assert it.team.fill([]) == 1
    assert it.launcher.commands[0].environment == {"GPU": "0"}


def test_a_lost_worker_gives_its_units_back_and_is_replaced_after_a_pause() -> None:
    it = Team()
    it.team.fill([])
    for number, pause_s in enumerate(PAUSES_S):
        it.launcher.end(1, None, "killed by SIGKILL")
        it.team.notice()
        assert len(it.given_back) == number + 1
        if pause_s:
            it.now_s += pause_s - 1
            assert it.team.fill([]) == 0
            assert it.team.is_pausing
            it.now_s += 1
        assert it.team.fill([]) == 1
        assert not it.team.is_pausing
    it.launcher.end(1, None, "killed by SIGKILL")
    it.team.notice()
    it.now_s += 1_000
    assert it.team.fill([]) == 0
    assert not it.team.is_pausing
    assert it.places() == ["2"]
    name = it.given_back[0]
    assert it.lines[0] == (
        f"{name} was lost: killed by SIGKILL; its units go to others"
    )
    with pytest.raises(TeacherError, match="was lost 4 times: killed by SIGKILL"):
        it.team.raise_failure()


def test_losses_before_an_answer_count_at_each_place_alone() -> None:
    it = Team()
    for _ in range(2 * MAX_LOSSES):  # place 2 answers each time, place 1 never
        it.now_s += max(PAUSES_S)
        it.team.fill([])
        it.team.fill([name for name in it.launcher.names if "worker-2-" in name])
        for place in it.places():
            it.launcher.end(int(place), None, "killed by SIGKILL")
        it.team.notice()
    it.now_s += max(PAUSES_S)
    it.team.fill([])
    assert it.places() == ["2"]


def test_a_worker_that_fails_in_a_run_with_answers_is_replaced() -> None:
    it = Team()
    it.team.fill([])
    first = it.launcher.commands[0].name
    it.team.fill([first])
    it.launcher.end(1, 1, "error: store: timeout.")
    it.team.notice()
    assert it.given_back == [first]
    assert it.team.fill([first]) == 1
    it.team.raise_failure()  # there is none


@pytest.mark.parametrize(
    ("code", "error"), [(1, TeacherError), (2, ConfigError), (130, TeacherError)]
)
def test_a_worker_that_cannot_go_on_is_not_started_again(
    code: int, error: type[CotbuildError]
) -> None:
    it = Team()
    it.team.fill([])
    it.launcher.end(2, code, "error: teacher: no such model.")
    it.team.notice()
    assert it.team.fill([]) == 0
    assert it.places() == ["1"]
    assert it.given_back == []  # it did so itself
    with pytest.raises(error, match=r"^teacher: no such model\.$"):
        it.team.raise_failure()


def test_one_that_was_drained_stays_away_and_one_that_found_nothing_comes_back() -> (
    None
):
    it = Team()
    it.team.fill([])
    it.launcher.end(1, 4)
    it.launcher.end(2, 0)
    it.team.notice()
    assert it.team.fill([]) == 1
    assert it.places() == ["2"]
    it.team.raise_failure()  # there is none
    it.team.drain()
    it.launcher.end(2, 4)
    it.team.notice()
    assert it.team.fill([]) == 0
    assert it.launcher.is_drained
