"""Small JSON files of the store: what was found out once and holds for every later run."""

import json
from pathlib import Path
from typing import Any, TypeVar

from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.record import Record, check_format

R = TypeVar("R", bound=Record)


def load_remembered(path: Path, model: type[R]) -> R:
    """What the file says; `model()` where there is none. Raises StoreError where it
    cannot be read.
    """
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return model()
    except (OSError, ValueError) as fault:
        raise StoreError(
            f"{path}: {fault}. Expected JSON that cotbuild wrote. Remove it to begin anew."
        ) from fault
    if not isinstance(value, dict):
        raise StoreError(
            f"{path}: {value!r:.80}. Expected a JSON object. Remove it to begin anew."
        )
    check_format(value.get("format_version"), str(path))
    return model.parse(value, str(path), StoreError)


def save_remembered(path: Path, record: Record) -> None:
    """Write the file, whole or not at all; raises StoreError."""
    try:
        write_text_atomic(
            path,
            json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False)
            + "\n",
        )
    except OSError as fault:
        raise StoreError(
            f"{path}: {fault.strerror}. Expected a folder that can be written."
        ) from fault
