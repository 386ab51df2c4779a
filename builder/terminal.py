"""Progress on stderr: a live bar on a terminal, else one line at most every five
seconds.
"""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from cotbuild.builder.generate.ask import OnStep
from cotbuild.builder.generate.chains import Chain
from cotbuild.schemas.completion import Answer, Completion
from cotbuild.schemas.rationale import Verdict

LINE_EVERY_S = 5.0
BAR_EVERY_S = 0.1
BYTES = "bytes"
"""Counted under a name that begins so, they are told in MB."""


class Counts:
    """What a run has had so far."""

    def __init__(self, total: int, started: float) -> None:
        self.total, self.started = total, started
        self.done, self.tokens = 0, 0
        self.verdicts: Counter[str] = Counter()

    def line(self, now: float) -> str:
        """`120/512 · correct 61, incorrect 50 · 310 tok/s · 1:05 left`."""
        spent = max(now - self.started, 1e-6)
        verdicts = ", ".join(
            f"{v.value} {self.verdicts[v.value]}"
            for v in Verdict
            if self.verdicts[v.value]
        )
        left = clock(spent / self.done * (self.total - self.done)) if self.done else "?"
        return f"{self.done}/{self.total} · {verdicts or 'nothing yet'} · {self.tokens / spent:.0f} tok/s · {left} left"


def clock(seconds: float) -> str:
    """`1:05`, `2:03:04`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _so_far(done: int, total: int, what: str) -> str:
    if what.startswith(BYTES):
        return f"{done / 1e6:.1f}/{total / 1e6:.1f} MB{what.removeprefix(BYTES)}"
    return f"{done}/{total} {what}"


def _rate(per_s: float, what: str) -> str:
    return f"{per_s / 1e6:.1f} MB/s" if what.startswith(BYTES) else f"{per_s:.0f}/s"


class TrainingUpdate(Protocol):
    """What an update of a student tells: student.run_dir.Update, which is not imported
    here.
    """

    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def label_loss(self) -> float: ...
    @property
    def rationale_loss(self) -> float: ...
    @property
    def tokens(self) -> int: ...
    @property
    def seconds(self) -> float: ...


class TrainingRate:
    """How fast a student trains, over this session."""

    def __init__(self) -> None:
        self._updates, self._tokens, self._seconds = 0, 0, 0.0

    def line(self, update: TrainingUpdate) -> str:
        """`12/125 · label 1.204, rationale 2.310 · 240 tok/s · 4:05 left`."""
        self._updates, self._tokens = self._updates + 1, self._tokens + update.tokens
        self._seconds += update.seconds
        left = clock(self._seconds / self._updates * (update.steps - update.step))
        parts = f"label {update.label_loss:.3f}, rationale {update.rationale_loss:.3f}"
        return f"{update.step}/{update.steps} · {parts} · {self._tokens / self._seconds:.0f} tok/s · {left} left"


class Terminal:
    """The `Ui` of the command line."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    @contextmanager
    def asking(self, total: int) -> Iterator[OnStep]:
        """Show how far the chains are.

        Each is judged here a first time, for the counts alone.
        """
        counts = Counts(total, time.monotonic())
        shown = 0.0
        every = BAR_EVERY_S if self._live else LINE_EVERY_S

        def on_step(chain: Chain, answer: Answer | None) -> None:
            nonlocal shown
            if isinstance(answer, Completion):
                counts.tokens += answer.completion_tokens or 0
            if chain.open is None:
                counts.done += 1
                verdict = (
                    chain.ending.judge(flags=False).verdict
                    if chain.ending
                    else Verdict.UNSCORED
                )
                counts.verdicts[verdict.value] += 1
            now = time.monotonic()
            if now - shown >= every:
                shown = now
                self._show(counts.line(now))

        try:
            yield on_step
        finally:
            self._show(counts.line(time.monotonic()), last=True)

    @contextmanager
    def lines(self) -> Iterator[Callable[[str], None]]:
        """Show the newest of the lines that the value is called with, now and then, and
        the last one.
        """
        shown, newest = 0.0, ""
        every = BAR_EVERY_S if self._live else LINE_EVERY_S

        def show(line: str) -> None:
            nonlocal shown, newest
            newest = line
            if time.monotonic() - shown >= every:
                shown = time.monotonic()
                self._show(line)

        try:
            yield show
        finally:
            if newest:
                self._show(newest, last=True)

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Show how many of a known number are done; the value is called with done and
        total.
        """
        started = time.monotonic()
        shown, told = started, (0, 0)
        every = BAR_EVERY_S if self._live else LINE_EVERY_S

        def progress(done: int, total: int) -> None:
            nonlocal shown, told
            told = done, total
            now = time.monotonic()
            if now - shown >= every:
                shown = now
                self._show(line(now))

        def line(now: float) -> str:
            done, total = told
            spent = max(now - started, 1e-6)
            left = clock(spent / done * (total - done)) if done else "?"
            return f"{_so_far(done, total, what)} · {_rate(done / spent, what)} · {left} left"

        try:
            yield progress
        finally:
            if told[1]:
                self._show(line(time.monotonic()), last=True)

    def _show(self, line: str, last: bool = False) -> None:
        if self._live:
            width = (
                shutil.get_terminal_size().columns - 1
            )  # a wrapped line could not be overwritten
            print(
                f"\r\x1b[2K{line[:width]}",
                end="\n" if last else "",
                file=sys.stderr,
                flush=True,
            )
        else:
            self.say(line)
