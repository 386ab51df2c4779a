"""The build directory: replaced as a whole, or not at all as far as a reader of
manifest.json can tell.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotbuild.builder.storage.answer_store import ANSWERS
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import (
    fsync_path,
    read_record,
    write_error,
    write_text_atomic,
)
from cotbuild.schemas.manifest import Manifest

MANIFEST = "manifest.json"
CONFIG = "build.json"
CARD = "README.md"
_REMEDY = "Delete the file and run `cotbuild generate` again."
_STAGING = ".staging"
_PREVIOUS = Path(ANSWERS) / "previous-manifest.json"
"""The manifest that an unfinished replacement took away: it names the files that may
have to go.
"""


def read_manifest(build_dir: Path) -> Manifest | None:
    """The build's manifest; None where the build is not whole. Raises DataError on one
    that cannot be read.
    """
    return _read_manifest(build_dir / MANIFEST)


def read_last_manifest(build_dir: Path) -> Manifest | None:
    """Read the build's manifest, or the one that a killed replacement took away; None
    if there is neither.

    The files that the latter names may be gone or replaced. Raises DataError on one
    that cannot be read.
    """
    return read_manifest(build_dir) or _read_manifest(build_dir / _PREVIOUS)


def _read_manifest(path: Path) -> Manifest | None:
    return read_record(path, Manifest, remedy=_REMEDY)


def read_config(build_dir: Path) -> BuildConfig | None:
    """The configuration of the build that stands there; None where there is none or it
    cannot be read.
    """
    try:
        return read_config_file(build_dir)
    except DataError:
        return None


def read_config_file(build_dir: Path) -> BuildConfig:
    """Read build.json; raises DataError if it is missing or broken."""
    path = build_dir / CONFIG
    config = read_record(path, BuildConfig, remedy=_REMEDY)
    if config is None:
        raise DataError(
            f"{path}: no such file. Pass the directory of a finished build."
        )
    return config


@contextmanager
def staging(build_dir: Path) -> Iterator[Path]:
    """An empty hidden folder to write a build into; gone afterwards."""
    stage = build_dir / _STAGING
    clear_stage(build_dir)
    try:
        stage.mkdir(parents=True)
        yield stage
    finally:
        clear_stage(build_dir)


def clear_stage(build_dir: Path) -> None:
    """Remove what a killed run left of a build it was writing."""
    shutil.rmtree(build_dir / _STAGING, ignore_errors=True)


def install(build_dir: Path, stage: Path, manifest: Manifest) -> None:
    """Put the staged files in place of the build that stands there. manifest.json comes
    last.

    Only what an earlier manifest of ours named is removed; a user's own files stay.
    Raises StoreError.
    """
    try:
        _sync_tree(stage)
        replaced = [
            m
            for m in (_read_manifest(build_dir / _PREVIOUS), read_manifest(build_dir))
            if m is not None
        ]
        if (build_dir / MANIFEST).exists():
            (build_dir / MANIFEST).replace(build_dir / _PREVIOUS)
            fsync_path(build_dir)
        names = {path.name for path in stage.iterdir()}
        gone = {entry.config_name for m in replaced for entry in m.files} - {
            e.config_name for e in manifest.files
        }
        for name in sorted(names | gone):
            _swap(build_dir / name, stage / name, stage / f".old-{name}")
        # By way of the staging folder: what a kill leaves of it goes with that.
        write_text_atomic(stage / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        (stage / MANIFEST).replace(build_dir / MANIFEST)
        fsync_path(build_dir)
        (build_dir / _PREVIOUS).unlink(missing_ok=True)
    except OSError as error:
        raise write_error(build_dir, error) from error


def _swap(place: Path, new: Path, old: Path) -> None:
    if place.exists():
        place.replace(old)
    if new.exists():
        new.replace(place)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        fsync_path(path)
    fsync_path(folder)
