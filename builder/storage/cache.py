"""The user's cache: its place, and checksums of big files that are read once."""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import file_sha256, write_text_atomic


def cache_dir() -> Path:
    """$COTBUILD_CACHE, else cotbuild under $XDG_CACHE_HOME or ~/.cache.

    Raises ConfigError on a relative one.
    """
    stated = os.environ.get("COTBUILD_CACHE")
    # The XDG specification has relative values ignored.
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    usual = (xdg if xdg.is_absolute() else Path.home() / ".cache") / "cotbuild"
    if stated and not Path(stated).is_absolute():
        raise ConfigError(f"COTBUILD_CACHE is {stated!r}. Expected an absolute path.")
    return Path(stated) if stated else usual


def checksum(path: Path, cache: Path) -> str:
    """sha256 of the file's bytes, 64 hex digits, remembered in `cache` by (path, size,
    mtime).

    Raises StoreError where the file cannot be read. A cache that cannot be written only
    costs the reading.
    """
    try:
        path = path.resolve(strict=True)
        stat = path.stat()
        facts = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        note = (
            cache
            / "checksums"
            / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
        )
        known = _recall(note, facts)
        if known is None:
            known = file_sha256(path)
            with contextlib.suppress(OSError):
                write_text_atomic(note, json.dumps(facts | {"sha256": known}))
    except OSError as fault:
        raise StoreError(
            f"{path}: {fault.strerror}. Expected a file that can be read."
        ) from fault
    return known


def _recall(note: Path, facts: dict[str, object]) -> str | None:
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # not there, or broken: read the file
    known = noted.get("sha256") if isinstance(noted, dict) else None
    return known if type(known) is str and noted == facts | {"sha256": known} else None
