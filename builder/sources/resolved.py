"""source.json: what branches and tags of Hub datasets meant at first use, and their
licences; it holds for a store.
"""

from pathlib import Path

from pydantic import Field

from cotbuild.builder.storage.remembered import load_remembered, save_remembered
from cotbuild.schemas.record import FORMAT_VERSION, Record

SOURCE_JSON = "source.json"


class ResolvedSource(Record):
    """The content of source.json."""

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    hub: dict[str, str] = Field(
        default={}, description="repo@revision as configured to the commit it meant."
    )
    licences: dict[str, str] = Field(
        default={},
        description="repo@commit to what its card says; empty: it says none.",
    )


def load_resolved(store_dir: Path) -> ResolvedSource:
    """What source.json says; empty where there is none.

    Raises StoreError where it cannot be read.
    """
    return load_remembered(store_dir / SOURCE_JSON, ResolvedSource)


def save_resolved(store_dir: Path, resolved: ResolvedSource) -> None:
    """Write source.json, whole or not at all; raises StoreError."""
    save_remembered(store_dir / SOURCE_JSON, resolved)
