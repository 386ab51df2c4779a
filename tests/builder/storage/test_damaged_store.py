"""Journals that are not as they were written: one line with advice, nothing lost."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.storage import answer_store, journal
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import (
    COMPLETION,
    FAILURE,
    HEADER,
    REMEDY,
    encode_line,
)
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import CotbuildError, StoreError
from cotbuild.schemas.record import FORMAT_VERSION


def key(number: int) -> str:
    return f"{number:032x}" * 2


def line(number: int, body: str | None = None, status: int = COMPLETION) -> bytes:
    if body is None:
        body = json.dumps({"text": f"answer {number}", "finish_reason": "stop"})
    return encode_line(status, key(number), body)


HEADER_LINE = encode_line(
    HEADER, key(0), json.dumps({"format_version": FORMAT_VERSION})
)
WHOLE = HEADER_LINE + line(1) + line(2)


def read_all(store: AnswerStore, count: int = 3) -> list[Completion]:
    """Read the answers to the first keys, as planning a run does."""
    store.state_digest()
    index = store.read_index()
    found = []
    with index.open_reader() as reader:
        for number in range(1, count):
            place = index.find(bytes.fromhex(key(number)[:32]))
            if place is not None:
                answer = reader.read(place)
                assert isinstance(answer, Completion)
                found.append(answer)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".answers" / "gen-0001"
    folder.mkdir(parents=True)
    (folder / "a.journal").write_bytes(WHOLE)
    return folder


@pytest.fixture
def store(folder: Path) -> AnswerStore:
    return AnswerStore(folder.parent.parent)


LINES = {
    "broken JSON": line(1, '{"text": '),
    "JSON that is a list": line(1, "[1]"),
    "nested JSON": line(1, "[" * 100_000),
    "long number": line(1, '{"text": ' + "9" * 5_000 + "}"),
    "bytes that are not UTF-8": None,
    "lone surrogate": line(1, r'{"text": "\ud800", "finish_reason": "stop"}'),
    "unknown field": line(1, '{"texts": "so"}'),
    "missing kind": line(1, '{"message": "so"}', FAILURE),
    "unknown kind": line(1, '{"kind": "rude", "message": "so"}', FAILURE),
    "unknown status": line(1, status=ord("Z")),
    "key that is not hex": encode_line(COMPLETION, "z" * 64, "{}"),
    "key with spaces": encode_line(COMPLETION, "ab " * 21 + "a", "{}"),
    "header that is a list": encode_line(HEADER, key(0), "[1]"),
    "header of broken JSON": encode_line(HEADER, key(0), "{"),
    "header without a version": encode_line(HEADER, key(0), "{}"),
    "header of a long version": encode_line(
        HEADER, key(0), '{"format_version": ' + "9" * 5_000 + "}"
    ),
}


def broken_utf8() -> bytes:
    import zlib

    rest = line(1)[9:-1].replace(b"answer", b"\xff\xff\xff\xff\xff\xff")
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


@pytest.mark.parametrize("kind", LINES)
def test_a_whole_line_of_other_content_is_named(
    kind: str, folder: Path, store: AnswerStore
) -> None:
    path = folder / "b.journal"
    path.write_bytes(HEADER_LINE + (LINES[kind] or broken_utf8()) + line(3))
    # The damaged answer is needed: the other journal does not have it.
    (folder / "a.journal").unlink()
    with pytest.raises(StoreError) as caught:
        read_all(store)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 500
    if "version" not in kind:
        assert message.endswith(REMEDY)
        # The advice works: what other journals hold stays.
        path.rename(folder.parent / "kept")
        (folder / "a.journal").write_bytes(WHOLE)
        assert len(read_all(store)) == 2


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


OTHER_FILES: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "pipe": make_pipe,
    "device": make_device,
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_a_journal_that_is_no_file_is_named(
    kind: str, folder: Path, store: AnswerStore
) -> None:
    path = folder / "b.journal"
    OTHER_FILES[kind](path)
    with pytest.raises(
        StoreError, match=r"b\.journal: not a regular file\. "
    ) as caught:
        read_all(store)
    assert str(caught.value).endswith(REMEDY)


def fail(number: int) -> Callable[..., object]:
    def open_file(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return open_file


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (13, "Permission denied. Give yourself permission to read it."),
        (24, "Too many open files. Raise the limit of open files (`ulimit -n`)."),
        (5, f"Input/output error. {REMEDY}"),
    ],
)
def test_a_journal_that_cannot_be_read_keeps_its_answers(
    number: int,
    advice: str,
    folder: Path,
    store: AnswerStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "open", fail(number))
    with pytest.raises(StoreError) as caught:
        read_all(store)
    path = folder / "a.journal"
    assert str(caught.value) == f"{path}: could not be read: {advice}"


@pytest.mark.parametrize("name", [".answers", "gen-0001"])
def test_a_store_that_cannot_be_read_is_not_an_empty_one(
    name: str, store: AnswerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def iterdir(path: Path) -> object:
        return fail(13)() if path.name == name else listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(
        StoreError, match=f"{name}: could not be read: Permission denied"
    ):
        read_all(store)


def test_a_generation_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".answers").mkdir()
    (tmp_path / ".answers" / "gen-0001").touch()
    with pytest.raises(
        StoreError, match="gen-0001: could not be read: Not a directory"
    ):
        read_all(AnswerStore(tmp_path))


def test_a_line_over_the_bound_is_named(
    store: AnswerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_LINE_BYTES", 130)
    with pytest.raises(StoreError, match=r"line at offset [0-9]+ is longer than 0 MiB"):
        read_all(store)


def test_many_journals_need_few_open_files(folder: Path, store: AnswerStore) -> None:
    count = 200
    (folder / "a.journal").unlink()
    for number in range(1, count):
        (folder / f"{number:03}.journal").write_bytes(HEADER_LINE + line(number))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    limit = open_now + answer_store.MAX_OPEN_JOURNALS + 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        for _ in range(2):
            assert len(read_all(store, count)) == count - 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert len(list(Path("/proc/self/fd").iterdir())) <= open_now


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_bytes_end_in_answers_or_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("store") / ".answers" / "gen-0001"
    folder.mkdir(parents=True)
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3)
        )
    (folder / "a.journal").write_bytes(content)
    message = ""
    try:
        answers = read_all(AnswerStore(folder.parent.parent))
    except CotbuildError as error:
        message = str(error)
    else:
        assert {answer.text for answer in answers} <= {"answer 1", "answer 2"}
    assert "\n" not in message
