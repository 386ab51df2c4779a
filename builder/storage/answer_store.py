"""The answer store: every answer of a teacher to a build's requests, by request key.

.answers/
  lock                    locked with flock while a run writes
  teacher.json            teacher identities, resolved once (see teachers/identity.py)
  logs/                   logs of managed servers, and of workers
  workers/                processes of workers on this machine (launchers/local.py)
  work/                   plans and leases of workers (generate/workers/board.py)
  events.jsonl            what the newest run reported
  gen-0001/*.journal      answers; --fresh starts gen-0002, `cotbuild clean` deletes gen-0001
"""

import fcntl
import os
import re
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.storage.journal import (
    COMPLETION,
    END,
    FAILURE,
    FINAL_FAILURE,
    REJECTION,
    REMEDY,
    Journal,
    decode_answer,
    journal_size,
    open_journal,
    read_line,
    read_lines,
)
from cotbuild.builder.storage.keys import KEY_DTYPE
from cotbuild.builder.storage.places import plain_folder, plain_place
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.files import write_error
from cotbuild.schemas.fingerprint import digest

ANSWERS = ".answers"

# An answer's place is one 64-bit number: 2 bits of rank, 14 of journal, 48 of offset.
_RANK_SHIFT = 62
_JOURNAL_SHIFT = 48
MAX_JOURNALS = 1 << (_RANK_SHIFT - _JOURNAL_SHIFT)
"""Maximum number of journals in a generation."""
MAX_OPEN_JOURNALS = 16
"""Most journals open at a time, far from any limit of open files."""
_LOCATION_MASK = (1 << _RANK_SHIFT) - 1
_GENERATION = re.compile(r"gen-\d{4}")
_COMPLETED, _FINAL, _RETRYABLE = range(3)
_RANKS = {
    COMPLETION: _COMPLETED,
    REJECTION: _RETRYABLE,  # until an end line follows
    FINAL_FAILURE: _FINAL,
    FAILURE: _RETRYABLE,
}


class AnswerReader:
    """Reads answers by place from open journals. A context manager.

    Answers lie in about the order in which they are needed, so that the file buffers
    serve most reads. Few journals are open at a time, however many there are.
    """

    def __init__(self, journals: list[Path]) -> None:
        self._journals = journals
        self._files: OrderedDict[int, BinaryIO] = OrderedDict()

    def read(self, place: int) -> Answer:
        """Read the answer at a place that `AnswerIndex.find` returned.

        Raises StoreError, with file and offset, if it is damaged.
        """
        number = place >> _JOURNAL_SHIFT & (MAX_JOURNALS - 1)
        offset = place & ((1 << _JOURNAL_SHIFT) - 1)
        file = self._open_journal(number)
        file.seek(offset)
        path = self._journals[number]
        try:
            return decode_answer(read_line(file, path))
        except DataError as fault:
            where = f"{path}: line at offset {offset}"
            raise StoreError(f"{where}: {fault} {REMEDY}") from fault

    def _open_journal(self, number: int) -> BinaryIO:
        file = self._files.get(number)
        if file is None:
            if len(self._files) == MAX_OPEN_JOURNALS:
                _, oldest = self._files.popitem(last=False)
                oldest.close()
            file = self._files[number] = open_journal(self._journals[number])
        self._files.move_to_end(number)
        return file

    def close(self) -> None:
        """Close the journals."""
        while self._files:
            _, file = self._files.popitem()
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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
            rejected: list[int] = []  # where `places` holds rejections without an end
            for line in read_lines(path):
                if line is None:
                    self.num_torn += 1
                    continue
                if line.status == END:
                    _make_final(places, rejected)
                    rejected.clear()
                    continue
                if line.status == REJECTION:
                    rejected.append(len(places))
                rank = _RANKS[line.status]
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
        with AnswerReader(self.journals) as reader:
            yield reader


def _make_final(places: bytearray, positions: list[int]) -> None:
    """Give the places at some positions the rank of answers that stay."""
    for start in positions:
        place = int.from_bytes(places[start : start + 8], "little") & _LOCATION_MASK
        place |= _FINAL << _RANK_SHIFT
        places[start : start + 8] = place.to_bytes(8, "little")


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
        names = _list_names(self.root)
        return [self.root / name for name in names if _GENERATION.fullmatch(name)]

    @property
    def journals(self) -> list[Path]:
        """Journals of the current generation, in order of precedence."""
        generations = self.generations
        return _list_journals(generations[-1]) if generations else []

    def journals_of(self, generation: str) -> list[Path]:
        """Return the journals of a generation, in order of precedence."""
        return _list_journals(self.root / generation)

    @property
    def all_journals(self) -> list[Path]:
        """Journals of every generation, oldest first."""
        return [path for folder in self.generations for path in _list_journals(folder)]

    def state_digest(self) -> str:
        """Return a digest of the names and sizes of the current journals.

        Journals only grow, so that these determine their bytes.
        """
        sizes = [[path.name, journal_size(path)] for path in self.journals]
        return digest("store/1", sizes)

    def read_index(self) -> AnswerIndex:
        """Read every current journal once. Raises StoreError if one is damaged."""
        return AnswerIndex(self.journals)

    def read_previous_index(self) -> AnswerIndex:
        """Read the generation before the current one; empty where it cannot be read.

        For what its answers tell of those that come: none of them is one of this build.
        """
        earlier = self.generations[:-1]
        if not earlier:
            return AnswerIndex([])
        try:
            return AnswerIndex(_list_journals(earlier[-1]))
        except StoreError:
            return AnswerIndex([])

    def create_journal(
        self, header: dict[str, Any], generation: str | None = None
    ) -> Journal:
        """Create a journal in a generation; None for the current one.

        Raises StoreError.
        """
        if generation is None:
            if not self.generations:
                self.start_generation()
            generation = self.generations[-1].name
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        name = f"{started}-{secrets.token_hex(4)}.journal"
        return Journal(self.root / generation / name, header)

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


def _list_journals(folder: Path) -> list[Path]:
    return [folder / name for name in _list_names(folder) if name.endswith(".journal")]


def _list_names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if there is no such folder.

    Raises StoreError if they cannot be read: what is stored must not be asked again.
    """
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError as fault:
        # Not whether it exists now: another process may just have created it.
        if not folder.is_symlink():
            return []
        raise _listing_error(folder, fault) from fault
    except OSError as fault:
        parent_is_no_folder = isinstance(fault, NotADirectoryError) and not (
            os.path.lexists(folder)
        )
        if parent_is_no_folder:
            return []
        raise _listing_error(folder, fault) from fault


def _listing_error(folder: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"{folder}: could not be read: {fault.strerror or fault}. Make it a folder "
        "that you can read: it holds stored answers."
    )


@contextmanager
def _map_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error
