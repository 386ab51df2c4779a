"""What URLs of pictures gave: kept beside the answers, so that each is fetched once."""

import hashlib
from pathlib import Path

from pydantic import Field

from cotbuild.builder.media.faults import NotFetched
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import append_json_line, read_json_lines
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.record import Record

FETCHED = "pictures.jsonl"
"""File of an answer store that says what the URLs of pictures gave."""


class FetchedPicture(Record):
    """What one URL gave. A line of FETCHED; of two for a URL the later one counts."""

    url_sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the URL, 64 hex digits."
    )
    image: ImageRef | None = Field(
        default=None, description="The picture; None if there was none."
    )
    reason: str | None = Field(
        default=None, description="Why there was none; None if there was one."
    )


class FetchedPictures:
    """The outcomes of fetching, by URL.

    Args:
        path: The file that keeps them between runs, read with the first look-up; None
            to forget them.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._outcomes: dict[bytes, ImageRef | NotFetched] | None = None

    def find(self, url: str) -> ImageRef | NotFetched | None:
        """Return the picture at a URL, or why there is none; None if not known."""
        return self._read().get(_url_digest(url))

    def record(self, url: str, outcome: ImageRef | NotFetched) -> None:
        """Note what a URL gave; what may change is kept for this run only.

        Raises StoreError.
        """
        digest = _url_digest(url)
        self._read()[digest] = outcome
        if self._path is None:
            return
        url_sha256 = digest.hex()
        if isinstance(outcome, ImageRef):
            line = FetchedPicture(url_sha256=url_sha256, image=outcome)
        elif outcome.is_final:
            line = FetchedPicture(url_sha256=url_sha256, reason=outcome.reason)
        else:
            return
        text = line.model_dump_json(exclude_none=True)
        append_json_line(self._path, text, fsync=False)

    def _read(self) -> dict[bytes, ImageRef | NotFetched]:
        if self._outcomes is None:
            path = self._path
            self._outcomes = {} if path is None else dict(_read_outcomes(path))
        return self._outcomes


def _read_outcomes(path: Path) -> list[tuple[bytes, ImageRef | NotFetched]]:
    remedy = "Delete the file to fetch the pictures again."
    lines = read_json_lines(path, remedy=remedy, error=StoreError, skip_damaged=True)
    outcomes: list[tuple[bytes, ImageRef | NotFetched]] = []
    for value in lines.values:
        line = FetchedPicture.parse(value, f"{path}", StoreError)
        outcome = line.image or NotFetched(line.reason or "no reason", is_final=True)
        outcomes.append((bytes.fromhex(line.url_sha256), outcome))
    return outcomes


def _url_digest(url: str) -> bytes:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).digest()
