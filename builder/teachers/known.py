"""teacher.json: what was found out about teachers once, at first use, and holds for
this store.
"""

from pathlib import Path

from pydantic import Field

from cotbuild.builder.storage.remembered import load_remembered, save_remembered
from cotbuild.schemas.record import FORMAT_VERSION, Record

TEACHER_JSON = "teacher.json"


class IdentityCache(Record):
    """The content of teacher.json."""

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
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
    return load_remembered(store_dir / TEACHER_JSON, IdentityCache)


def save_known(store_dir: Path, known: IdentityCache) -> None:
    """Write teacher.json, whole or not at all; raises StoreError."""
    save_remembered(store_dir / TEACHER_JSON, known)
