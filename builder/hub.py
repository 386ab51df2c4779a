"""The only reader of the Hugging Face Hub."""

from collections.abc import Iterator

from cotbuild.builder.sources.rows import BadRow, Row
from cotbuild.schemas.errors import DataError


class HubRows:
    """The rows of one split of a Hub dataset at a fixed commit, streamed."""

    def __init__(self, hub_id: str, config_name: str | None, split: str, revision: str) -> None:
        self.where = f"{hub_id}/{split}"
        self._coordinates = (hub_id, config_name, split, revision)

    def __iter__(self) -> Iterator[Row | BadRow]:
        import datasets
        import httpx

        hub_id, config_name, split, revision = self._coordinates
        try:
            yield from datasets.load_dataset(hub_id, config_name, split=split, revision=revision, streaming=True)
        except (OSError, ValueError, httpx.HTTPError, datasets.exceptions.DatasetsError) as error:
            # OSError: no connection, HfHubHTTPError, not found; ValueError: unknown config or split.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(
                f"{self.where} at {revision}: cannot be read from the Hub: {reason}. "
                "Expected a reachable Hub. Check the connection, or pass the published file as the source."
            ) from error

    def checksum(self) -> str:
        """repo@revision: the Hub keeps the bytes of a commit."""
        hub_id, _, _, revision = self._coordinates
        return f"{hub_id}@{revision}"
