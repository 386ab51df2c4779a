"""A journal read on while another process writes it."""

import hashlib
from pathlib import Path

import pytest

from cotbuild.builder.storage.journal import COMPLETION, END, Journal, encode_line
from cotbuild.builder.storage.journal_tail import JournalTail
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import StoreError


def completion(number: int) -> Completion:
    key = hashlib.sha256(str(number).encode()).hexdigest()
    return Completion(request_key=key, text=f"text {number}", finish_reason="stop")


def test_each_line_is_read_once_and_a_torn_one_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    tail = JournalTail(path)
    assert tail.read_on() == []
    with Journal(path, {}) as journal:
        journal.append(completion(0))
        assert [line.status for line in tail.read_on()][1:] == [COMPLETION]
        start = journal.num_bytes
        journal.append(completion(1))
        journal.finish()
        whole = path.read_bytes()
        path.write_bytes(whole[:-3])
        [line] = tail.read_on()
        assert tail.read_answer(line.offset) == completion(1)
        path.write_bytes(whole)
        assert [line.status for line in tail.read_on()] == [END]
        assert tail.read_on() == []
    later = JournalTail(path, start)
    assert [line.status for line in later.read_on()] == [COMPLETION, END]


def test_a_damaged_line_ends_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    with Journal(path, {}) as journal:
        for number in range(3):
            journal.append(completion(number))
    data = path.read_bytes().replace(b"text 1", b"text X")
    path.write_bytes(data)
    assert len(JournalTail(path).read_on()) == 2  # the header and the first answer


def test_a_key_that_is_no_digest_ends_what_is_read(tmp_path: Path) -> None:
    """Though the line is whole: another program may have written it."""
    path = tmp_path / "a.journal"
    path.write_bytes(encode_line(COMPLETION, "not a key".ljust(32), "{}"))
    assert JournalTail(path).read_on() == []


def test_a_journal_that_cannot_be_read_is_one_line_that_names_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(b"x")
    with pytest.raises(StoreError) as raised:
        JournalTail(path, start=1 << 63 - 1).read_on()
    assert str(raised.value).startswith(f"{path}: ")
