"""What signals do to a command.

SIGINT (Ctrl-C) and SIGTERM end it at once: journal sealed, server stopped, exit 130.
SIGUSR1 drains it: a command that asks a teacher sends no further request, stores what is
under way and ends with exit 4; every other one goes on. SIGTERM drains a worker too:
Slurm and Kubernetes send it some time before they end a process.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from cotbuild.builder.generate.drain import Drain

DRAIN = Drain()
"""The wish of SIGUSR1, for the command that this process runs."""


def install_signal_handlers() -> None:
    """Handle the signals of this process; called once, by the program."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGUSR1, _drain)


@contextmanager
def worker_signals() -> Iterator[None]:
    """Handle the signals of a worker: SIGTERM drains, SIGINT ends it at once.

    SIGINT does so in the background too, where a shell has it ignored: whoever started
    the worker stops it with that.
    """
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, _drain),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drain(number: int, frame: object) -> None:  # noqa: ARG001
    DRAIN.request()


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    """End a run at SIGTERM as at Ctrl-C, once.

    A second SIGTERM, such as the one that make passes on, would raise an exception in
    the middle of the clean-up of the first; a second Ctrl-C still does.

    A shell makes commands in the background ignore SIGINT, which is undone here so
    that the signal raised has its effect.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)
