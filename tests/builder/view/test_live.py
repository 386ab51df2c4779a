"""A build that is being made, read while it is written."""

import threading
from pathlib import Path

import pytest

from cotbuild.builder.storage.answer_store import ANSWERS, AnswerStore
from cotbuild.builder.storage.journal import Journal, encode_answer
from cotbuild.builder.view.live import LiveBuild, read_live
from cotbuild.builder.view.remembered import Remembered
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from tests.support.waiting import wait_until


def completion(number: int, text: str | None = None) -> Completion:
    return Completion(
        request_key=f"{number:064x}",
        text=f"answer {number}" if text is None else text,
        finish_reason="stop",
        prompt_tokens=5,
        completion_tokens=number,
    )


def failure(number: int) -> Failure:
    return Failure(
        request_key=f"{number:064x}", kind=FailureKind.UNAVAILABLE, message="503"
    )


def read(folder: Path, limit: int = 1_000) -> LiveBuild:
    return read_live(folder, Remembered(), limit)


def numbers(live: LiveBuild) -> list[int]:
    return [int(answer.request_key, 16) for answer in live.answers]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    store = AnswerStore(tmp_path)
    return store.create_journal({"teacher": "t"})


def test_the_newest_answers_come_first_and_all_are_counted(
    tmp_path: Path, journal: Journal
) -> None:
    with journal:
        for number in range(1, 6):
            journal.append(completion(number))
        journal.append(failure(6))
        live = read(tmp_path, limit=3)
    assert numbers(live) == [6, 5, 4]
    assert live.answers[0].failure == "unavailable: 503"
    assert live.answers[1].text is not None
    assert live.answers[1].text.text == "answer 5"
    assert live.answers[1].at.endswith("+00:00")
    assert (live.num_completions, live.num_failures) == (5, 1)
    assert live.is_counted
    assert live.partial
    assert live.fault is None


def test_counting_goes_on_where_it_stopped(tmp_path: Path, journal: Journal) -> None:
    remembered = Remembered()
    with journal:
        for number in range(100):
            journal.append(completion(number))
            live = read_live(tmp_path, remembered, 1)
            assert live.num_completions == number + 1
        second = AnswerStore(tmp_path).create_journal({"teacher": "t"})
        with second:
            second.append(completion(200))
            live = read_live(tmp_path, remembered, 2)
    assert live.num_completions == 101
    assert numbers(live)[0] == 200


def test_a_large_journal_is_counted_in_several_calls(
    tmp_path: Path, journal: Journal
) -> None:
    with journal:
        for number in range(50):
            journal.append(completion(number))
    remembered = Remembered()

    def read_some() -> LiveBuild:
        return read_live(
            tmp_path, remembered, max_counted_bytes=1_000, max_tail_bytes=1_000
        )

    first = read_some()
    assert not first.is_counted
    assert 0 < first.num_completions < 50
    assert numbers(first)[0] == 49
    assert len(first.answers) < 10
    wait_until(lambda: read_some().is_counted)
    assert read_some().num_completions == 50


def test_a_torn_line_is_ignored_until_it_is_whole(
    tmp_path: Path, journal: Journal
) -> None:
    with journal:
        journal.append(completion(1))
    line = encode_answer(completion(2))
    remembered = Remembered()
    with journal.path.open("ab") as file:
        for part in (line[:20], line[20:-1]):
            file.write(part)
            file.flush()
            live = read_live(tmp_path, remembered)
            assert numbers(live) == [1]
            assert live.num_completions == 1
            assert live.is_counted
        file.write(b"\n")
        file.flush()
        live = read_live(tmp_path, remembered)
    assert numbers(live) == [2, 1]
    assert live.num_completions == 2


@pytest.mark.parametrize(
    "garbage",
    [b"\n" * 50, b"\xff" * 200 + b"\n", b"00000000 C \n", b"x" * 10_000 + b"\n"],
)
def test_a_damaged_line_is_left_out(
    tmp_path: Path, journal: Journal, garbage: bytes
) -> None:
    with journal:
        journal.append(completion(1))
        with journal.path.open("ab") as file:
            file.write(garbage)
        journal.append(completion(2))
    live = read(tmp_path)
    assert numbers(live) == [2, 1]


def test_a_long_text_is_cut(tmp_path: Path, journal: Journal) -> None:
    with journal:
        journal.append(completion(1, "é" * 10_000))
    [answer] = read(tmp_path).answers
    assert answer.text is not None
    assert answer.text.text == "é" * 600
    assert answer.text.num_chars == 10_000


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "build"
    with AnswerStore(other).create_journal({}) as journal:
        journal.append(completion(1))
    folder.mkdir()
    (folder / ANSWERS).symlink_to(other / ANSWERS)
    live = read(folder)
    assert live.answers == ()
    assert live.fault is not None
    (folder / ANSWERS).unlink()
    (folder / ANSWERS).mkdir()
    (folder / ANSWERS / "gen-0001").symlink_to(journal.path.parent)
    assert read(folder).answers == ()
    (folder / ANSWERS / "gen-0001").unlink()
    (folder / ANSWERS / "gen-0001").mkdir()
    (folder / ANSWERS / "gen-0001" / "a.journal").symlink_to(journal.path)
    assert read(folder).answers == ()


@pytest.mark.parametrize("what", ["nothing", "empty", "file"])
def test_a_folder_without_answers_has_none(tmp_path: Path, what: str) -> None:
    if what == "empty":
        (tmp_path / ANSWERS / "gen-0001").mkdir(parents=True)
    if what == "file":
        (tmp_path / ANSWERS).write_text("")
    live = read(tmp_path)
    assert live.answers == ()
    assert not live.is_running


def test_a_build_is_read_while_it_is_written(tmp_path: Path) -> None:
    """Answers only ever grow, each is one that was stored, and the lock stays free."""
    store = AnswerStore(tmp_path)
    stop = threading.Event()

    def write() -> None:
        with store.lock(), store.create_journal({}) as journal:
            number = 0
            while not stop.is_set() or number < 500:
                number += 1
                journal.append(completion(number))

    writer = threading.Thread(target=write)
    writer.start()
    remembered = Remembered()
    seen = 0
    try:
        for _ in range(50):
            live = read_live(tmp_path, remembered, 20)
            assert live.fault is None
            found = numbers(live)
            assert found == sorted(found, reverse=True)
            assert live.num_completions >= seen
            seen = live.num_completions
    finally:
        stop.set()
        writer.join()
    live = read_live(tmp_path, remembered, 20)
    assert not live.is_running
    assert live.num_completions == numbers(live)[0]
