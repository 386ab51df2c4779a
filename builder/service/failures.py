"""The requests of a build that failed and have no answer yet, from its journals.

They can be read at any time: while a run asks, after it was stopped, and when it is
done. Which question a request was for is known once the build is complete.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.build.directory import find_manifest
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import (
    COMPLETION,
    END,
    decode_answer,
    open_journal,
    read_line,
    read_lines,
)
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.completion import Failure
from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.service.api import FailureLine

MAX_FAILURES: Final = 1_000_000
"""Most failures that are listed, about 100 MB of memory."""


class _Place(NamedTuple):
    journal: Path
    offset: int


def find_failures(target: Path) -> Iterator[FailureLine]:
    """Return the failures of a build, in the order of its journals.

    All journals are read at once, which takes seconds for a large build, the messages as
    the failures are taken. Raises StoreError, also later, if a journal is damaged; it
    names the journal by its place below the folder of all builds.
    """
    with _named_below(target.parent):
        places = _open_failures(AnswerStore(target).journals)
        question_ids = _question_ids(target) if places else {}
    return _read_failures(target.parent, places, question_ids)


@contextmanager
def _named_below(root: Path) -> Iterator[None]:
    """Name files in errors by their place below `root`: where that is, is not for all."""
    try:
        yield
    except StoreError as fault:
        raise StoreError(str(fault).replace(f"{root}{os.sep}", "")) from fault


def _open_failures(journals: list[Path]) -> dict[bytes, _Place]:
    """Return the last failure of each request that no journal has a completion of."""
    places: dict[bytes, _Place] = {}
    for path in journals:
        for line in read_lines(path):
            if line is None or line.status in (COMPLETION, END):
                continue
            if len(places) < MAX_FAILURES or line.key in places:
                places[line.key] = _Place(path, line.offset)
    if places:
        for path in journals:
            for line in read_lines(path):
                if line is not None and line.status == COMPLETION:
                    places.pop(line.key, None)
    return places


def _question_ids(target: Path) -> Mapping[str, str]:
    """Return the question of each failed request; none before the build is complete."""
    manifest = find_manifest(target)
    if manifest is None or not manifest.failures:
        return {}
    build = StoredBuild(target, manifest)
    columns = ("request_key", "question_id", "failure")
    try:
        return {
            row["request_key"]: row["question_id"]
            for row in build.read(RATIONALES, columns=columns)
            if row["failure"] is not None
        }
    except DataError:  # its files are just being replaced
        return {}


def _read_failures(
    root: Path, places: Mapping[bytes, _Place], question_ids: Mapping[str, str]
) -> Iterator[FailureLine]:
    for place in places.values():
        with _named_below(root), open_journal(place.journal) as file:
            file.seek(place.offset)
            answer = decode_answer(read_line(file, place.journal))
        if isinstance(answer, Failure):
            yield FailureLine(
                request_key=answer.request_key,
                question_id=question_ids.get(answer.request_key),
                code=answer.kind.value,
                message=escape_hidden(answer.message),
                is_final=answer.final,
            )
