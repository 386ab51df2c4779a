"""The failure dial of the small Hub: which request goes wrong, and how."""

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Literal, NamedTuple

from tests.support.waiting import HANG_S


class Fault(NamedTuple):
    """What happens to the `nth` request, and the `times` - 1 after it, whose `METHOD
    /path?query` matches `on`.

    `drop` closes the connection, `kill` sends SIGKILL to the process whose id stands in
    `pid_file` and then does the same, `status` answers so instead, `sneak` lets another
    commit in first, `lfs_error` refuses each object of a batch with the `error`. `drop`
    and `kill` come when `after_bytes` of the body were read, or, with `late`, once the
    request was obeyed, so that only the answer is lost.
    """

    on: str
    do: Literal["drop", "kill", "status", "sneak", "lfs_error"]
    nth: int = 1
    times: int = 1
    after_bytes: int = 0
    late: bool = False
    status: int = 500
    headers: dict[str, str] = {}  # noqa: RUF012
    error: str = "dialled"
    pid_file: str = ""

    def strike(self) -> None:
        """Kill, where that is asked for.

        The file may be written a moment after the process has begun.
        """
        if self.do != "kill":
            return
        deadline = time.monotonic() + HANG_S
        while not (
            Path(self.pid_file).is_file() and (pid := Path(self.pid_file).read_text())
        ):
            assert time.monotonic() < deadline, self.pid_file
            time.sleep(0.01)
        os.kill(int(pid), signal.SIGKILL)


class Dial:
    """Counts the requests that each fault looks for."""

    def __init__(self, faults: list[dict[str, object]]) -> None:
        self._lock = threading.Lock()
        self.set(faults)

    def set(self, faults: list[dict[str, object]]) -> None:
        """Forget what was dialled and counted before."""
        with self._lock:
            self._faults = [(Fault(**fault), [0]) for fault in faults]  # type: ignore[arg-type]

    def fault(self, request: str) -> Fault | None:
        with self._lock:
            due = [
                fault for fault, seen in self._faults if _counted(fault, seen, request)
            ]
        return due[0] if due else None


def _counted(fault: Fault, seen: list[int], request: str) -> bool:
    if not re.search(fault.on, request):
        return False
    seen[0] += 1
    return fault.nth <= seen[0] < fault.nth + fault.times
