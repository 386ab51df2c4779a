"""Two implementations of `Ui`: one writes events, one passes all on to several."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from cotbuild.builder.events.log import EventLog
from cotbuild.builder.events.rate import RunRate
from cotbuild.builder.ui import ChainProgress, Ui
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.budget import Account
from cotbuild.schemas.event import (
    AccountEvent,
    Phase,
    PhaseEvent,
    ProgressEvent,
    SayEvent,
    StatusEvent,
)

EVERY_S = 1.0
"""Seconds between two events of progress."""
MAX_LINE_CHARS = 2_000
"""Longest line in an event."""


def utc_now() -> str:
    """Return the time in UTC, RFC 3339 with milliseconds."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return now.replace("+00:00", "Z")


def shown_line(line: str) -> str:
    """Return a line as a terminal shows it, no longer than an event holds."""
    shown = escape_hidden(line[:MAX_LINE_CHARS], keep="\t")
    return shown if len(shown) <= MAX_LINE_CHARS else f"{shown[: MAX_LINE_CHARS - 1]}…"


class EventUi:
    """The `Ui` that appends to a log of events."""

    def __init__(
        self, log: EventLog, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._clock = clock

    def say(self, line: str) -> None:
        """Write the line."""
        self._log.append(SayEvent(at=utc_now(), line=shown_line(line)))

    def result(self, line: str) -> None:
        """Write a line of the result."""
        event = SayEvent(at=utc_now(), line=shown_line(line), is_result=True)
        self._log.append(event)

    def phase(self, phase: Phase) -> None:
        """Write what begins."""
        self._log.append(PhaseEvent(at=utc_now(), phase=phase))

    def account(self, account: Account) -> None:
        """Write what the build has spent."""
        self._log.append(AccountEvent(at=utc_now(), account=account))

    @contextmanager
    def asking(self, total: int) -> Iterator[Callable[[ChainProgress], None]]:
        """Write the progress over `total` chains, with tokens, verdicts and an ETA."""
        progress = AskingProgress(total, self._clock())
        with self._at_most_every_s(
            lambda: self._log.append(progress.event(self._clock()))
        ) as refresh:

            def add(step: ChainProgress) -> None:
                progress.add(step, self._clock())
                refresh()

            yield add

    @contextmanager
    def counting(self, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Write how many of a known total are done."""
        rate = RunRate(self._clock())
        done = total = 0

        def write() -> None:
            eta_s = rate.eta_s(self._clock(), max(total - done, 0)) if total else None
            event = ProgressEvent(
                at=utc_now(), unit=unit, done=done, total=total, eta_s=eta_s
            )
            self._log.append(event)

        with self._at_most_every_s(write) as refresh:

            def update(new_done: int, new_total: int) -> None:
                nonlocal done, total
                rate.add(self._clock(), 0, max(new_done - done, 0))
                done, total = new_done, new_total
                refresh()

            yield update

    @contextmanager
    def lines(self) -> Iterator[Callable[[str], None]]:
        """Write the newest of the lines that the value is called with."""
        newest = ""

        def write() -> None:
            if newest:
                self._log.append(StatusEvent(at=utc_now(), line=shown_line(newest)))

        with self._at_most_every_s(write) as refresh:

            def show(line: str) -> None:
                nonlocal newest
                newest = line
                refresh()

            yield show

    @contextmanager
    def _at_most_every_s(
        self, write: Callable[[], None]
    ) -> Iterator[Callable[[], None]]:
        """Call `write` where the value is called, at most once in EVERY_S, and at the end."""
        written_s: float | None = None

        def refresh() -> None:
            nonlocal written_s
            now_s = self._clock()
            if written_s is None or now_s - written_s >= EVERY_S:
                written_s = now_s
                write()

        try:
            yield refresh
        finally:
            write()


class AskingProgress:
    """What the chains of a run have come to so far."""

    def __init__(self, total: int, started_s: float) -> None:
        self._total = total
        self._rate = RunRate(started_s)
        self._done = self._failed = self._requests = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._verdicts: Counter[str] = Counter()
        self._last = ChainProgress()

    def add(self, step: ChainProgress, now_s: float) -> None:
        """Count one step."""
        self._requests += step.requests
        self._prompt_tokens += step.prompt_tokens
        self._completion_tokens += step.completion_tokens
        is_done = step.ends_chain
        self._done += is_done
        if step.verdict is not None:
            self._verdicts[step.verdict.value] += 1
        self._failed += step.has_failed
        self._rate.add(now_s, step.completion_tokens, int(is_done))
        self._last = step

    def event(self, now_s: float) -> ProgressEvent:
        """Return the progress as an event."""
        left = max(self._total - self._done, 0)
        return ProgressEvent(
            at=utc_now(),
            unit="chains",
            done=self._done,
            total=self._total,
            failed=self._failed,
            requests=self._requests,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            tokens_per_s=self._rate.tokens_per_s(now_s),
            eta_s=self._rate.eta_s(now_s, left),
            verdicts=dict(self._verdicts),
            in_flight=self._last.in_flight,
            servers_up=self._last.servers_up,
            servers=self._last.servers,
        )


class TeeUi:
    """The `Ui` that passes everything on to several."""

    def __init__(self, uis: Sequence[Ui]) -> None:
        self._uis = tuple(uis)

    def say(self, line: str) -> None:
        """Show the line on each."""
        for ui in self._uis:
            ui.say(line)

    def phase(self, phase: Phase) -> None:
        """Pass on what begins."""
        for ui in self._uis:
            ui.phase(phase)

    def account(self, account: Account) -> None:
        """Pass on what the build has spent."""
        for ui in self._uis:
            ui.account(account)

    @contextmanager
    def asking(self, total: int) -> Iterator[Callable[[ChainProgress], None]]:
        """Show the progress on each."""
        with ExitStack() as stack:
            shown = [stack.enter_context(ui.asking(total)) for ui in self._uis]

            def add(step: ChainProgress) -> None:
                for show in shown:
                    show(step)

            yield add

    @contextmanager
    def counting(self, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Show the progress on each."""
        with ExitStack() as stack:
            shown = [stack.enter_context(ui.counting(unit)) for ui in self._uis]

            def update(done: int, total: int) -> None:
                for show in shown:
                    show(done, total)

            yield update

    @contextmanager
    def lines(self) -> Iterator[Callable[[str], None]]:
        """Show the changing line on each."""
        with ExitStack() as stack:
            shown = [stack.enter_context(ui.lines()) for ui in self._uis]

            def show_line(line: str) -> None:
                for show in shown:
                    show(line)

            yield show_line
