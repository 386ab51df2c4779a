"""Journals on a store: shipped from the disk they are written on, brought to others.

A journal grows on a disk, where each line is safe first. What was added is shipped as a
segment, a file of whole lines that is only created:

URL/.answers/gen-0001/20260101T000000000000-0123abcd.journal/000001

The segments of a journal in order are its bytes. Only whoever writes a journal has more
of it than the store, so what is missing there is known from the sizes alone.
"""

import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.blobs import Blob, Blobs
from cotbuild.builder.storage.places import plain_place, safe_path
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import write_error

SEGMENT_BYTES = 8 << 20
"""Most bytes of a segment; a longer line has one of its own."""
SHIP_EVERY_S = 30.0
"""Longest time that a stored answer is on one disk alone."""
_LOOK_EVERY_S = 1.0
_GENERATION = re.compile(r"gen-\d{4}", re.ASCII)
_SEGMENT = re.compile(r"(gen-\d{4})/([\w.-]+\.journal)/(\d{6})", re.ASCII)


class _Segment(NamedTuple):
    number: int
    num_bytes: int


class JournalCopies:
    """The journals of an answer store, on a disk and on a store.

    Safe for several threads. `blobs` has its root at `.answers` of the build, `store` is
    the answer store on this disk.
    """

    def __init__(self, blobs: Blobs, store: AnswerStore) -> None:
        self._blobs = blobs
        self._root = store.root
        self._store = store
        self._lock = threading.Lock()
        self._shipped: dict[str, list[_Segment]] = {}

    # -- from the store

    def bring(self, journal: str = "") -> int:
        """Append what the store has more of a journal; return the number of bytes.

        `journal` is `gen-0001/NAME`; by default all of every generation. Raises
        StoreError if segments cannot be read or written here.
        """
        with self._lock:
            found = self._list_segments(journal)
            self._shipped.update(found)
            return sum(
                self._bring_one(name, segments) for name, segments in found.items()
            )

    def _list_segments(self, prefix: str) -> dict[str, list[_Segment]]:
        """Return the segments of each journal, in order."""
        blobs: list[Blob] = []
        if prefix:
            blobs += self._blobs.list(prefix)
        else:
            for generation in self._generations():
                blobs += self._blobs.list(generation)
        found: dict[str, list[_Segment]] = defaultdict(list)
        for blob in blobs:
            match = _SEGMENT.fullmatch(blob.path)
            if match is not None:
                journal = f"{match[1]}/{match[2]}"
                found[journal].append(_Segment(int(match[3]), blob.num_bytes))
        for journal, segments in found.items():
            numbers = [segment.number for segment in segments]
            if numbers != list(range(1, len(numbers) + 1)):
                raise StoreError(
                    f"{self._blobs.url}/{journal}: segment {len(numbers)} or one before "
                    "it is missing. Restore it from a copy, or delete the later ones: "
                    "requests whose answers they had are then sent again."
                )
        return dict(found)

    def _generations(self) -> list[str]:
        """Return the generations on the store; one that stored no answer is not there."""
        folders = self._blobs.list_folders("")
        return [name for name in folders if _GENERATION.fullmatch(name)]

    def _bring_one(self, journal: str, segments: list[_Segment]) -> int:
        place = self._place(journal)
        try:
            size = place.stat().st_size if place.exists() else 0
            kept, start = 0, 0
            for segment in segments:
                if start + segment.num_bytes > size:
                    break
                start += segment.num_bytes
                kept += 1
            missing = segments[kept:]
            if not missing:
                return 0
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("ab") as file:
                file.truncate(start)  # part of a segment, left by a kill
                for segment in missing:
                    file.write(self._read_segment(journal, segment))
                file.flush()
                os.fsync(file.fileno())
        except StoreError:
            raise
        except OSError as error:
            raise write_error(place, error) from error
        return sum(segment.num_bytes for segment in missing)

    def _read_segment(self, journal: str, segment: _Segment) -> bytes:
        path = _segment_path(journal, segment.number)
        data = self._blobs.read(path)
        if data is None or len(data) != segment.num_bytes:
            raise StoreError(
                f"{self._blobs.url}/{path}: it was listed with {segment.num_bytes} bytes "
                f"and read with {'none' if data is None else len(data)}. Run again."
            )
        return data

    # -- to the store

    def ship(self) -> int:
        """Ship every whole line that only this disk has; return the number of bytes.

        Raises StoreError; what was not shipped is with the next call.
        """
        with self._lock:
            return sum(self._ship_one(path) for path in self._store.all_journals)

    @property
    def num_unshipped(self) -> int:
        """Bytes that only this disk has."""
        with self._lock:
            return sum(
                max(0, _size(path) - self._shipped_bytes(_name(path)))
                for path in self._store.all_journals
            )

    def _ship_one(self, path: Path) -> int:
        journal = _name(path)
        total = 0
        while data := self._read_lines(path, self._shipped_bytes(journal)):
            segments = self._shipped.setdefault(journal, [])
            number = len(segments) + 1
            num_bytes = self._ship_segment(path, _segment_path(journal, number), data)
            segments.append(_Segment(number, num_bytes))
            total += num_bytes
        return total

    def _ship_segment(self, path: Path, target: str, data: bytes) -> int:
        """Create a segment from whole lines; return how many bytes of them it has.

        An earlier call that failed may have written the lines that there were then: its
        answer was lost, or half of its bytes arrived.
        """
        if self._blobs.create(target, data):
            return len(data)
        stored = self._blobs.read(target)
        if stored is None or not data.startswith(stored):
            raise StoreError(
                f"{self._blobs.url}/{target}: it exists, with other bytes than "
                f"{path} has there. Two runs wrote one journal; move {path} away."
            )
        if stored.endswith(b"\n"):
            return len(stored)
        self._blobs.write(target, data)
        return len(data)

    def _shipped_bytes(self, journal: str) -> int:
        return sum(segment.num_bytes for segment in self._shipped.get(journal, ()))

    def _read_lines(self, path: Path, start: int) -> bytes:
        """Return whole lines from an offset on, on this disk for good; empty: none."""
        try:
            if _size(path) <= start:
                return b""
            with path.open("rb") as file:
                os.fsync(file.fileno())
                file.seek(start)
                data = file.read(SEGMENT_BYTES)
                end = data.rfind(b"\n") + 1
                if end or len(data) < SEGMENT_BYTES:
                    return data[:end]
                rest = file.readline()
                return data + rest if rest.endswith(b"\n") else b""
        except OSError as error:
            raise StoreError(
                f"{path}: could not be read: {error.strerror or error}."
            ) from error

    def _place(self, journal: str) -> Path:
        relative = safe_path(journal, self._blobs.url, StoreError)
        return plain_place(self._root, relative, str(self._root), StoreError)


class JournalShipper:
    """Ships journals in a thread, every 30 s or 8 MiB. A context manager.

    After a failure it is tried again; `say` hears of the first one, and when shipping
    succeeds again. At the end `ship` has to succeed, which is up to the caller.
    """

    def __init__(
        self,
        ship: Callable[[], object],
        copies: JournalCopies,
        say: Callable[[str], None],
    ) -> None:
        self._ship = ship
        self._copies = copies
        self._say = say
        self._is_failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, daemon=True, name="journal-shipper"
        )

    def __enter__(self) -> "JournalShipper":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        waited_s = 0.0
        while not self._stop.wait(_LOOK_EVERY_S):
            waited_s += _LOOK_EVERY_S
            try:
                is_full = self._copies.num_unshipped >= SEGMENT_BYTES
                if not is_full and waited_s < SHIP_EVERY_S:
                    continue
                waited_s = 0.0
                self._ship()
            except OSError as error:  # a StoreError is one
                self._note_failure(error)
            else:
                self._note_success()

    def _note_failure(self, error: OSError) -> None:
        if not self._is_failing:
            self._say(f"answers are kept on this disk alone for now: {error}")
        self._is_failing = True

    def _note_success(self) -> None:
        if self._is_failing:
            self._say("answers are shipped to the store again")
        self._is_failing = False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise StoreError(
            f"{path}: could not be read: {error.strerror or error}."
        ) from error


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _segment_path(journal: str, number: int) -> str:
    return f"{journal}/{number:06d}"
