"""source.json: the commits that branches and tags of Hub datasets meant at first use; they hold for this store."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from cotbuild.builder.durable import write_text
from cotbuild.schemas.base import FORMAT_VERSION, Record, check_format
from cotbuild.schemas.errors import StoreError

SOURCE_JSON = "source.json"


class Resolved(Record):
    """The content of source.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Version of this form.")
    hub: dict[str, str] = Field(default={}, description="repo@revision as configured to the commit it meant.")


def load_resolved(store_dir: Path) -> Resolved:
    """What source.json says; empty where there is none. Raises StoreError where it cannot be read."""
    path = store_dir / SOURCE_JSON
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Resolved()
    except (OSError, ValueError) as fault:
        raise StoreError(f"{path}: {fault}. Expected JSON that cotbuild wrote. Remove it to begin anew.") from fault
    if not isinstance(value, dict):
        raise StoreError(f"{path}: {value!r:.80}. Expected a JSON object. Remove it to begin anew.")
    check_format(value.get("format_version"), str(path))
    return Resolved.parse(value, str(path), StoreError)


def save_resolved(store_dir: Path, resolved: Resolved) -> None:
    """Write source.json, whole or not at all; raises StoreError."""
    path = store_dir / SOURCE_JSON
    try:
        write_text(path, json.dumps(resolved.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    except OSError as fault:
        raise StoreError(f"{path}: {fault.strerror}. Expected a folder that can be written.") from fault
