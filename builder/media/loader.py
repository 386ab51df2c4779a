"""Turns what a data set gives for a picture into a stored picture."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.media.check import MAX_IMAGE_BYTES
from cotbuild.builder.media.faults import BadImage, NotFetched
from cotbuild.builder.media.fetched import FetchedPictures
from cotbuild.builder.media.store import MediaStore
from cotbuild.builder.media.values import (
    WebAddress,
    is_web_address,
    parse_picture_value,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import open_regular
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.record import short_repr

if TYPE_CHECKING:
    from cotbuild.builder.media.addresses import Network


class ImageLoader:
    """Loads pictures into a store.

    Args:
        store: Where they are put.
        folder: The folder below which paths lead; None if the source has none.
        fetched: What URLs gave, to fetch from them; None to refuse URLs.
        network: How hosts are looked up; None for the machine's own resolver.
    """

    def __init__(
        self,
        store: MediaStore,
        folder: Path | None,
        *,
        fetched: FetchedPictures | None = None,
        network: "Network | None" = None,
    ) -> None:
        self.store = store
        self._folder = folder
        self._fetched = fetched
        self._network = network

    def load(self, value: object) -> ImageRef:
        """Return the picture that a cell holds or names, which is then in the store.

        The cell is bytes, the {"bytes", "path"} of the Hub's Image feature, a data:
        URI, base64 text, an http(s) URL, or a path below the folder.

        Raises:
            BadImage: There is none, or it cannot be used.
            ConfigError: It is a URL and none may be fetched, or Pillow is missing.
            StoreError: It cannot be written.
        """
        parsed = parse_picture_value(value)
        if isinstance(parsed, bytes):
            return self.store.put(parsed)
        if isinstance(parsed, WebAddress):
            return self._load_web(parsed.url)
        return self.store.put(self._read_file(parsed.path))

    def prefetch(self, values: Iterable[object]) -> None:
        """Fetch the URLs among cells that are not known yet, several at once.

        `load` then finds them; what is wrong with one is raised there. Raises
        StoreError.
        """
        if self._fetched is None:
            return
        urls = []
        for value in values:
            if is_web_address(value):
                urls += _parse_url(value)
        self._fetch([url for url in dict.fromkeys(urls) if not self._is_known(url)])

    def _load_web(self, url: str) -> ImageRef:
        if self._fetched is None:
            raise ConfigError(
                f"the picture is at {short_repr(url)}, and nothing is fetched unless "
                "you say so. Add --fetch-images."
            )
        if not self._is_known(url):
            self._fetch([url])
        outcome = self._fetched.find(url)
        if isinstance(outcome, ImageRef):
            return outcome
        reason = "nothing came" if outcome is None else outcome.reason
        raise BadImage(f"the picture at {short_repr(url)} was not fetched: {reason}")

    def _is_known(self, url: str) -> bool:
        """Return whether a URL was fetched, and its picture is still in the store."""
        if self._fetched is None:
            return False
        outcome = self._fetched.find(url)
        if isinstance(outcome, ImageRef):
            return self.store.has(outcome)
        return outcome is not None

    def _fetch(self, urls: list[str]) -> None:
        if not urls:
            return
        # Imported when needed: aiohttp takes a quarter of a second.
        from cotbuild.builder.media.fetch import fetch_pictures

        run_async(fetch_pictures(urls, self._record, self._network))

    def _record(self, url: str, outcome: bytes | NotFetched) -> None:
        if self._fetched is None:
            return
        if isinstance(outcome, NotFetched):
            self._fetched.record(url, outcome)
            return
        try:
            image = self.store.put(outcome)
        except BadImage as fault:
            self._fetched.record(url, NotFetched(str(fault), is_final=True))
        else:
            self._fetched.record(url, image)

    def _read_file(self, path: str) -> bytes:
        """Return the bytes of a file below the folder; raises BadImage."""
        place = self._find_file(path)
        try:
            with open_regular(place) as file:
                data = file.read(MAX_IMAGE_BYTES + 1)
        except OSError as fault:
            raise BadImage(
                f"the picture {short_repr(path)} cannot be read from "
                f"{str(self._folder)!r}: {fault.strerror or fault}"
            ) from fault
        return data

    def _find_file(self, path: str) -> Path:
        """Return where a file is, after checking that no link leads out."""
        if self._folder is None:
            raise BadImage(
                f"the picture is {short_repr(path)}, a path, and the source has no "
                "folder; name one with --images DIR"
            )
        try:
            folder = self._folder.resolve()
            place = (folder / path).resolve()
        except (OSError, ValueError, RuntimeError) as fault:  # NUL, or a loop of links
            raise BadImage(
                f"the picture is {short_repr(path)}, which is no path: {fault}"
            ) from fault
        if not place.is_relative_to(folder):
            raise BadImage(
                f"the picture {short_repr(path)} is outside the folder "
                f"{str(self._folder)!r}; name another with --images DIR"
            )
        return place


def _parse_url(value: object) -> list[str]:
    """Return the URL in a cell; none if it is too long, which `load` reports."""
    try:
        parsed = parse_picture_value(value)
    except BadImage:
        return []
    return [parsed.url] if isinstance(parsed, WebAddress) else []
