"""The workers that a run starts: as many as it wants, and again where one was lost."""

import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.launchers.base import Launcher, WorkerCommand, WorkerExit
from cotbuild.schemas.errors import ConfigError, CotbuildError, TeacherError

PAUSES_S = (0.0, 5.0, 30.0)
"""Seconds from the first, second and third loss in a row at a place to the next start.
After a fourth the place stays empty.
"""
MAX_LOSSES = len(PAUSES_S)
"""How often a worker that is lost before it has an answer is replaced."""
_NAME = re.compile(r"worker-(\d+)-[0-9a-f]{4}")


class WorkerTeam:
    """Keeps the workers of a run at work.

    Each has a place, numbered from 1, with the GPUs that belong to it, and a name that
    no earlier worker of the build had, so that its leases are its own.

    Args:
        launcher: Starts them.
        arguments: The arguments of `cotbuild` that all of them get, without --id.
        environments: The variables of each place; as many workers are started.
        give_back: Gives back the units of a worker that was lost, by its name.
        say: Receives a line about each that was lost or failed.
        clock: Returns seconds, from any start.
    """

    def __init__(
        self,
        launcher: Launcher,
        arguments: Sequence[str],
        environments: Sequence[Mapping[str, str]],
        give_back: Callable[[str], object],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._launcher = launcher
        self._arguments = tuple(arguments)
        self._environments = list(environments)
        self._give_back = give_back
        self._say = say
        self._clock = clock
        self._closed: set[int] = set()
        """Places whose worker is not started again."""
        self._losses: Counter[int] = Counter()
        self._start_after_s: dict[int, float] = {}
        """When a place whose worker was lost gets the next one."""
        self._names: set[str] = set()
        self._answered: set[str] = set()
        """Workers of this team that have an answer."""
        self.ended: set[str] = set()
        """Names of the workers that ended."""
        self.failure: WorkerExit | None = None
        """How the last one ended that cannot go on."""

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the workers at work."""
        return self._launcher.running

    @property
    def is_pausing(self) -> bool:
        """Whether a place gets a worker again after a pause."""
        return bool(self._start_after_s.keys() - self._closed)

    def notice(self) -> None:
        """Take note of the workers that ended, and give back what lost ones leased."""
        for worker in self._launcher.poll():
            self.ended.add(worker.name)
            place = _place_of(worker.name)
            if self._is_loss(worker):
                self._give_back(worker.name)
                self._note_loss(worker, place)
            elif worker.exit_code not in (ExitCode.DONE, ExitCode.PAUSED):
                self._fail(worker, place)
            elif worker.exit_code == ExitCode.PAUSED:
                self._close(place)

    def fill(self, answered: Collection[str]) -> int:
        """Start a worker at each place that has none; return how many.

        A place whose worker was lost may wait before it gets the next. `answered`: the
        names of all workers that have an answer; the losses before it do not count at
        their places. Raises what the launcher raises.
        """
        self._names.update(self.running)
        self._answered = self._names.intersection(answered)
        taken = {_place_of(name) for name in self.running} | self._closed
        now_s, num_started = self._clock(), 0
        for place, environment in enumerate(self._environments, start=1):
            if place in taken or now_s < self._start_after_s.get(place, now_s):
                continue
            self._start_after_s.pop(place, None)
            num_started += 1
            name = f"worker-{place}-{secrets.token_hex(2)}"
            arguments = (*self._arguments, "--id", name)
            self._launcher.launch(WorkerCommand(name, arguments, environment))
            self._names.add(name)
        return num_started

    def drain(self) -> None:
        """Have each finish what is under way and end; none is started again."""
        self._closed.update(range(1, len(self._environments) + 1))
        self._launcher.drain()

    def raise_failure(self) -> None:
        """Raise what the last worker said that cannot go on, if there was one."""
        if self.failure is not None:
            raise _to_error(self.failure)

    def _is_loss(self, worker: WorkerExit) -> bool:
        """Whether another worker may do better at the place of one that ended.

        So it is where a process died, and where one failed in a run that has answers: a
        store or a server may be back soon. Where nothing was answered yet, the next
        would fail as well.
        """
        if worker.exit_code == ExitCode.FAILED:
            return bool(self._answered)
        return worker.exit_code is None

    def _note_loss(self, worker: WorkerExit, place: int | None) -> None:
        self._say(f"{worker.name} was lost: {worker.message}; its units go to others")
        if place is None:
            return
        if worker.name in self._answered:
            self._losses[place] = 0
        self._losses[place] += 1
        if self._losses[place] > MAX_LOSSES:
            self._fail(worker, place)
        else:
            pause_s = PAUSES_S[self._losses[place] - 1]
            self._start_after_s[place] = self._clock() + pause_s

    def _fail(self, worker: WorkerExit, place: int | None) -> None:
        self.failure = worker
        self._say(f"{worker.name} cannot go on: {worker.message}")
        self._close(place)

    def _close(self, place: int | None) -> None:
        if place is not None:
            self._closed.add(place)


def _place_of(name: str) -> int | None:
    """Return the place of a worker; None for one that a team did not name."""
    found = _NAME.fullmatch(name)
    return None if found is None else int(found[1])


def _to_error(worker: WorkerExit) -> CotbuildError:
    message = worker.message.removeprefix("error: ") or "it ended without a line"
    if worker.exit_code == ExitCode.USAGE:
        return ConfigError(message)
    if worker.exit_code is None:
        return TeacherError(f"{worker.name} was lost {MAX_LOSSES + 1} times: {message}")
    return TeacherError(message)
