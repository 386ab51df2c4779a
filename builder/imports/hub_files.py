"""Datasets on the Hub that hold answers, imported as files are.

In a config such a dataset is `OWNER/NAME@COMMIT`, so that it means the same rows when
its branch moves on.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.sources.files import may_be_file_name
from cotbuild.builder.sources.hub import HubRows
from cotbuild.builder.sources.open import resolve_revision
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.schemas.config import SourceConfig

_PINNED = re.compile(rf"({HUB_ID.pattern})@([0-9a-f]{{40}})", re.ASCII)
_NAME = re.compile(rf"({HUB_ID.pattern})(?:@([\w./-]+))?", re.ASCII)


class HubFile(HubRows):
    """The rows of a split of a dataset at a commit."""

    def __init__(self, name: str, config_name: str | None, split: str) -> None:
        hub_id, _, commit = name.rpartition("@")
        super().__init__(hub_id, config_name, split, commit)
        self.location = name


def is_pinned(name: str) -> bool:
    """Return whether a name has the form OWNER/NAME@COMMIT."""
    return _PINNED.fullmatch(name) is not None


def is_hub_file(name: str) -> bool:
    """Return whether the name of a file is OWNER/NAME@COMMIT, and no path."""
    return is_pinned(name) and not Path(name).exists()


def open_hub_file(name: str, source: SourceConfig) -> HubFile:
    """Return the rows of OWNER/NAME@COMMIT, of the split and config of `source`."""
    split = canonical_split(source.split or "train")
    return HubFile(name, source.config_name, split)


def pin_hub_files(names: Iterable[str]) -> list[str]:
    """Return names of files, with the commit of each that is a dataset on the Hub.

    OWNER/NAME is the commit of its branch main, OWNER/NAME@REVISION that of another.
    Makes a request for each. Raises ConfigError or DataError.
    """
    return [_pin(name) for name in names]


def _pin(name: str) -> str:
    found = _NAME.fullmatch(name)
    if found is None or Path(name).exists() or may_be_file_name(Path(found[1])):
        return name
    hub_id, revision = found.groups()
    if is_pinned(name):
        return name
    return f"{hub_id}@{resolve_revision(hub_id, revision or 'main', 'the name')}"
