"""Datasets of others on the Hugging Face Hub: their rows, and what it says of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from cotbuild.builder.hub.commits import first_line
from cotbuild.schemas.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cotbuild.builder.sources.base import BadRow, Row


class HubRows:
    """The rows of one split of a Hub dataset at a fixed commit, streamed."""

    def __init__(
        self, hub_id: str, config_name: str | None, split: str, revision: str
    ) -> None:
        self.where = f"{hub_id}/{split}"
        self._hub_id = hub_id
        self._config_name = config_name
        self._split = split
        self._revision = revision

    def __iter__(self) -> "Iterator[Row | BadRow]":
        import datasets
        from huggingface_hub import errors

        try:
            yield from self._rows()
        except ConfigError:
            raise
        # OSError: no connection, HfHubHTTPError, not found; ValueError: also what
        # pyarrow raises; RuntimeError: a dataset that is a script. HTTPError is the
        # HTTP library's own, httpx or httpx2 by release.
        except (
            OSError,
            ValueError,
            RuntimeError,
            errors.HTTPError,  # type: ignore[attr-defined]
            datasets.exceptions.DatasetsError,
        ) as error:
            raise DataError(
                f"{self.where} at {self._revision}: cannot be read from the Hub: {first_line(error)}. "
                "Check the connection, or pass the published file as the source."
            ) from error

    def checksum(self) -> str:
        """repo@revision: the Hub keeps the bytes of a commit."""
        return f"{self._hub_id}@{self._revision}"

    def _rows(self) -> "Iterator[Row]":
        splits = self._splits()
        # The Hub's own name first; validation may also be called dev or val there.
        name = next(
            (
                s
                for s in sorted(splits, key=lambda s: s != self._split)
                if self._is_split(s)
            ),
            None,
        )
        if name is None:
            raise ConfigError(
                f"{self._hub_id}: no split {self._split!r}. Pass one of {', '.join(splits)}."
            )
        yield from splits[name]

    def _is_split(self, name: str) -> bool:
        # Here, since the package of sources asks this module for what the Hub says of
        # them.
        from cotbuild.builder.sources.splits import canonical_split

        return self._split in (name, canonical_split(name))

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
            if self._config_name in names or (
                self._config_name is None and len(names) < 2
            ):
                raise
            raise ConfigError(
                f"{self._hub_id}: no config {self._config_name!r}; it has {names}. "
                f"Pass --config-name {names[0]}, or another."
            ) from error


class HubFacts(NamedTuple):
    """What the Hub says of a dataset at one commit; empty where its card does not say."""

    licence: str
    sizes: dict[str, tuple[int, int]]
    """Split to rows and bytes."""


def hub_facts(hub_id: str, config_name: str | None, revision: str) -> HubFacts | None:
    """None where the Hub cannot be reached."""
    from huggingface_hub import HfApi, errors

    try:
        card = HfApi().dataset_info(hub_id, revision=revision, timeout=30).card_data
    except (OSError, errors.HTTPError):  # type: ignore[attr-defined]
        return None
    if card is None:
        return HubFacts("", {})
    return HubFacts(
        _licence(card.get("license")), _sizes(card.get("dataset_info"), config_name)
    )


def _licence(value: object) -> str:
    return (
        ", ".join(str(part) for part in value)
        if isinstance(value, list)
        else str(value or "")
    )


def _sizes(value: object, config_name: str | None) -> dict[str, tuple[int, int]]:
    """From the card's `dataset_info`: one mapping, or a list of one a config.

    A card may hold anything.
    """
    entries = [
        entry
        for entry in (value if isinstance(value, list) else [value])
        if isinstance(entry, dict)
    ]
    of_config = [
        entry
        for entry in entries
        if entry.get("config_name", config_name) == config_name
    ]
    entry = (
        next(iter(of_config or entries), {})
        if config_name is None
        else next(iter(of_config), {})
    )
    splits = entry.get("splits")
    return {
        str(split.get("name")): (split["num_examples"], split["num_bytes"])
        for split in (splits if isinstance(splits, list) else [])
        if isinstance(split, dict)
        and all(
            isinstance(split.get(name), int) for name in ("num_examples", "num_bytes")
        )
    }
