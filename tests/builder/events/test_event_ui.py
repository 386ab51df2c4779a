"""Every `Ui`: the same calls, in the same contexts, and what each makes of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cotbuild.builder.events import EventLog, EventUi, TeeUi, read_events
from cotbuild.builder.events.event_ui import MAX_LINE_CHARS
from cotbuild.builder.terminal import Terminal
from cotbuild.builder.ui import ChainProgress, Ui
from cotbuild.schemas.budget import Account
from cotbuild.schemas.event import (
    AccountEvent,
    Event,
    Phase,
    PhaseEvent,
    ProgressEvent,
    SayEvent,
    StatusEvent,
)
from cotbuild.schemas.rationale import Verdict

ACCOUNT = Account(requests=1, prompt_tokens=2, completion_tokens=3)


class Clock:
    """A clock that goes on when told."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Recorder:
    """A `Ui` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def say(self, line: str) -> None:
        self.told.append(line)

    def phase(self, phase: Phase) -> None:
        self.told.append(phase)

    def account(self, account: Account) -> None:
        self.told.append(account)

    @contextmanager
    def asking(self, total: int) -> Iterator[Callable[[ChainProgress], None]]:
        self.told.append(total)
        yield self.told.append
        self.told.append("asked")

    @contextmanager
    def counting(self, unit: str) -> Iterator[Callable[[int, int], None]]:
        self.told.append(unit)
        yield lambda done, total: self.told.append((done, total))
        self.told.append("counted")

    @contextmanager
    def lines(self) -> Iterator[Callable[[str], None]]:
        yield self.told.append
        self.told.append("shown")


STEP = ChainProgress(7, Verdict.CORRECT, prompt_tokens=5, requests=1, in_flight=2)


def use_all(ui: Ui) -> None:
    ui.phase(Phase.ASKING)
    ui.say("begin")
    with ui.asking(2) as show:
        show(STEP)
    with ui.counting("rationales") as update:
        update(1, 2)
    with ui.lines() as show_line:
        show_line("now")
    ui.account(ACCOUNT)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path / "e.jsonl", print) as log:
        yield log


def events_of(log: EventLog) -> tuple[Event, ...]:
    return read_events(log.path).events


def uis(log: EventLog) -> dict[str, Ui]:
    return {
        "terminal": Terminal(),
        "events": EventUi(log),
        "tee": TeeUi([Recorder(), EventUi(log)]),
        "nobody": TeeUi([]),
    }


@pytest.mark.parametrize("name", ["terminal", "events", "tee", "nobody"])
def test_every_ui_takes_every_call_and_lets_exceptions_through(
    log: EventLog, name: str
) -> None:
    ui = uis(log)[name]
    use_all(ui)
    for context in (ui.asking(1), ui.counting("rows"), ui.lines()):
        with pytest.raises(KeyboardInterrupt), context:
            raise KeyboardInterrupt


def test_a_tee_tells_all_in_the_order_of_the_calls() -> None:
    first, second = Recorder(), Recorder()
    use_all(TeeUi([first, second]))
    alone = Recorder()
    use_all(alone)
    assert first.told == second.told == alone.told


def test_events_say_what_was_said_shown_and_counted(log: EventLog) -> None:
    use_all(EventUi(log))
    phase, said, *asking, first, last, now, again, account = events_of(log)
    assert isinstance(phase, PhaseEvent)
    assert phase.phase is Phase.ASKING
    assert isinstance(said, SayEvent)
    assert said.line == "begin"
    for event in asking:
        assert isinstance(event, ProgressEvent)
        assert (event.done, event.total, event.verdicts) == (1, 2, {"correct": 1})
        assert (event.prompt_tokens, event.completion_tokens) == (5, 7)
        assert (event.requests, event.in_flight, event.servers) == (1, 2, None)
    for event in (first, last):
        assert isinstance(event, ProgressEvent)
        assert (event.unit, event.done, event.total) == ("rationales", 1, 2)
    for event in (now, again):
        assert isinstance(event, StatusEvent)
        assert event.line == "now"
    assert isinstance(account, AccountEvent)
    assert account.account == ACCOUNT


def test_progress_is_written_once_a_second_and_at_the_end(log: EventLog) -> None:
    clock = Clock()
    with EventUi(log, clock=clock).asking(800) as show:
        for _ in range(100):
            for _ in range(8):
                show(STEP)
                clock.now_s += 0.125
    progress = [e for e in events_of(log) if isinstance(e, ProgressEvent)]
    assert len(progress) == 101
    assert progress[-1].done == 800
    assert progress[-1].completion_tokens == 5600
    assert progress[-1].tokens_per_s == pytest.approx(56, rel=0.1)
    assert progress[-1].eta_s == (0.0, 0.0)


@pytest.mark.parametrize("line", ["x" * 10_000, "\x1b[2Jred\u202e", "a\ud800b", "é\n"])
def test_a_line_is_as_a_terminal_shows_it_and_no_longer_than_an_event_holds(
    log: EventLog, line: str
) -> None:
    EventUi(log).say(line)
    (event,) = events_of(log)
    assert isinstance(event, SayEvent)
    assert len(event.line) <= MAX_LINE_CHARS
    assert event.line.isprintable()
