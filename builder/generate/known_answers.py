"""Which stored answers count for a run."""

from collections.abc import Iterator
from contextlib import contextmanager

from cotbuild.builder.generate.follow import AnswerLookup
from cotbuild.builder.storage.answer_store import AnswerIndex
from cotbuild.builder.storage.keys import key_bytes
from cotbuild.schemas.completion import Answer


@contextmanager
def known_answers(
    index: AnswerIndex, *, retry: bool, retry_failed: bool = False
) -> Iterator[AnswerLookup]:
    """Give a lookup of stored answers by request_key.

    `retry`: failures that may pass count as unanswered; `retry_failed`: all failures.
    """
    with index.open_reader() as reader:

        def lookup(request_key: str) -> Answer | None:
            place = index.find(key_bytes(request_key))
            if place is None:
                return None
            if retry and index.is_retryable(place):
                return None
            if retry_failed and index.is_failure(place):
                return None
            return reader.read(place)

        yield lookup
