"""The Launcher protocol: what starts workers and notices that they ended."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class WorkerCommand(NamedTuple):
    """The command of one worker: `cotbuild worker BUILD --id NAME OPTIONS`."""

    name: str
    """Its --id, unique among the workers of a build."""
    arguments: tuple[str, ...]
    """The arguments of cotbuild, from `worker` on."""
    environment: Mapping[str, str]
    """Variables to set besides those of this process."""


class WorkerExit(NamedTuple):
    """How a worker ended."""

    name: str
    exit_code: int | None
    """None where its process was lost: a signal, a node that went away."""
    message: str
    """Its last line, or what became of it; one line, without control characters."""


class Launcher(Protocol):
    """Starts workers and notices that they ended. Not for several threads at once.

    It never decides what a worker does, and holds no state that a build needs: if it is
    lost, the workers go on.
    """

    def launch(self, command: WorkerCommand) -> None:
        """Start a worker. Raises ConfigError or TeacherError where none can be."""

    def poll(self) -> list[WorkerExit]:
        """Return the workers that ended since the last call. Does not wait."""

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the workers that were launched, or found, and have not ended."""

    def drain(self) -> None:
        """Have each worker finish the requests under way, give back its units and end."""

    def stop(self) -> None:
        """End every worker at once; returns when none is left."""
