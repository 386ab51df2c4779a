"""Files: atomic writes, JSON records, JSON lines with a torn end, locks."""

from pathlib import Path

import pytest
from pydantic import Field

from cotbuild.schemas import files
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError, StoreError
from cotbuild.schemas.files import (
    JsonLinesWriter,
    append_json_line,
    file_lock,
    read_json_lines,
    read_record,
    write_record,
    write_text_atomic,
)
from cotbuild.schemas.record import FORMAT_VERSION, Record

REMEDY = "Remove it to start over."


class Note(Record):
    """A small record."""

    format_version: int = Field(default=FORMAT_VERSION, description="Version.")
    name: str = Field(default="", description="A name.")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "note.txt"
    write_text_atomic(path, "old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_text_atomic(path, "new")
    with pytest.raises(StoreError, match=r"could not be written: No space left"):
        write_record(path, Note())
    assert [p.name for p in path.parent.iterdir()] == ["note.txt"]
    assert path.read_text() == "old"


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    assert read_record(path, Note, remedy=REMEDY) is None
    write_record(path, Note(name="é"))
    assert path.read_text() == '{\n  "format_version": 1,\n  "name": "é"\n}\n'
    assert read_record(path, Note, remedy=REMEDY) == Note(name="é")
    write_record(path, Note(name="é"), indent=None)
    assert path.read_text() == '{"format_version": 1, "name": "é"}\n'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON: "),
        (b"\xff", "not JSON: "),
        (b"[" * 200_000, "nested deeper than 100 levels"),
        (b"[1]", r"\[1\] is not a JSON object"),
        (b"{}", "format version None"),
        (b'{"format_version": 2}', "newer cotbuild"),
        (b'{"format_version": 1, "nme": ""}', "nme"),
    ],
)
def test_a_damaged_record_ends_in_one_line(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(data)
    for error in (DataError, ConfigError):
        with pytest.raises(error, match=message) as caught:
            read_record(path, Note, remedy=REMEDY, error=error)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_a_record_that_cannot_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be read: Is a directory") as caught:
        read_record(tmp_path, Note, remedy=REMEDY)
    assert REMEDY not in str(caught.value)


def test_a_huge_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_RECORD_BYTES", 1 << 20)
    path = tmp_path / "note.json"
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(DataError, match="larger than 1 MiB"):
        read_record(path, Note, remedy=REMEDY)


@pytest.mark.parametrize("torn", [b"", b'{"n"', b"x" * 200_000])
@pytest.mark.parametrize("whole", [b"", b'{"n": 0}\n'])
def test_a_torn_last_line_is_dropped_and_cut_before_the_next(
    tmp_path: Path, whole: bytes, torn: bytes
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(whole + torn)
    before = read_json_lines(path, remedy=REMEDY)
    assert before.num_dropped == bool(torn)
    append_json_line(path, '{"n": 1}', fsync=True)
    after = read_json_lines(path, remedy=REMEDY)
    assert after == ([*before.values, {"n": 1}], 0)
    assert path.read_bytes() == whole + b'{"n": 1}\n'


def test_a_missing_file_holds_no_lines(tmp_path: Path) -> None:
    assert read_json_lines(tmp_path / "none.jsonl", remedy=REMEDY) == ([], 0)
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "none.jsonl"
    assert read_json_lines(inside, remedy=REMEDY) == ([], 0)
    with pytest.raises(StoreError, match="could not be written"):
        append_json_line(inside, "{}", fsync=False)


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"n":'])
def test_a_damaged_line_is_named_or_skipped(tmp_path: Path, line: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(f'{{"n": 0}}\n\n{line}\n{{"n": 1}}\n')
    error: type[CotbuildError]
    for error in (DataError, StoreError):
        with pytest.raises(error, match=r"lines\.jsonl line 3: .*Remove it"):
            read_json_lines(path, remedy=REMEDY, error=error)
    skipped = read_json_lines(path, remedy=REMEDY, skip_damaged=True)
    assert skipped == ([{"n": 0}, {"n": 1}], 1)


def test_an_exclusive_writer_shuts_out_another(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with JsonLinesWriter(path, exclusive=True) as writer:
        writer.append("{}", fsync=False)
        with pytest.raises(StoreError, match="another process is writing"):
            JsonLinesWriter(path, exclusive=True)
    with JsonLinesWriter(path, exclusive=True):
        assert path.read_text() == "{}\n"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path, wait=False) as first, file_lock(path, wait=False) as second:
        assert (first, second) == (True, False)
    with file_lock(path, wait=True) as acquired:
        assert acquired
