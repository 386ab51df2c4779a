"""Workers as processes of this machine.

Each runs in a session of its own, so that neither Ctrl-C in the terminal nor the end of
the run that started it reaches it. What identifies its process is in a file, by which
the next run finds it again: a run that was killed leaves its workers at work.

.answers/logs/NAME.log       what the worker printed
.answers/workers/NAME.json   its process
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from cotbuild.builder.environment import child_environment, names_store
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.launchers.base import WorkerCommand, WorkerExit
from cotbuild.builder.process_identity import (
    identify,
    kill_session,
    open_process,
    read_boot_id,
    send_signal,
)
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.files import read_record, write_error, write_record
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.service.job import ProcessIdentity

PROGRAM = (sys.executable, "-P", "-m", "cotbuild")
"""-P: nothing is imported from the folder that it starts in."""
GRACE_S = 20.0
"""From the interrupt to SIGKILL, for a worker that ends its server."""
_POLL_S = 0.05
_MAX_TAIL_BYTES = 16 << 10
_MAX_MESSAGE_CHARS = 1_000
_left_running: list["subprocess.Popen[bytes]"] = []
"""Workers that outlive their launcher; Popen would warn of one that is forgotten."""


class WorkerRecord(Record):
    """The process of a worker."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    process: ProcessIdentity = Field(description="Its process.")


class LocalLauncher:
    """Starts workers as processes of this machine, and finds those of a killed run.

    See `Launcher`. Workers get the environment of this process without its secrets.

    Args:
        build_dir: The build that they work on.
        program: What runs the arguments of a command.
    """

    def __init__(self, build_dir: Path, program: Sequence[str] = PROGRAM) -> None:
        self._program = tuple(program)
        store = AnswerStore(build_dir)
        self._logs = store.logs
        self._records = store.root / "workers"
        self._is_draining = False
        self._running: dict[str, _Worker] = {}
        for path in sorted(self._records.glob("*.json")):
            worker = _Worker.find(path, self._log_of(path.stem))
            if worker is not None:
                self._running[path.stem] = worker

    def launch(self, command: WorkerCommand) -> None:
        """See Launcher. Raises StoreError where it cannot be started."""
        self._running[command.name] = _Worker.start(
            [*self._program, *command.arguments],
            command.environment,
            self._records / f"{command.name}.json",
            self._log_of(command.name),
        )

    def poll(self) -> list[WorkerExit]:
        """See Launcher. The first call also returns those that ended since their run."""
        exits = []
        for name, worker in list(self._running.items()):
            ended = worker.poll(name, is_draining=self._is_draining)
            if ended is not None:
                del self._running[name]
                exits.append(ended)
        return exits

    @property
    def running(self) -> tuple[str, ...]:
        """See Launcher."""
        return tuple(self._running)

    def drain(self) -> None:
        """See Launcher."""
        self._is_draining = True
        for worker in self._running.values():
            worker.send(signal.SIGUSR1)

    def stop(self) -> None:
        """See Launcher."""
        for worker in self._running.values():
            worker.send(signal.SIGINT)
        deadline_s = time.monotonic() + GRACE_S
        while self._running and time.monotonic() < deadline_s:
            self.poll()
            time.sleep(_POLL_S)
        for worker in self._running.values():
            worker.kill()
        while self._running:
            self.poll()
            time.sleep(_POLL_S)

    def _log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"


class _Worker:
    """The process of one worker, started by this launcher or by one before it.

    Args:
        process: Which process it is.
        record: The file that says so; deleted once its end is known.
        log: What it prints.
        started: Set where this launcher started it.
    """

    def __init__(
        self,
        process: ProcessIdentity,
        record: Path,
        log: Path,
        started: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        self._process = process
        self._record = record
        self._log = log
        self._started = started

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        record: Path,
        log: Path,
    ) -> "_Worker":
        """Start a process and record it; raises StoreError."""
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as output:
                started = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={
                        **child_environment(stores=names_store(command)),
                        **environment,
                    },
                    start_new_session=True,
                )
        except OSError as fault:
            raise write_error(log, fault) from fault
        _left_running.append(started)
        process = identify(started.pid, 0)
        try:
            write_record(record, WorkerRecord(process=process))
        except StoreError:  # no run would find it
            kill_session(process)
            started.wait()
            _left_running.remove(started)
            raise
        return cls(process, record, log, started)

    @classmethod
    def find(cls, record: Path, log: Path) -> "_Worker | None":
        """Return the worker of a record; None if it was started on another machine.

        That may also be this machine before it was started anew.
        """
        try:
            found = read_record(record, WorkerRecord, remedy="")
        except DataError:  # not one of ours
            return None
        if found is None or found.process.boot_id != read_boot_id():
            return None
        return cls(found.process, record, log)

    def poll(self, name: str, *, is_draining: bool) -> WorkerExit | None:
        """Return how it ended; None while it runs."""
        if self._started is None:
            with self._open() as descriptor:
                if descriptor is not None:
                    return None
            self._record.unlink(missing_ok=True)
            return self._end_of_found(name, is_draining=is_draining)
        code = self._started.poll()
        if code is None:
            return None
        _left_running.remove(self._started)
        self._record.unlink(missing_ok=True)
        if is_draining and code == -signal.SIGUSR1:
            # The signal came before the worker could handle it.
            return WorkerExit(name, ExitCode.PAUSED, "drained before it began")
        if code < 0:
            return WorkerExit(name, None, f"killed by {signal.Signals(-code).name}")
        return WorkerExit(name, code, read_last_line(self._log))

    def _end_of_found(self, name: str, *, is_draining: bool) -> WorkerExit:
        """Return how a worker ended that an earlier run started.

        Its exit code is not to be had: who is no parent sees only that it is gone. The
        last line of a worker that ends by itself begins with its name.
        """
        last_line = read_last_line(self._log)
        if last_line.startswith(f"{name}: "):
            code = ExitCode.PAUSED if is_draining else ExitCode.DONE
            return WorkerExit(name, code, last_line)
        message = f"ended while no run watched it: {last_line}".removesuffix(": ")
        return WorkerExit(name, None, message)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        with self._open() as descriptor:
            if descriptor is not None:
                send_signal(descriptor, number)

    def kill(self) -> None:
        """Kill its whole session."""
        kill_session(self._process)

    @contextlib.contextmanager
    def _open(self) -> Iterator[int | None]:
        descriptor = open_process(self._process)
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)


def read_last_line(log: Path) -> str:
    """Return the last line of a log that is not blank; empty if there is none.

    Hidden characters are escaped, and a long line is cut.
    """
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MAX_TAIL_BYTES))
            tail = file.read(_MAX_TAIL_BYTES)
    except OSError:
        return ""
    lines = tail.decode("utf-8", "replace").splitlines()
    last = next((line for line in reversed(lines) if line.strip()), "")
    return escape_hidden(last[:_MAX_MESSAGE_CHARS])
