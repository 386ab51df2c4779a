"""Release: what the card of a release says beyond the manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cotbuild.builder.card.licences import Licence


@dataclass(frozen=True)
class ReleaseFacts:
    """What the publisher decides, and what is read of the files; nothing here changes a
    row.
    """

    repo: str
    """What `load_dataset` is given: org/name, or a folder's name."""
    licence: Licence
    rebuild: str
    """The commands that make it again, by `rebuild_commands`."""
    tag: str | None = None
    languages: tuple[str, ...] = ()
    """ISO 639 codes."""
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Config to its first row as plain values."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """Name of a picture, as `pictures` gives it, to its path in the repo."""
    partial: str | None = None
    """Why it is marked as partial; None: it is whole."""
    published: str | None = None
    """Date, ISO 8601."""
