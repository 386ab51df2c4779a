"""The answer store: everything a teacher ever said to this build, found by request_key
and by nothing else.

.answers/
  lock                    held with flock while a run is at work
  teacher.json            identities resolved once (see teachers/identity.py)
  logs/                   what managed servers printed
  gen-0001/*.journal      answers; --fresh opens gen-0002 and `cotbuild clean` removes the older
"""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.storage.journal import (
    COMPLETION,
    FAILURE,
    FINAL_FAILURE,
    Journal,
    decode_answer,
    read_lines,
)
from cotbuild.builder.storage.keys import KEY
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.fingerprint import digest

ANSWERS = ".answers"
MAX_JOURNALS = 1 << 14
"""In one generation; a place has 14 bits for the journal, 2 for the rank and 48 for the
offset.
"""

_RANK = {COMPLETION: 0, FINAL_FAILURE: 1, FAILURE: 2}


class AnswerReader:
    """Open journals.

    Answers stand in about the order they are wanted in, so the file buffer serves most
    reads.
    """

    def __init__(self, journals: list[Path], stack: ExitStack) -> None:
        self._journals = journals
        self._stack = stack
        self._files: dict[int, BinaryIO] = {}

    def read(self, place: int) -> Answer:
        number, offset = place >> 48 & (MAX_JOURNALS - 1), place & ((1 << 48) - 1)
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = self._stack.enter_context(
                self._journals[number].open("rb")
            )
        file.seek(offset)
        return decode_answer(file.readline())


class AnswerIndex:
    """Where the answer to each key stands: 24 bytes an answer, sorted by key.

    Of two answers to one key a completion beats a failure, then the earlier one wins,
    by (journal name, offset).
    """

    def __init__(self, journals: list[Path]) -> None:
        if len(journals) > MAX_JOURNALS:
            raise StoreError(
                f"{journals[0].parent}: {len(journals)} journals. Expected at most {MAX_JOURNALS}. "
                "Begin anew with --fresh."
            )
        self.journals = journals
        self.torn = 0
        keys, places = bytearray(), bytearray()
        for number, path in enumerate(journals):
            for line in read_lines(path):
                if line is None:
                    self.torn += 1
                    continue
                keys += line.key
                # In the order of precedence: rank, journal, offset.
                places += (
                    _RANK[line.status] << 62 | number << 48 | line.offset
                ).to_bytes(8, "little")
        self._keys, self._places = _best_of_each(
            np.frombuffer(keys, KEY), np.frombuffer(places, "<u8")
        )

    def find(self, key: bytes) -> int | None:
        """Place of the answer to `key` (16 bytes), None where there is none."""
        at = int(np.searchsorted(self._keys, np.bytes_(key)))
        # Bytes, not elements: numpy strips trailing NULs from an element of a bytes
        # array.
        return (
            int(self._places[at]) if self._keys[at : at + 1].tobytes() == key else None
        )

    def may_pass(self, place: int) -> bool:
        """Whether the answer is a failure that the next run asks again."""
        return place >> 62 == _RANK[FAILURE]

    def failed(self, place: int) -> bool:
        """Whether the answer is a failure of any kind."""
        return place >> 62 != _RANK[COMPLETION]

    @contextmanager
    def reader(self) -> Iterator[AnswerReader]:
        """Reads answers by place; journals are opened as they are needed."""
        with ExitStack() as stack:
            yield AnswerReader(self.journals, stack)


def _best_of_each(
    keys: NDArray[Any], places: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    order = np.lexsort((places, keys))
    keys, places = keys[order], places[order]
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    return keys[first], places[first]


class AnswerStore:
    """The store of one build directory.

    Reading needs no lock; `hold` is for the one run that writes.
    """

    def __init__(self, build_dir: Path) -> None:
        self.root = build_dir / ANSWERS
        self.logs = self.root / "logs"

    @property
    def generations(self) -> list[Path]:
        """Folders of journals, oldest first; the last one is read and written."""
        return sorted(
            path
            for path in self.root.glob("gen-*")
            if re.fullmatch(r"gen-\d{4}", path.name)
        )

    @property
    def journals(self) -> list[Path]:
        """Journals of the current generation, in the order their answers count."""
        return (
            sorted(self.generations[-1].glob("*.journal")) if self.generations else []
        )

    def state(self) -> str:
        """Digest of what the store holds: journals only grow, so their names and sizes
        fix their bytes.
        """
        return digest(
            "store/1", [[path.name, path.stat().st_size] for path in self.journals]
        )

    def index(self) -> AnswerIndex:
        """Read every journal once. Raises StoreError on a damaged one."""
        return AnswerIndex(self.journals)

    def journal(self, about: dict[str, Any]) -> Journal:
        """A new journal in the current generation. `about` goes into its header."""
        if not self.generations:
            self.new_generation()
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        return Journal(
            self.generations[-1] / f"{started}-{secrets.token_hex(4)}.journal", about
        )

    def new_generation(self) -> None:
        """Open a generation without answers; the one before stays until `clean`."""
        number = int(self.generations[-1].name[4:]) + 1 if self.generations else 1
        with _mapped(self.root):
            (self.root / f"gen-{number:04d}").mkdir(parents=True)

    def clean(self) -> list[str]:
        """Remove every generation but the current one; their names."""
        old = self.generations[:-1]
        for path in old:
            shutil.rmtree(path)
        return [path.name for path in old]

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the directory for one run.

        Raises StoreError, with the holder's pid, where another has it.
        """
        with _mapped(self.root):
            self.logs.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                pid = (
                    os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
                )
                raise StoreError(
                    f"{self.root.parent}: another cotbuild is at work here, pid {pid}. Expected one at a time. "
                    "Wait for it, or choose another --out."
                ) from error
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)


@contextmanager
def _mapped(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{where}: {error.strerror or error}. Expected a folder that can be written."
        ) from error
