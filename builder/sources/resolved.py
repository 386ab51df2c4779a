"""source.json: what branches and tags of Hub datasets meant at first use, and their
licences; it holds for a store.
"""

from pathlib import Path

from pydantic import Field

from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.record import FORMAT_VERSION, Record

SOURCE_JSON = "source.json"


class ResolvedSource(Record):
    """The content of source.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
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
    remedy = "Delete the file to resolve the sources again."
    path = store_dir / SOURCE_JSON
    resolved = read_record(path, ResolvedSource, remedy=remedy, error=StoreError)
    return resolved or ResolvedSource()


def save_resolved(store_dir: Path, resolved: ResolvedSource) -> None:
    """Write source.json, whole or not at all; raises StoreError."""
    write_record(store_dir / SOURCE_JSON, resolved)
