"""The answer store: every answer of a teacher to a build's requests, by request key.

.answers/
  lock                    locked with flock while a run writes
  teacher.json            teacher identities, resolved once (see teachers/identity.py)
  logs/                   logs of managed servers
  gen-0001/*.journal      answers; --fresh starts gen-0002, `cotbuild clean` deletes gen-0001
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.storage.journal import (
    COMPLETION,
    FAILURE,
    FINAL_FAILURE,
    REJECTION,
    Journal,
    decode_answer,
    is_complete,
    read_lines,
)
from cotbuild.builder.storage.keys import KEY_DTYPE
from cotbuild.builder.storage.places import plain_folder, plain_place
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import write_error
from cotbuild.schemas.fingerprint import digest

ANSWERS = ".answers"

# An answer's place is one 64-bit number: 2 bits of rank, 14 of journal, 48 of offset.
_RANK_SHIFT = 62
_JOURNAL_SHIFT = 48
MAX_JOURNALS = 1 << (_RANK_SHIFT - _JOURNAL_SHIFT)
"""Maximum number of journals in a generation."""
_LOCATION_MASK = (1 << _RANK_SHIFT) - 1
_COMPLETED, _FINAL, _RETRYABLE = range(3)


class AnswerReader:
    """Reads answers by place from open journals.

    Answers lie in about the order in which they are needed, so that the file buffers
    serve most reads.
    """

    def __init__(self, journals: list[Path], stack: ExitStack) -> None:
        self._journals = journals
        self._stack = stack
        self._files: dict[int, BinaryIO] = {}

    def read(self, place: int) -> Answer:
        """Read the answer at a place that `AnswerIndex.find` returned."""
        number = place >> _JOURNAL_SHIFT & (MAX_JOURNALS - 1)
        offset = place & ((1 << _JOURNAL_SHIFT) - 1)
        file = self._open_journal(number)
        file.seek(offset)
        return decode_answer(file.readline())

    def _open_journal(self, number: int) -> BinaryIO:
        file = self._files.get(number)
        if file is None:
            file = self._stack.enter_context(self._journals[number].open("rb"))
            self._files[number] = file
        return file


class AnswerIndex:
    """The place of the answer to each key: 24 bytes per answer, sorted by key.

    Of several answers to one key the first completion counts, in the order of (journal
    name, offset); without a completion, the last failure. Raises StoreError if a journal
    is damaged or there are more than MAX_JOURNALS.
    """

    def __init__(self, journals: list[Path]) -> None:
        if len(journals) > MAX_JOURNALS:
            raise StoreError(
                f"{journals[0].parent}: {len(journals)} journals, more than {MAX_JOURNALS}. "
                "Start a new generation with --fresh."
            )
        self.journals = journals
        self.num_torn = 0
        """Torn last lines of journals, which were dropped."""
        keys, places = bytearray(), bytearray()
        for number, path in enumerate(journals):
            ranks = _ranks_of(path)
            for line in read_lines(path):
                if line is None:
                    self.num_torn += 1
                    continue
                rank = ranks[line.status]
                place = rank << _RANK_SHIFT | number << _JOURNAL_SHIFT | line.offset
                keys += line.key
                places += place.to_bytes(8, "little")
        self._keys, self._places = _keep_best(
            np.frombuffer(keys, KEY_DTYPE), np.frombuffer(places, "<u8")
        )

    def find(self, key: bytes) -> int | None:
        """Return the place of the answer to a key of 16 bytes, or None."""
        i = int(np.searchsorted(self._keys, np.bytes_(key)))
        # A slice, not an element: numpy strips trailing NULs from an element of a bytes
        # array.
        found = self._keys[i : i + 1].tobytes() == key
        return int(self._places[i]) if found else None

    def is_retryable(self, place: int) -> bool:
        """Return whether the answer is a failure that the next run retries."""
        return place >> _RANK_SHIFT == _RETRYABLE

    def is_failure(self, place: int) -> bool:
        """Return whether the answer is a failure of any kind."""
        return place >> _RANK_SHIFT != _COMPLETED

    @contextmanager
    def open_reader(self) -> Iterator[AnswerReader]:
        """Yield a reader of answers by place, which opens journals as needed."""
        with ExitStack() as stack:
            yield AnswerReader(self.journals, stack)


def _ranks_of(journal: Path) -> dict[int, int]:
    """Return the rank of each status in a journal."""
    return {
        COMPLETION: _COMPLETED,
        REJECTION: _FINAL if is_complete(journal) else _RETRYABLE,
        FINAL_FAILURE: _FINAL,
        FAILURE: _RETRYABLE,
    }


def _keep_best(
    keys: NDArray[Any], places: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sort by key and keep the first completion of each, or else its last failure."""
    is_failure = places >> _RANK_SHIFT != _COMPLETED
    # Above every completion, and falling as the location rises.
    of_failures = np.uint64(2 * _LOCATION_MASK) - (places & np.uint64(_LOCATION_MASK))
    precedence = np.where(is_failure, of_failures, places)
    order = np.lexsort((precedence, keys))
    keys, places = keys[order], places[order]
    is_first = np.ones(len(keys), bool)
    is_first[1:] = keys[1:] != keys[:-1]
    return keys[is_first], places[is_first]


class AnswerStore:
    """The answer store of one build directory.

    Reading needs no lock; a run that writes takes it with `lock`.
    """

    def __init__(self, build_dir: Path) -> None:
        self.root = build_dir / ANSWERS
        self.logs = self.root / "logs"

    @property
    def generations(self) -> list[Path]:
        """Folders of journals, oldest first; the last is the current one."""
        return sorted(
            path
            for path in self.root.glob("gen-*")
            if re.fullmatch(r"gen-\d{4}", path.name)
        )

    @property
    def journals(self) -> list[Path]:
        """Journals of the current generation, in order of precedence."""
        generations = self.generations
        return sorted(generations[-1].glob("*.journal")) if generations else []

    def state_digest(self) -> str:
        """Return a digest of the names and sizes of the current journals.

        Journals only grow, so that these determine their bytes.
        """
        sizes = [[path.name, path.stat().st_size] for path in self.journals]
        return digest("store/1", sizes)

    def read_index(self) -> AnswerIndex:
        """Read every current journal once. Raises StoreError if one is damaged."""
        return AnswerIndex(self.journals)

    def create_journal(self, header: dict[str, Any]) -> Journal:
        """Create a journal in the current generation. Raises StoreError."""
        if not self.generations:
            self.start_generation()
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        name = f"{started}-{secrets.token_hex(4)}.journal"
        return Journal(self.generations[-1] / name, header)

    def start_generation(self) -> None:
        """Start an empty generation. Earlier ones stay until they are deleted."""
        generations = self.generations
        number = int(generations[-1].name[4:]) + 1 if generations else 1
        with _map_write_errors(self.root):
            (self.root / f"gen-{number:04d}").mkdir(parents=True)

    def delete_old_generations(self) -> list[str]:
        """Delete every generation but the current one, and return their names."""
        old = self.generations[:-1]
        for path in old:
            shutil.rmtree(path)
        return [path.name for path in old]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the build directory for one run.

        Raises StoreError, which names the other process, if another one holds it.
        """
        self._refuse_links()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        with _map_write_errors(self.root):
            self.logs.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / "lock", flags, 0o644)
        try:
            self._acquire(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _refuse_links(self) -> None:
        """Raise StoreError where a link leads out of a folder that a run writes to."""
        build_dir = self.root.parent
        owner = str(build_dir)
        for folder in (self.root, self.logs, *self.generations):
            path = PurePosixPath(folder.relative_to(build_dir))
            plain_folder(build_dir, path, owner, StoreError)
        plain_place(build_dir, PurePosixPath(ANSWERS, "lock"), owner, StoreError)

    def _acquire(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise StoreError(
                f"{self.root.parent}: in use by another cotbuild process, pid {pid or 'unknown'}. "
                "Wait for it to finish, or choose another --out."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


@contextmanager
def _map_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error
