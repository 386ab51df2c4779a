"""The same work on many items in several processes, with the results in order.

A child is a new interpreter, not a fork: threads of this process, such as Arrow's, do not
survive one. It is started without `multiprocessing`, which would import the caller's
script again. Items and results travel as pickles over a socket pair, whose other end
only this process holds; a child ends when it is closed.
"""

import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, TypeVar

from cotbuild.builder.cgroups import usable_cores
from cotbuild.builder.environment import child_environment
from cotbuild.schemas.errors import ConfigError, CotbuildError, StoreError

PROCESSES = "COTBUILD_PROCESSES"
"""Environment variable with the number of processes that derive rows or attribute."""
MAX_PROCESSES = 16
"""Most processes by default: reading the questions in one process takes about an eighth of
the time of deriving their rows, so that more would wait for it.
"""
MIN_ITEMS_PER_PROCESS = 4_000
"""Rows for which a process pays: it takes one to two seconds to start and import."""

YOUNG_OBJECTS = 50_000
"""Objects allocated, and not freed, between two collections of garbage."""

_CHILD = (
    "import sys; from cotbuild.builder.processes import serve; serve(int(sys.argv[1]))"
)

Setup = TypeVar("Setup")
Item = TypeVar("Item")
Result = TypeVar("Result")
OpenWork = Callable[[Setup], AbstractContextManager[Callable[[Item], Result]]]
"""Prepares the work in a process: a function of a module, which is pickled by its name."""


def map_in_order(
    open_work: OpenWork[Setup, Item, Result],
    setup: Setup,
    items: Iterable[Item],
    num_processes: int,
) -> Generator[Result, None, None]:
    """Yield the result of each item, in the order of the items.

    With one process the work is done in this one. `items` is read here, two items ahead of
    the children. Close the iterator, which ends the children. Raises what the work raises,
    at the place of its item, and StoreError if a child was killed.
    """
    if num_processes == 1:
        with open_work(setup) as work:
            yield from map(work, items)
        return
    payload = pickle.dumps((open_work, setup), pickle.HIGHEST_PROTOCOL)
    with _Children(payload, num_processes) as children:
        under_way: deque[Future[Result]] = deque()
        for item in items:
            under_way.append(children.submit(item))
            if len(under_way) >= num_processes + 2:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


class _Children:
    """Child processes, and a thread for each that waits for its results."""

    def __init__(self, payload: bytes, number: int) -> None:
        self._payload = payload
        self._number = number
        self._threads = ThreadPoolExecutor(number)
        self._all: list[_Child] = []
        self._idle: SimpleQueue[_Child] = SimpleQueue()

    def __enter__(self) -> "_Children":
        try:
            for _ in range(self._number):
                self._all.append(_Child(self._payload))
        except OSError as fault:
            self._end()
            raise StoreError(
                f"another process could not be started: {fault.strerror}. "
                f"Run the same command again with {PROCESSES}=1."
            ) from fault
        for child in self._all:
            self._idle.put(child)
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()

    def _end(self) -> None:
        for child in self._all:
            child.kill()
        # A thread that waits for a child that is gone ends.
        self._threads.shutdown(cancel_futures=True)
        for child in self._all:
            child.close()

    def submit(self, item: Any) -> "Future[Any]":
        """Have the next idle child do its work on an item."""
        return self._threads.submit(self._do, item)

    def _do(self, item: Any) -> Any:
        child = self._idle.get()
        try:
            return child.do(item)
        finally:
            self._idle.put(child)


class _Child:
    def __init__(self, payload: bytes) -> None:
        self._payload: bytes | None = payload
        own_end, child_end = socket.socketpair()
        with child_end:
            self._connection = Connection(own_end.detach())
            self._process = subprocess.Popen(
                # -P: no file of the working directory is imported.
                [sys.executable, "-P", "-c", _CHILD, str(child_end.fileno())],
                pass_fds=[child_end.fileno()],
                env=child_environment() | {"PYTHONPATH": _import_path()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Ctrl-C is for this process, which then ends its children.
                process_group=0,
            )

    def do(self, item: Any) -> Any:
        """Return the result of an item; raises what the work raised."""
        try:
            if self._payload is not None:
                self._connection.send_bytes(self._payload)
                self._payload = None
            self._connection.send_bytes(pickle.dumps(item, pickle.HIGHEST_PROTOCOL))
            is_done, value = pickle.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as fault:
            raise StoreError(self._describe_end()) from fault
        if not is_done:
            raise value
        return value

    def _describe_end(self) -> str:
        code = self._process.wait()
        how = f"ended with exit code {code}"
        if code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            how += ", as the system does where memory runs out"
        return (
            f"process {self._process.pid}, one of several that share the work, {how}. Run "
            f"the same command again, with {PROCESSES}=1 to take less memory."
        )

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close the connection; the process has ended."""
        self._connection.close()


def _import_path() -> str:
    """Return where modules are looked for here, so that a child runs the same code."""
    return os.pathsep.join(folder for folder in sys.path if folder)


def collect_garbage_rarely() -> None:
    """Have Python look for garbage in cycles a seventieth as often as by default.

    For processes that make and drop many small objects, as those that ask, derive and
    write rows: almost all of these are freed by their reference counts, and looking for
    the others took 8 % of the time of asking in a profile.
    """
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def serve(descriptor: int) -> None:
    """Do the work of a child until the other side closes the connection."""
    collect_garbage_rarely()
    with Connection(descriptor) as connection, suppress(EOFError, ConnectionError):
        reply: tuple[bool, Any]
        for reply in _replies(connection):
            connection.send_bytes(pickle.dumps(reply, pickle.HIGHEST_PROTOCOL))


def _replies(connection: "Connection[Any, Any]") -> Iterator[tuple[bool, Any]]:
    """Yield (True, result) for each item that arrives; (False, error) is the last one."""
    payload = connection.recv_bytes()
    try:
        open_work, setup = pickle.loads(payload)
        del payload
        with open_work(setup) as work:
            while True:
                try:
                    item = pickle.loads(connection.recv_bytes())
                except (EOFError, ConnectionError):
                    return
                yield True, work(item)
    except CotbuildError as fault:
        yield False, fault
    except Exception:  # noqa: BLE001  the other side raises it
        yield False, RuntimeError(f"in a child process:\n{traceback.format_exc()}")


def choose_num_processes(num_items: int) -> int:
    """Return how many processes derive a number of rows: one if they are few.

    COTBUILD_PROCESSES decides where it is set. Raises ConfigError if it is no number.
    """
    stated = os.environ.get(PROCESSES)
    if stated is None:
        return max(
            1, min(usable_cores(), num_items // MIN_ITEMS_PER_PROCESS, MAX_PROCESSES)
        )
    if not stated.isdecimal() or len(stated) > 4 or int(stated) < 1:
        raise ConfigError(
            f"{PROCESSES}={stated[:80]!r} is no number of processes. Set it to 1 or more, "
            "or leave it out."
        )
    return int(stated)
