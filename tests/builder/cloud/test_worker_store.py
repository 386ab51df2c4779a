"""A worker's part of a build on a store: what a killed one left is shipped by the next."""

from pathlib import Path

import pytest

from cotbuild.builder.cloud.blobs import open_blobs
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.cloud.worker_store import open_worker_store
from cotbuild.builder.terminal import Terminal
from tests.builder.cloud.conftest import new_place
from tests.support.object_stores import ObjectServer


@pytest.fixture
def place(
    moto: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StoreUrl:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    return new_place(moto.scheme)


def write_journal(folder: Path, name: str, data: bytes) -> Path:
    path = folder / ".answers" / "gen-0001" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_what_a_killed_worker_left_is_shipped_by_the_next_and_nothing_else_brought(
    place: StoreUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = open_blobs(place.child(".answers"))
    answers.write("gen-0001/other.journal/000001", b"1\n" * 1000)
    with open_worker_store(place, Terminal()) as store:
        folder = store.folder
    # A killed worker had shipped one line of two, and half of a third was on its disk.
    answers.write("gen-0001/killed.journal/000001", b"1\n")
    write_journal(folder, "killed.journal", b"1\n2\n3")
    with open_worker_store(place, Terminal()) as store:
        assert store.folder == folder
        assert not (folder / ".answers" / "gen-0001").exists()
        assert answers.read("gen-0001/killed.journal/000002") == b"2\n"
        own = write_journal(folder, "own.journal", b"4\n")
        assert store.bring("gen-0001/killed.journal") == 4
    assert (
        "shipped the answers that a killed worker left here" in capsys.readouterr().err
    )
    assert answers.read("gen-0001/own.journal/000001") == b"4\n"
    assert not own.exists()


def test_two_workers_here_have_a_place_each(place: StoreUrl) -> None:
    with (
        open_worker_store(place, Terminal()) as one,
        open_worker_store(place, Terminal()) as two,
    ):
        assert one.folder != two.folder
