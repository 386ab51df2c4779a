"""What only a folder of Blobs does; the contract is in tests/builder/cloud."""

import os
from pathlib import Path

import pytest

from cotbuild.builder.storage.blobs import LocalBlobs
from cotbuild.schemas.errors import StoreError


def test_a_link_whose_reply_was_lost_has_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an NFS client repeats a request, and its own link is already there."""
    link = os.link

    def link_twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    blobs = LocalBlobs(tmp_path)
    assert blobs.create("lease", b"mine")
    assert not blobs.create("lease", b"yours")
    assert blobs.read("lease") == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["lease"]
    assert (tmp_path / "lease").stat().st_nlink == 1


def test_a_file_in_place_of_a_folder_is_an_error_and_no_lost_race(
    tmp_path: Path,
) -> None:
    blobs = LocalBlobs(tmp_path)
    assert blobs.create("unit", b"")
    with pytest.raises(StoreError, match="is not a directory but a file"):
        blobs.create("unit/1", b"")


def test_a_file_that_is_being_written_is_not_listed(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    blobs.create("a", b"1")
    (tmp_path / ".b.12345678").write_bytes(b"a writer was killed here")
    assert [blob.path for blob in blobs.list("")] == ["a"]
