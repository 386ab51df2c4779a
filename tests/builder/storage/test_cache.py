"""Checksums of files that may be edited are cached by all that an edit changes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.sources.files import reader
from cotbuild.builder.storage import cache
from cotbuild.builder.storage.cache import sha256_of_unchanged
from cotbuild.schemas.files import file_sha256


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"two")
    keep_time(path, other)
    other.replace(path)


def overwrite(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"two")
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # clocks tick in milliseconds
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def keep_time(path: Path, other: Path) -> None:
    before = path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("edit", [replace, overwrite])
def test_an_edit_of_the_same_size_and_time_is_seen(
    edit: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "SETTLED_S", -1)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one")
    before = sha256_of_unchanged(path, tmp_path)
    assert list((tmp_path / "checksums").iterdir())
    assert sha256_of_unchanged(path, tmp_path) == before == file_sha256(path)
    edit(path)
    assert sha256_of_unchanged(path, tmp_path) == file_sha256(path) != before


def test_a_file_that_was_just_written_is_not_cached(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one")
    assert sha256_of_unchanged(path, tmp_path) == file_sha256(path)
    assert not (tmp_path / "checksums").exists()


def test_a_large_source_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "SETTLED_S", -1)
    monkeypatch.setattr(reader, "_CACHED_BYTES", 3)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one")
    found = reader.FileRows(path).checksum()
    [entry] = (tmp_path / "cache" / "checksums").iterdir()
    other = entry.read_text().replace(found, "0" * 64)
    entry.write_text(other)
    assert reader.FileRows(path).checksum() == "0" * 64
