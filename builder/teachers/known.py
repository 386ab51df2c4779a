"""teacher.json: what was found out about teachers once, at first use, and holds for
this store.
"""

from pathlib import Path

from pydantic import Field

from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.record import FORMAT_VERSION, Record

TEACHER_JSON = "teacher.json"


class IdentityCache(Record):
    """The content of teacher.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    hub: dict[str, str] = Field(
        default={}, description="repo@revision as configured to the commit it meant."
    )
    endpoints: dict[str, str] = Field(
        default={},
        description="served name@stated revision to the digest of /tokenize, or untokenized.",
    )
    folders: dict[str, str] = Field(
        default={},
        description="Name of a model's folder that need not be here to the digest of its files.",
    )


def load_known(store_dir: Path) -> IdentityCache:
    """What teacher.json says; empty where there is none.

    Raises StoreError where it cannot be read.
    """
    remedy = "Delete the file to resolve the teacher's identity again."
    path = store_dir / TEACHER_JSON
    return read_record(path, IdentityCache, remedy=remedy, error=StoreError) or (
        IdentityCache()
    )


def save_known(store_dir: Path, known: IdentityCache) -> None:
    """Write teacher.json, whole or not at all; raises StoreError."""
    write_record(store_dir / TEACHER_JSON, known)
