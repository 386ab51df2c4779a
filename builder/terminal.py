"""Progress on stderr: a live bar on a terminal, else one line at most every five
seconds.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cotbuild.builder.console import is_terminal, print_message, print_status
from cotbuild.builder.ui import ChainProgress, format_duration
from cotbuild.schemas.budget import Account
from cotbuild.schemas.event import Phase
from cotbuild.schemas.rationale import Verdict

LINE_EVERY_S = 5.0
BAR_EVERY_S = 0.1


class Terminal:
    """The `Ui` of the command line."""

    def __init__(self) -> None:
        self._live = is_terminal()

    def say(self, line: str) -> None:
        """Print one line, at once."""
        print_message(line)

    def phase(self, phase: Phase) -> None:
        """Show nothing: the lines of a phase tell what it is."""

    def account(self, account: Account) -> None:
        """Show nothing: the command prints the account at its end."""

    @contextmanager
    def asking(self, total: int) -> Iterator[Callable[[ChainProgress], None]]:
        """Show how many of `total` chains are finished, with their verdicts."""
        counts = ChainCounts(total, time.monotonic())
        with self._display(lambda: counts.line(time.monotonic())) as refresh:

            def add(progress: ChainProgress) -> None:
                counts.add(progress)
                refresh()

            yield add

    @contextmanager
    def counting(self, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Show how many of a known total are done."""
        started = time.monotonic()
        done = total = 0

        def line() -> str:
            return counting_line(done, total, unit, time.monotonic() - started)

        with self._display(line, shown_at=started) as refresh:

            def update(new_done: int, new_total: int) -> None:
                nonlocal done, total
                done, total = new_done, new_total
                refresh()

            yield update

    @contextmanager
    def lines(self) -> Iterator[Callable[[str], None]]:
        """Show the newest of the lines that the value is called with."""
        newest = ""
        with self._display(lambda: newest) as refresh:

            def show(line: str) -> None:
                nonlocal newest
                newest = line
                refresh()

            yield show

    @contextmanager
    def _display(
        self, line: Callable[[], str], shown_at: float = 0.0
    ) -> Iterator[Callable[[], None]]:
        """Print `line()` whenever the value is called and enough time has passed.

        At the end it is printed once more, unless it is empty.
        """
        every_s = BAR_EVERY_S if self._live else LINE_EVERY_S

        def refresh() -> None:
            nonlocal shown_at
            now = time.monotonic()
            if now - shown_at >= every_s:
                shown_at = now
                self._print(line())

        try:
            yield refresh
        finally:
            if last := line():
                self._print(last, last=True)

    def _print(self, line: str, last: bool = False) -> None:
        if not self._live:
            self.say(line)
            return
        # A wrapped line could not be overwritten.
        width = shutil.get_terminal_size().columns - 1
        print_status(line, width, last=last)


class ChainCounts:
    """Finished chains, their verdicts and generated tokens so far."""

    def __init__(self, total: int, started: float) -> None:
        self._total, self._started = total, started
        self._done = self._tokens = 0
        self._verdicts: Counter[Verdict] = Counter()

    def add(self, progress: ChainProgress) -> None:
        """Count one step."""
        self._tokens += progress.completion_tokens
        self._done += progress.ends_chain
        if progress.verdict is not None:
            self._verdicts[progress.verdict] += 1

    def line(self, now: float) -> str:
        """Return `120/512 · correct 61, incorrect 59 · 310 tok/s · 1:05 left`."""
        elapsed_s = max(now - self._started, 1e-6)
        counts = [
            f"{verdict.value} {self._verdicts[verdict]}"
            for verdict in Verdict
            if self._verdicts[verdict]
        ]
        verdicts = ", ".join(counts) or "nothing yet"
        num_graded = self._verdicts.total()
        if num_graded < self._done:
            verdicts = f"of {num_graded} graded so far: {verdicts}"
        left = _time_left(self._done, self._total, elapsed_s)
        rate = f"{self._tokens / elapsed_s:.0f} tok/s"
        return f"{self._done}/{self._total} · {verdicts} · {rate} · {left} left"


def counting_line(done: int, total: int, unit: str, elapsed_s: float) -> str:
    """Return `3/8 rationales · 2/s · 0:03 left`; bytes are in MB.

    Empty where the total is 0.
    """
    if not total:
        return ""
    elapsed_s = max(elapsed_s, 1e-6)
    left = _time_left(done, total, elapsed_s)
    if unit.startswith("bytes"):
        what = unit.removeprefix("bytes")
        rate = f"{done / 1e6 / elapsed_s:.1f} MB/s"
        return f"{done / 1e6:.1f}/{total / 1e6:.1f} MB{what} · {rate} · {left} left"
    return f"{done}/{total} {unit} · {done / elapsed_s:.0f}/s · {left} left"


def _time_left(done: int, total: int, elapsed_s: float) -> str:
    return format_duration(elapsed_s / done * (total - done)) if done else "?"
