"""Where a worker's answers go, and where it finds those of others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from cotbuild.builder.generate.follow import AnswerLookup
from cotbuild.builder.generate.known_answers import known_answers
from cotbuild.builder.media import MediaStore, media_folder
from cotbuild.builder.storage.answer_store import AnswerIndex, AnswerStore
from cotbuild.builder.storage.journal import COMPLETION, Journal
from cotbuild.builder.storage.journal_tail import JournalTail
from cotbuild.builder.storage.keys import key_bytes
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.files import write_error


class OtherJournal:
    """Completions in the journal of another worker, as far as it has written them.

    A damaged line ends what is read: that is asked again.
    """

    def __init__(self, path: Path, start: int) -> None:
        self._reader = JournalTail(path, start)
        self._offsets: dict[bytes, int] = {}

    def read_on(self) -> set[bytes]:
        """Read what was written since; return the keys (16 bytes) of its completions."""
        found = {
            line.key: line.offset
            for line in self._reader.read_on()
            if line.status == COMPLETION
        }
        self._offsets = found | self._offsets  # the first of several counts
        return set(found)

    def find(self, request_key: str) -> Answer | None:
        """Return the completion of a request; None where there is none so far."""
        offset = self._offsets.get(key_bytes(request_key))
        return None if offset is None else self._reader.read_answer(offset)


class JournalSink(Protocol):
    """The answers of a build, as a worker sees them. Every method may block.

    All raise StoreError.
    """

    @property
    def folder(self) -> Path:
        """The answer store on this machine, with teacher.json and logs."""

    @property
    def media(self) -> MediaStore:
        """The pictures of the questions."""

    def create_journal(self, generation: str, header: dict[str, Any]) -> Journal:
        """Create the journal of this worker."""

    def sync(self, journal: Journal) -> None:
        """Wait until all that was appended is where the driver reads it."""

    def open_other(self, generation: str, name: str, start: int) -> OtherJournal:
        """Return the journal of another worker, from a byte on."""

    def refresh_other(self, generation: str, name: str) -> None:
        """Have the journal of another worker on this machine, as far as it is shared."""

    @contextmanager
    def stored_answers(self, generation: str) -> Iterator[AnswerLookup]:
        """Give a lookup of the answers that were stored before."""


class FolderSink:
    """Answers in the folder of a build, or in a copy that is shipped elsewhere.

    Args:
        build_dir: The folder.
        ship: Ships what is in the worker's journal; None where the folder is shared.
        bring: Brings the journal GENERATION/NAME of another worker into the folder, as
            far as it has been shipped; None where the folder is shared.
    """

    def __init__(
        self,
        build_dir: Path,
        *,
        ship: Callable[[], object] | None = None,
        bring: Callable[[str], object] | None = None,
    ) -> None:
        self._store = AnswerStore(build_dir)
        self._media = MediaStore(media_folder(build_dir))
        self._ship = ship
        self._bring = bring

    @property
    def folder(self) -> Path:
        """See JournalSink."""
        return self._store.root

    @property
    def media(self) -> MediaStore:
        """See JournalSink."""
        return self._media

    def create_journal(self, generation: str, header: dict[str, Any]) -> Journal:
        """See JournalSink."""
        if self._ship is not None:  # a copy begins without the generations of others
            folder = self._store.root / generation
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise write_error(folder, error) from error
        return self._store.create_journal(header, generation)

    def sync(self, journal: Journal) -> None:
        """See JournalSink."""
        journal.sync()
        if self._ship is not None:
            self._ship()

    def open_other(self, generation: str, name: str, start: int) -> OtherJournal:
        """See JournalSink."""
        return OtherJournal(self._store.root / generation / name, start)

    def refresh_other(self, generation: str, name: str) -> None:
        """See JournalSink."""
        if self._bring is not None:
            self._bring(f"{generation}/{name}")

    @contextmanager
    def stored_answers(self, generation: str) -> Iterator[AnswerLookup]:
        """See JournalSink.

        Requests that failed are not found: a plan has only those that are asked again.
        A copy of the folder holds no answers of others, so that none is found.
        """
        journals = (
            [] if self._bring is not None else self._store.journals_of(generation)
        )
        with known_answers(
            AnswerIndex(journals), retry=True, retry_failed=True
        ) as lookup:
            yield lookup
