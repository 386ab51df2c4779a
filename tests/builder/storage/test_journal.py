"""Journals: what was written is read back, a torn end costs one line, a full disk costs
none.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotbuild.builder.storage.journal import (
    COMPLETION,
    HEADER,
    IMPOSSIBLE_COUNT,
    Journal,
    decode_answer,
    encode_answer,
    encode_line,
    read_header,
    read_lines,
)
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.errors import StoreError

KEY = "ab" * 32


def completion(text: str = "so", key: str = KEY) -> Completion:
    return Completion(
        request_key=key,
        text=text,
        finish_reason="stop",
        prompt_tokens=3,
        completion_tokens=4,
    )


completions = st.builds(
    Completion,
    request_key=st.binary(min_size=32, max_size=32).map(bytes.hex),
    text=st.text(),
    reasoning=st.none() | st.text(),
    finish_reason=st.sampled_from(["stop", "length"]),
    prompt_tokens=st.none() | st.integers(0, 2**40),
    completion_tokens=st.none() | st.integers(0, 2**40),
    notes=st.lists(st.text(), max_size=2).map(tuple),
)
failures = st.builds(
    Failure,
    request_key=st.binary(min_size=32, max_size=32).map(bytes.hex),
    kind=st.sampled_from(FailureKind),
    message=st.text(),
)


@given(completions | failures)
def test_an_answer_reads_back_as_it_was(answer: Answer) -> None:
    line = encode_answer(answer)
    assert line.count(b"\n") == 1
    assert decode_answer(line) == answer


def test_a_completion_without_notes_is_written_as_before_there_were_any() -> None:
    assert encode_answer(completion()).partition(b"{")[2] == (
        b'"text": "so", "reasoning": null, "finish_reason": "stop", "prompt_tokens": 3, '
        b'"completion_tokens": 4}\n'
    )


@pytest.mark.parametrize("count", [2**63, 10**30, 10**4000])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_journal_with_an_impossible_number_of_tokens_opens(
    name: str, count: int
) -> None:
    body = {"text": "so", "finish_reason": "stop", name: count}
    answer = decode_answer(encode_line(COMPLETION, KEY, json.dumps(body)))
    assert isinstance(answer, Completion)
    assert (answer.text, getattr(answer, name)) == ("so", None)
    assert answer.notes == (IMPOSSIBLE_COUNT,)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 400))
def test_a_torn_end_costs_the_last_line_alone(tmp_path: Path, cut: int) -> None:
    path = tmp_path / f"{time.monotonic_ns()}.journal"
    with Journal(path, {}) as journal:
        for i in range(3):
            journal.append(completion("x" * i))
    lines = path.read_bytes().splitlines(keepends=True)
    cut = min(cut, len(lines[-1]) - 1)
    path.write_bytes(b"".join(lines)[:-cut])
    found = list(read_lines(path))
    assert found[-1] is None
    assert [line is not None for line in found[:-1]] == [True, True]


def test_zeros_after_a_power_cut_count_as_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, {}) as journal:
        journal.append(completion())
    with path.open("ab") as file:
        file.write(b"\0" * 512)
    assert [line is None for line in read_lines(path)] == [False, True]


def test_a_damaged_line_elsewhere_stops_with_file_and_offset(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, {}) as journal:
        for _ in range(3):
            journal.append(completion())
    raw = bytearray(path.read_bytes())
    header = raw.index(b"\n") + 1
    raw[header + 100] ^= 1
    path.write_bytes(raw)
    with pytest.raises(
        StoreError, match=rf"a\.journal: damaged line at offset {header}"
    ):
        list(read_lines(path))


def test_a_journal_of_a_newer_cotbuild_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(
        encode_line(HEADER, "0" * 64, json.dumps({"format_version": 99}))
        + encode_answer(completion())
    )
    with pytest.raises(StoreError, match="written by a newer cotbuild"):
        list(read_lines(path))


def test_the_header_says_who_wrote(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.journal", {"teacher": {"kind": "fake"}}):
        pass
    assert read_header(tmp_path / "a.journal")["teacher"] == {"kind": "fake"}
    assert list(read_lines(tmp_path / "a.journal")) == []


def test_an_old_journal_is_never_appended_to(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.journal", {}):
        pass
    with pytest.raises(StoreError, match="File exists"):
        Journal(tmp_path / "a.journal", {})


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from cotbuild.builder.storage.journal import Journal
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import StoreError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
written = 0
try:
    with Journal(Path(sys.argv[1]), {}) as journal:
        while True:
            journal.append(Completion(request_key="ab" * 32, text="x" * 333, finish_reason="stop"))
            written += 1
except StoreError as error:
    print(written, error)
"""


def test_a_full_disk_stops_the_run_and_leaves_whole_lines(tmp_path: Path) -> None:
    """A real limit of the kernel's: the last write(2) is short, the next one fails."""
    path = tmp_path / "a.journal"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    written, message = done.stdout.split(" ", 1)
    found = list(read_lines(path))
    assert None not in found
    assert len(found) == int(written) > 5
    assert "free disk space, then run the same command again." in message
    assert resource.RLIMIT_FSIZE is not None
