"""Read the rows of a dataset on the Hugging Face Hub, and its licence and sizes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

from cotbuild.builder.hub.commits import first_line
from cotbuild.builder.hub.errors import connection_error
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.label_names import find_label_names
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.schemas.errors import ConfigError, DataError

REQUEST_TIMEOUT_S = 30
SURVEY_ROWS = 20_000
"""Rows that decide what the columns mean; each pass streams them from the Hub again."""


class HubRows:
    """The rows of one split of a Hub dataset at a fixed commit, streamed.

    Iterating raises ConfigError if there is no such config or split, and DataError if
    the Hub cannot be read.
    """

    def __init__(
        self, hub_id: str, config_name: str | None, split: str, revision: str
    ) -> None:
        self.location = f"{hub_id}/{split}"
        self.survey_rows = SURVEY_ROWS
        self._hub_id = hub_id
        self._config_name = config_name
        self._split = split
        self._revision = revision

    def __iter__(self) -> Iterator[Row | BadRow]:
        with self._hub_errors():
            yield from self._stream_rows()

    @contextmanager
    def _hub_errors(self) -> Iterator[None]:
        """Turn errors of the Hub's libraries into a DataError."""
        import datasets

        try:
            yield
        except ConfigError:
            raise
        # OSError is a missing connection, an error response or a missing file.
        # ValueError is also raised by pyarrow, RuntimeError for a dataset that is a
        # script.
        except (
            OSError,
            ValueError,
            RuntimeError,
            connection_error(),
            datasets.exceptions.DatasetsError,
        ) as error:
            raise DataError(
                f"{self.location} at {self._revision}: cannot be read from the Hub: "
                f"{first_line(error)}. Check the connection, or pass the published file "
                "as the source."
            ) from error

    def checksum(self) -> str:
        """Return repo@revision, since the content of a commit never changes."""
        return f"{self._hub_id}@{self._revision}"

    def label_names(self) -> dict[str, Sequence[str]]:
        """Return the names of the labels that the dataset declares, by column.

        Raises what iterating raises.
        """
        with self._hub_errors():
            features = self._find_split().features or {}
        return find_label_names(features)

    def _stream_rows(self) -> Iterator[Row]:
        import datasets

        rows = self._find_split()
        features = (rows.features or {}).values()
        if any(isinstance(feature, datasets.Image) for feature in features):
            rows = rows.decode(False)  # {"bytes", "path"}, as they were published
        yield from rows

    def _find_split(self) -> Any:
        splits = self._splits
        if self._split in splits:
            return splits[self._split]
        # On the Hub, validation may also be called dev or val.
        for name in splits:
            if canonical_split(name) == self._split:
                return splits[name]
        raise ConfigError(
            f"{self._hub_id}: no split {self._split!r}. Pass one of "
            f"{', '.join(splits)}."
        )

    @cached_property
    def _splits(self) -> Any:
        import datasets

        try:
            return datasets.load_dataset(
                self._hub_id, self._config_name, revision=self._revision, streaming=True
            )
        except ValueError as error:
            names = datasets.get_dataset_config_names(
                self._hub_id, revision=self._revision
            )
            needs_no_name = self._config_name is None and len(names) < 2
            if self._config_name in names or needs_no_name:
                raise
            raise ConfigError(
                f"{self._hub_id}: no config {self._config_name!r}; it has {names}. "
                f"Pass --config-name {names[0]}, or another."
            ) from error


class HubFacts(NamedTuple):
    """What the card of a Hub dataset states at one commit; empty if it does not."""

    licence: str
    sizes: dict[str, tuple[int, int]]
    """Split to its number of rows and of bytes."""


def fetch_hub_facts(
    hub_id: str, config_name: str | None, revision: str
) -> HubFacts | None:
    """Return the licence and sizes on a dataset's card.

    None if the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    try:
        info = HfApi().dataset_info(
            hub_id, revision=revision, timeout=REQUEST_TIMEOUT_S
        )
    except (OSError, connection_error()):
        return None
    card = info.card_data
    if card is None:
        return HubFacts("", {})
    licence = _join_licences(card.get("license"))
    return HubFacts(licence, _split_sizes(card.get("dataset_info"), config_name))


def _join_licences(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return str(value or "")


def _split_sizes(value: object, config_name: str | None) -> dict[str, tuple[int, int]]:
    """Return the sizes in a card's `dataset_info`, which may hold anything.

    It should be one mapping, or a list of one per config.
    """
    splits = _config_info(value, config_name).get("splits")
    sizes: dict[str, tuple[int, int]] = {}
    for split in splits if isinstance(splits, list) else []:
        if not isinstance(split, dict):
            continue
        num_rows, num_bytes = split.get("num_examples"), split.get("num_bytes")
        if isinstance(num_rows, int) and isinstance(num_bytes, int):
            sizes[str(split.get("name"))] = (num_rows, num_bytes)
    return sizes


def _config_info(value: object, config_name: str | None) -> dict[str, Any]:
    """Return the entry of a config, empty if there is none.

    Without a config name it is the first entry without one, else the first of all.
    """
    values = value if isinstance(value, list) else [value]
    entries = [entry for entry in values if isinstance(entry, dict)]
    for entry in entries:
        if entry.get("config_name", config_name) == config_name:
            return entry
    return entries[0] if entries and config_name is None else {}
