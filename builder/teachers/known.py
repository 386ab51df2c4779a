"""teacher.json: what was found out about teachers once, at first use, and holds for this store."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from cotbuild.builder.durable import write_text
from cotbuild.schemas.base import FORMAT_VERSION, Record, check_format
from cotbuild.schemas.errors import StoreError

TEACHER_JSON = "teacher.json"


class Known(Record):
    """The content of teacher.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Version of this form.")
    hub: dict[str, str] = Field(default={}, description="repo@revision as configured to the commit it meant.")
    endpoints: dict[str, str] = Field(
        default={}, description="served name@stated revision to the digest of /tokenize, or untokenized."
    )


def load_known(store_dir: Path) -> Known:
    """What teacher.json says; empty where there is none. Raises StoreError where it cannot be read."""
    path = store_dir / TEACHER_JSON
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Known()
    except (OSError, ValueError) as fault:
        raise StoreError(f"{path}: {fault}. Expected JSON that cotbuild wrote. Remove it to begin anew.") from fault
    if not isinstance(value, dict):
        raise StoreError(f"{path}: {value!r:.80}. Expected a JSON object. Remove it to begin anew.")
    check_format(value.get("format_version"), str(path))
    return Known.parse(value, str(path), StoreError)


def save_known(store_dir: Path, known: Known) -> None:
    """Write teacher.json, whole or not at all; raises StoreError."""
    path = store_dir / TEACHER_JSON
    try:
        write_text(path, json.dumps(known.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    except OSError as fault:
        raise StoreError(f"{path}: {fault.strerror}. Expected a folder that can be written.") from fault
