"""The log of attributed rationales: what it keeps, and what it refuses."""

from pathlib import Path

import pytest

from cotbuild.schemas.attribution import ScoredRationale, ScoredSpan
from cotbuild.schemas.errors import StoreError
from cotbuild.student.attribution.log import AttributionLog


def scored(number: int) -> ScoredRationale:
    return ScoredRationale(
        question_id=f"q½{number}",
        sample_index=number,
        rationale_digest="d",
        spans=(ScoredSpan(start=0, end=3, score=-0.1 * number, option=False),),
        steps=32,
        completeness_error=0.01,
        rank_correlation=0.99,
    )


def rows_of(log: AttributionLog) -> list[ScoredRationale]:
    return [log.read(key) for key in log.keys]


def test_a_log_returns_its_rows_in_order_when_reopened(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.jsonl"
    rows = [scored(number) for number in range(4)]
    for part in (rows[:1], rows[1:3], rows[3:]):
        with AttributionLog(path) as log:
            for row in part:
                log.append(row)
    with AttributionLog(path) as log:
        assert rows_of(log) == rows
        assert list(log.keys) == [(f"q½{number}", number) for number in range(4)]


def test_a_torn_last_line_is_cut_off_wherever_it_is_torn(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    with AttributionLog(path) as log:
        log.append(scored(0))
        begin = path.stat().st_size
        log.append(scored(1))
    whole = path.read_bytes()
    for cut in range(begin, len(whole)):
        path.write_bytes(whole[:cut])
        with AttributionLog(path) as log:
            assert rows_of(log) == [scored(0)]
            log.append(scored(1))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("damaged", [b"{}\n", b"nothing\n", b"[1]\n", b"\xff\n"])
def test_a_damaged_line_is_reported_by_its_number(
    tmp_path: Path, damaged: bytes
) -> None:
    path = tmp_path / "log.jsonl"
    with AttributionLog(path) as log:
        log.append(scored(0))
    path.write_bytes(path.read_bytes() + damaged + path.read_bytes())
    with pytest.raises(StoreError, match=r"log\.jsonl line 2: "):
        AttributionLog(path)


def test_a_log_is_locked_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with (
        AttributionLog(path),
        pytest.raises(StoreError, match="another process is writing to it"),
    ):
        AttributionLog(path)
    with AttributionLog(path) as log:
        assert not log.keys
