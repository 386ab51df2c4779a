"""The board as strangers may leave it: bounded, and a line that names the file."""

from pathlib import Path

import pytest

from cotbuild.builder.generate.workers import board as board_module
from cotbuild.builder.generate.workers.board import SILENT_S, Board
from cotbuild.builder.generate.workers.leases import UnitLeases
from cotbuild.builder.storage.blobs import LocalBlobs
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.work import JournalStart, WorkerState
from tests.builder.generate.workers.test_leases import Time
from tests.support.memory_blobs import MemoryBlobs
from tests.support.work_plans import plan_of

NAME = f"plan-0001-{'0' * 16}"
UNIT = f"000000-{'0' * 16}"


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(LocalBlobs(tmp_path))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"{", "not JSON"),
        (b"[1]", "[1] is not a JSON object"),
        (b'{"format_version": 99}', "format version 99, written by a newer cotbuild"),
        (b'{"format_version": 1, "plan": "../../etc"}', "plan is '../../etc'"),
        (b'{"format_version": 1}', "plan"),
        (b" " * (2 << 20), "larger than 1 MiB"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(
    board: Board, tmp_path: Path, data: bytes, fault: str
) -> None:
    board.blobs.write("current.json", data)
    with pytest.raises(StoreError) as raised:
        board.find_plan()
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}/current.json: ")
    assert fault in message
    assert "\n" not in message


def test_a_plan_that_is_gone_is_one_line(board: Board, tmp_path: Path) -> None:
    board.blobs.write(
        "current.json", f'{{"format_version":1,"plan":"{NAME}"}}'.encode()
    )
    with pytest.raises(StoreError) as raised:
        board.find_plan()
    assert str(raised.value).startswith(
        f"{tmp_path}/{NAME}/plan.json: there is no such"
    )


@pytest.mark.parametrize(
    ("data", "fault"), [(b"no gzip", "not gzip: "), (b"\x1f\x8b\x08", "not gzip: ")]
)
def test_a_unit_that_is_no_gzip_is_one_line(
    board: Board, data: bytes, fault: str
) -> None:
    board.blobs.write(f"{NAME}/units/{UNIT}.jsonl.gz", data)
    with pytest.raises(StoreError, match=fault):
        board.read_unit(NAME, UNIT)


def test_a_unit_that_unpacks_to_too_much_is_refused(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.write_unit(NAME, UNIT, [b"x" * 1_000_000])
    monkeypatch.setattr(board_module, "MAX_UNIT_BYTES", 1_000)
    with pytest.raises(StoreError, match="larger than 0 MiB"):
        board.read_unit(NAME, UNIT)


def test_files_that_nobody_wrote_are_no_leases(board: Board) -> None:
    """And go with the others when the unit is done."""
    plan = plan_of(1)
    for name in ("x", "000001.json.bak", "second-1.json", "9999999.json"):
        board.blobs.write(f"{NAME}/state/0000/{UNIT}/{name}", b"?")
    leases = UnitLeases(board, plan, "w")
    held = leases.take(JournalStart(name="w.journal", start=0))
    assert held is not None
    assert held.lease.number == 1
    leases.finish(held, held.before)
    assert leases.is_finished()
    assert len(list(board.blobs.list(f"{NAME}/state"))) == 1


def test_a_damaged_lease_is_one_line_that_names_it(
    board: Board, tmp_path: Path
) -> None:
    place = f"{NAME}/state/0000/{UNIT}/000001.json"
    board.blobs.write(place, b"{}")
    later = Board(board.blobs, lambda: 4e9)
    with pytest.raises(StoreError) as raised:
        UnitLeases(later, plan_of(1), "w").take(JournalStart(name="j", start=0))
    assert str(raised.value).startswith(f"{tmp_path}/{place}: worker is ")


def test_workers_are_there_until_they_are_silent_or_end(tmp_path: Path) -> None:
    now = 1_000.0
    board = Board(LocalBlobs(tmp_path), lambda: now)
    for name, expires_at in (("a", 1_060.0), ("b", 1_010.0), ("c", 1_060.0)):
        board.note_worker(
            WorkerState(worker=name, started_at=1_000.0, expires_at=expires_at)
        )
    board.remove_worker("c")
    now = 1_020.0
    assert [state.worker for state in board.live_workers()] == ["a"]


def test_a_damaged_heartbeat_is_no_worker(board: Board) -> None:
    now = board.clock()
    board.note_worker(WorkerState(worker="a", started_at=now, expires_at=now + 600))
    board.blobs.write("workers/b.json", b"{")
    board.blobs.write("workers/c.json", b" " * (2 << 20))
    assert [state.worker for state in board.live_workers()] == ["a"]


def test_heartbeats_of_killed_workers_are_not_read_and_then_deleted() -> None:
    time = Time()
    blobs = MemoryBlobs(time.shifted(0))
    board = Board(blobs, time.shifted(0))
    for name in ("killed", "live"):
        time.now += SILENT_S
        board.note_worker(
            WorkerState(worker=name, started_at=time.now, expires_at=time.now + 60)
        )
    assert [state.worker for state in board.live_workers()] == ["live"]
    assert blobs.calls["read"] == 1
    board.delete_silent_workers()
    assert [blob.path for blob in blobs.list("workers")] == ["workers/live.json"]
