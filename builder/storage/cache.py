"""The user's cache folder, and checksums of large files that are read only once."""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import file_sha256, write_text_atomic
from cotbuild.schemas.json_text import parse_record_json

SETTLED_S = 5
"""Seconds after which a file's time of change is taken to tell it from later ones."""


def cache_dir() -> Path:
    """Return $COTBUILD_CACHE, or cotbuild under $XDG_CACHE_HOME or ~/.cache.

    Raises ConfigError if $COTBUILD_CACHE is a relative path.
    """
    configured = os.environ.get("COTBUILD_CACHE")
    if configured:
        if not Path(configured).is_absolute():
            raise ConfigError(
                f"COTBUILD_CACHE is {configured!r}. Set it to an absolute path."
            )
        return Path(configured)
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification says to ignore relative values.
    parent = xdg if xdg.is_absolute() else Path.home() / ".cache"
    return parent / "cotbuild"


def cached_sha256(path: Path, cache: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits.

    It is cached in `cache` by the file's path, size and modification time. Raises
    StoreError if the file cannot be read; a cache that cannot be written only costs
    time.
    """
    try:
        path = path.resolve(strict=True)
        stat = path.stat()
        facts = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
        entry = cache / "checksums" / f"{name}.json"
        sha256 = _read_cached(entry, facts)
        if sha256 is None:
            sha256 = file_sha256(path)
            with contextlib.suppress(OSError):
                write_text_atomic(entry, json.dumps(facts | {"sha256": sha256}))
    except OSError as fault:
        raise StoreError(
            f"{path}: could not be read: {fault.strerror or fault}."
        ) from fault
    return sha256


def sha256_of_unchanged(path: Path, cache: Path) -> str:
    """Return the SHA-256 of a large file that may be edited, 64 hex digits.

    It is cached by all that an edit changes: size, inode, and the time of the last change,
    which no program can set back. A file that was changed in the last SETTLED_S is read
    each time, since an edit right after it might have the same time. Raises OSError.
    """
    path = path.resolve(strict=True)
    stat = path.stat()
    facts = {
        "path": str(path),
        "size": stat.st_size,
        "device": stat.st_dev,
        "inode": stat.st_ino,
        "mtime_ns": stat.st_mtime_ns,
        "ctime_ns": stat.st_ctime_ns,
    }
    name = hashlib.sha256(b"unchanged\n" + os.fsencode(path)).hexdigest()[:32]
    entry = cache / "checksums" / f"{name}.json"
    sha256 = _read_cached(entry, facts)
    if sha256 is not None:
        return sha256
    age_s = time.time() - max(stat.st_ctime, stat.st_mtime)
    sha256 = file_sha256(path)
    if age_s > SETTLED_S:
        with contextlib.suppress(OSError):
            write_text_atomic(entry, json.dumps(facts | {"sha256": sha256}))
    return sha256


def _read_cached(entry: Path, facts: dict[str, object]) -> str | None:
    """Return the cached checksum, or None if there is none for these facts."""
    try:
        cached = parse_record_json(entry.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(cached, dict):
        return None
    sha256 = cached.get("sha256")
    matches = type(sha256) is str and cached == facts | {"sha256": sha256}
    return sha256 if matches else None
