"""Journals in segments: whole lines, in order, one writer; and the lease of a build."""

from pathlib import Path

import pytest

from cotbuild.builder.cloud import build_lease, journals
from cotbuild.builder.cloud.build_lease import BuildLease
from cotbuild.builder.cloud.journals import JournalCopies, JournalShipper
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.blobs import LocalBlobs
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import StoreError
from tests.support.waiting import wait_until


def completion(number: int) -> Completion:
    return Completion.parse(
        {
            "request_key": f"{number:064x}",
            "text": f"text {number}",
            "finish_reason": "stop",
            "prompt_tokens": 1,
            "completion_tokens": 2,
        },
        "test",
    )


def test_a_journal_is_shipped_as_it_grows_and_brought_as_it_is(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "store")
    here, there = AnswerStore(tmp_path / "here"), AnswerStore(tmp_path / "there")
    ours, theirs = JournalCopies(blobs, here), JournalCopies(blobs, there)
    with here.create_journal({}) as journal:
        for number in range(5):
            journal.append(completion(number))
            assert ours.num_unshipped > 0
            assert ours.ship() > 0
            assert ours.ship() == 0
            assert ours.num_unshipped == 0
            theirs.bring()
        journal.finish()
    ours.ship()
    assert theirs.bring() > 0
    assert theirs.bring() == 0
    (copy,) = there.journals
    assert copy.read_bytes() == journal.path.read_bytes()
    assert len(list(blobs.list(""))) == 6
    # What was brought is nothing to ship.
    assert theirs.ship() == 0


def test_a_torn_line_is_not_shipped_and_a_torn_copy_is_mended(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "store")
    here, there = AnswerStore(tmp_path / "here"), AnswerStore(tmp_path / "there")
    with here.create_journal({}) as journal:
        for number in range(3):
            journal.append(completion(number))
            JournalCopies(blobs, here).bring()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b"torn")
    ours = JournalCopies(blobs, here)
    ours.ship()
    assert b"".join(blobs.read(blob.path) or b"" for blob in blobs.list("")) == whole
    theirs = JournalCopies(blobs, there)
    theirs.bring()
    (copy,) = there.journals
    copy.write_bytes(whole[:-7])
    assert theirs.bring() > 0
    assert copy.read_bytes() == whole


def test_segments_are_bounded_and_a_long_line_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 200)
    blobs = LocalBlobs(tmp_path / "store")
    store = AnswerStore(tmp_path / "here")
    store.start_generation()
    path = store.generations[-1] / "a.journal"
    lines = [b"x" * 80 + b"\n"] * 5 + [b"y" * 900 + b"\n"] + [b"z\n"]
    path.write_bytes(b"".join(lines))
    JournalCopies(blobs, store).ship()
    sizes = [blob.num_bytes for blob in blobs.list("")]
    assert sum(sizes) == path.stat().st_size
    assert sizes == [162, 162, 81, 901, 2]
    read = b"".join(blobs.read(blob.path) or b"" for blob in blobs.list(""))
    assert read == path.read_bytes()


def test_all_generations_are_found_and_missing_segments_refused(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "store")
    blobs.write("gen-0002/a.journal/000001", b"1\n")
    blobs.write("gen-0004/b.journal/000001", b"2\n")
    blobs.write("gen-0004/b.journal/000002", b"3\n")
    store = AnswerStore(tmp_path / "here")
    assert JournalCopies(blobs, store).bring() == 6
    assert [path.read_bytes() for path in store.all_journals] == [b"1\n", b"2\n3\n"]
    blobs.delete("gen-0004/b.journal/000001")
    with pytest.raises(StoreError, match="is missing"):
        JournalCopies(blobs, AnswerStore(tmp_path / "new")).bring()


def test_two_writers_of_one_journal_are_found_out(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "store")
    for name, line in (("one", b"1\n"), ("two", b"2\n")):
        store = AnswerStore(tmp_path / name)
        store.start_generation()
        (store.generations[-1] / "a.journal").write_bytes(line)
    JournalCopies(blobs, AnswerStore(tmp_path / "one")).ship()
    with pytest.raises(StoreError, match="Two runs wrote one journal"):
        JournalCopies(blobs, AnswerStore(tmp_path / "two")).ship()


def test_lines_whose_answer_was_lost_are_shipped_once(tmp_path: Path) -> None:
    """Whatever an earlier try stored of them: whole lines, half of one, nothing."""
    for number, stored in enumerate((b"1\n2\n", b"1\n2", b"")):
        blobs = LocalBlobs(tmp_path / f"store-{number}")
        store = AnswerStore(tmp_path / f"here-{number}")
        store.start_generation()
        path = store.generations[-1] / "a.journal"
        path.write_bytes(b"1\n2\n3\n")
        copies = JournalCopies(blobs, store)
        blobs.write("gen-0001/a.journal/000001", stored)
        assert copies.ship() == 6
        theirs = AnswerStore(tmp_path / f"there-{number}")
        JournalCopies(blobs, theirs).bring()
        assert [copy.read_bytes() for copy in theirs.journals] == [b"1\n2\n3\n"]


class BlobsWithOutages(LocalBlobs):
    """A store that creates nothing while `is_down`."""

    is_down = False

    def create(self, path: str, data: bytes) -> bool:
        if self.is_down:
            raise StoreError("the store is down")
        return super().create(path, data)


def test_an_outage_is_reported_once_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "SHIP_EVERY_S", 0.01)
    monkeypatch.setattr(journals, "_LOOK_EVERY_S", 0.01)
    blobs, store = BlobsWithOutages(tmp_path / "store"), AnswerStore(tmp_path / "here")
    store.start_generation()
    path = store.generations[-1] / "a.journal"
    path.write_bytes(b"1\n")
    copies, said, tries = JournalCopies(blobs, store), list[str](), []

    def ship() -> None:
        tries.append("one")
        copies.ship()

    blobs.is_down = True
    with JournalShipper(ship, copies, said.append):
        wait_until(lambda: len(tries) >= 3)
        assert len(said) == 1
        assert "the store is down" in said[0]
        blobs.is_down = False
        wait_until(lambda: len(said) == 2)
    assert said[1] == "answers are shipped to the store again"
    assert copies.num_unshipped == 0


def test_no_renewal_deletes_the_first_files_of_a_lease(tmp_path: Path) -> None:
    """Whoever listed before them must not get their numbers."""
    blobs = LocalBlobs(tmp_path)
    with BuildLease(blobs, "one", print, lease_s=600.0) as lease:
        for _ in range(3):
            lease._renew()
        assert len(list(blobs.list(""))) == 4
        for _ in range(build_lease._KEPT):
            lease._renew()
        assert len(list(blobs.list(""))) == build_lease._KEPT


def test_a_lease_is_refused_while_it_is_renewed_and_free_afterwards(
    tmp_path: Path,
) -> None:
    blobs = LocalBlobs(tmp_path)
    with BuildLease(blobs, "one", print, lease_s=600.0) as lease:
        said: list[str] = []

        def renew(line: str) -> None:
            said.append(line)
            lease._renew()

        with (
            pytest.raises(StoreError, match="in use by another cotbuild run, 'one'"),
            BuildLease(blobs, "two", renew, lease_s=600.0),
        ):
            pass
        lease.check()
    assert "held by 'one'; waiting 600 s" in said[0]
    with BuildLease(blobs, "two", renew, lease_s=600.0):
        pass
    assert len(said) == 1


def test_a_dead_lease_is_taken_over_and_by_its_own_mirror_at_once(
    tmp_path: Path,
) -> None:
    blobs = LocalBlobs(tmp_path)
    said: list[str] = []
    dead = BuildLease(blobs, "dead", said.append, lease_s=1.0)
    assert dead._create(1, is_released=False)
    with BuildLease(blobs, "dead", said.append, lease_s=1.0):
        assert said == []
    assert dead._create(4, is_released=False)
    with BuildLease(blobs, "other", said.append, lease_s=1.0) as lease:
        assert len(said) == 1
        dead._number = 4
        dead._renew()
        lease.check()
        with pytest.raises(StoreError, match="took the build over"):
            dead.check()
