"""The files of a build directory: their names, and how its JSON files are read.

`builder.build.install` replaces them, as a whole or not at all.
"""

from os.path import lexists
from pathlib import Path

from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import MAX_RECORD_BYTES, open_regular, read_record
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import FORMAT_VERSION

MANIFEST = "manifest.json"
CONFIG = "build.json"
CARD = "README.md"
INSTALLING = ".installing"
"""Folder of a complete build whose files are being put in place; see install.py."""
REBUILD = (
    f"Delete {MANIFEST} and run the command that wrote the build again, which builds from "
    "the stored answers; download a release again."
)
"""What to do about files that contradict each other."""
_DAMAGED = "damaged-manifest.json"
_REMEDY = (
    "Run the command that wrote it again (generate, import or pull): it keeps the file as "
    f"{_DAMAGED} and builds anew from the stored answers."
)
_CONFIG_REMEDY = (
    "Delete the file and run the command that wrote it again "
    "(generate, import or pull)."
)


def read_manifest(build_dir: Path, remedy: str = _REMEDY) -> Manifest | None:
    """Read the manifest of a build, or return None if there is no finished build.

    Raises DataError if it cannot be read, with `remedy` if it is damaged.
    """
    return read_record(build_dir / MANIFEST, Manifest, remedy=remedy)


def find_manifest(build_dir: Path) -> Manifest | None:
    """Read the manifest of a build, or return None if it is missing or damaged.

    Raises DataError if it cannot be read or was written by a newer cotbuild.
    """
    try:
        return read_manifest(build_dir)
    except DataError:
        if _is_damaged(build_dir / MANIFEST):
            return None
        raise


def is_interrupted(build_dir: Path) -> bool:
    """Whether a run was stopped while it put the files of a build in place.

    The next run that locks the folder completes that.
    """
    has_manifest = lexists(build_dir / MANIFEST)
    return not has_manifest and lexists(build_dir / INSTALLING / MANIFEST)


def set_aside_damaged_manifest(build_dir: Path) -> Path | None:
    """Rename a manifest that is damaged, and return its new path; None if it is not.

    Raises DataError if it cannot be read or was written by a newer cotbuild.
    """
    path = build_dir / MANIFEST
    if not lexists(path) or find_manifest(build_dir) is not None:
        return None
    return path.rename(_free_path(build_dir / _DAMAGED))


def _free_path(path: Path) -> Path:
    """Return the path, or the same with a number if something is there."""
    number = 1
    free = path
    while lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _is_damaged(path: Path) -> bool:
    """Whether a JSON file can be read, and not only by a newer cotbuild."""
    try:
        with open_regular(path) as file:
            value = parse_record_json(file.read(MAX_RECORD_BYTES))
    except JsonFault:
        return True
    except OSError:
        return False
    version = value.get("format_version") if isinstance(value, dict) else None
    return not (type(version) is int and version > FORMAT_VERSION)


def read_config(build_dir: Path) -> BuildConfig:
    """Read build.json; raises DataError if it is missing or damaged."""
    path = build_dir / CONFIG
    config = read_record(path, BuildConfig, remedy=_CONFIG_REMEDY)
    if config is None:
        raise DataError(
            f"{path}: no such file. Run the command that wrote the build again (generate, "
            "import or pull)."
        )
    return config


def find_config(build_dir: Path) -> BuildConfig | None:
    """Read build.json, or return None if it is missing or damaged."""
    try:
        return read_config(build_dir)
    except DataError:
        return None
