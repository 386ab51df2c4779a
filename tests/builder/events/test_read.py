"""Reading a log of events: pages, torn and foreign lines, the state it adds up to."""

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.events import fold_events, read_events, read_run_progress
from cotbuild.builder.events.log import encode_event
from cotbuild.builder.events.read import MAX_PAGE_BYTES
from cotbuild.schemas.budget import Account
from cotbuild.schemas.event import (
    AccountEvent,
    Event,
    FinishedEvent,
    Outcome,
    Phase,
    PhaseEvent,
    ProgressEvent,
    RunProgress,
    SayEvent,
    StartedEvent,
    StatusEvent,
)

AT = "2026-11-29T02:00:00.000Z"
STARTED = StartedEvent(at=AT, command="generate", pid=1, host="h", cotbuild="1")
FINISHED = FinishedEvent(at=AT, outcome=Outcome.SUCCEEDED, exit_code=0)

say_events = st.builds(SayEvent, at=st.just(AT), line=st.text(max_size=8))
events = st.one_of(
    st.just(STARTED),
    st.just(FINISHED),
    say_events,
    st.builds(StatusEvent, at=st.just(AT), line=st.text(max_size=8)),
    st.builds(PhaseEvent, at=st.just(AT), phase=st.sampled_from(Phase)),
    st.builds(
        ProgressEvent,
        at=st.just(AT),
        unit=st.just("chains"),
        done=st.integers(0, 9),
        total=st.integers(0, 9),
        eta_s=st.none() | st.tuples(st.floats(0, 1), st.floats(1, 2)),
    ),
    st.builds(
        AccountEvent,
        at=st.just(AT),
        account=st.builds(
            Account,
            requests=st.integers(0, 9),
            prompt_tokens=st.just(1),
            completion_tokens=st.just(2),
        ),
    ),
)


def write(path: Path, written: list[Event], tail: bytes = b"") -> Path:
    path.write_bytes(b"".join(map(encode_event, written)) + tail)
    return path


@given(st.lists(events, max_size=120), st.integers(0, 120))
def test_the_state_is_the_same_folded_at_once_or_in_parts(
    all_events: list[Event], split: int
) -> None:
    part = fold_events(all_events[:split])
    assert fold_events(all_events[split:], part) == fold_events(all_events)


@given(st.lists(events, max_size=120), st.binary(max_size=20))
def test_the_state_of_a_log_is_that_of_its_events_whatever_follows_them(
    all_events: list[Event], tail: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        torn = tail.replace(b"\n", b"")
        path = write(Path(folder, "events.jsonl"), all_events, torn)
        assert read_run_progress(path) == fold_events(all_events)
        assert read_events(path).events == tuple(all_events)


def test_a_log_that_is_not_there_has_no_events(tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    page = read_events(missing)
    assert (page.events, page.next_offset, page.log_id) == ((), 0, None)
    assert read_run_progress(missing) == RunProgress()


def test_pages_follow_each_other_and_a_torn_line_waits_for_its_end(
    tmp_path: Path,
) -> None:
    lines = [SayEvent(at=AT, line=str(number)) for number in range(5)]
    last = encode_event(FINISHED)
    path = write(tmp_path / "e", [STARTED, *lines], last[:-9])
    first = read_events(path, limit=4)
    assert first.events == (STARTED, *lines[:3])
    second = read_events(path, first.next_offset, log_id=first.log_id)
    assert second.events == tuple(lines[3:])
    assert read_events(path, second.next_offset).events == ()
    with path.open("ab") as file:
        file.write(last[-9:])
    assert read_events(path, second.next_offset).events == (FINISHED,)


def test_lines_of_another_kind_are_left_out(tmp_path: Path) -> None:
    other = json.dumps({"event": "tomorrow", "at": AT}).encode() + b"\nnot json\n\n"
    path = write(tmp_path / "e", [STARTED], other + encode_event(FINISHED))
    assert read_events(path).events == (STARTED, FINISHED)
    assert read_run_progress(path).finished == FINISHED


def test_a_line_longer_than_a_page_is_passed_over(tmp_path: Path) -> None:
    long = b"x" * (2 * MAX_PAGE_BYTES + 7) + b"\n"
    path = write(tmp_path / "e", [STARTED], long + encode_event(FINISHED))
    found: list[Event] = []
    offset = 0
    while (page := read_events(path, offset)).next_offset != offset:
        found += page.events
        offset = page.next_offset
    assert found == [STARTED, FINISHED]


def test_a_log_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = write(tmp_path / "e", [STARTED])
    page = read_events(path)
    other = write(tmp_path / "other", [STARTED, FINISHED, FINISHED])
    other.rename(path)
    again = read_events(path, page.next_offset, log_id=page.log_id)
    assert again.events == (STARTED, FINISHED, FINISHED)
    write(path, [FINISHED])
    assert read_events(path, again.next_offset).events == (FINISHED,)
