"""The files of a build directory, which is replaced as a whole or not at all.

manifest.json is removed first and written last, so a reader who finds it finds the
build that it describes.
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
"""The manifest of the build that an unfinished replacement removed.

It names the files that may have to be deleted.
"""


def read_manifest(build_dir: Path) -> Manifest | None:
    """Read the manifest of a build, or return None if there is no finished build.

    Raises DataError if it cannot be read.
    """
    return read_record(build_dir / MANIFEST, Manifest, remedy=_REMEDY)


def read_last_manifest(build_dir: Path) -> Manifest | None:
    """Read the manifest of a build, or else of the one whose replacement was killed.

    The files that the latter names may be missing or replaced. Returns None if there is
    neither. Raises DataError if one cannot be read.
    """
    return read_manifest(build_dir) or _read_previous_manifest(build_dir)


def _read_previous_manifest(build_dir: Path) -> Manifest | None:
    return read_record(build_dir / _PREVIOUS, Manifest, remedy=_REMEDY)


def read_config(build_dir: Path) -> BuildConfig:
    """Read build.json; raises DataError if it is missing or damaged."""
    path = build_dir / CONFIG
    config = read_record(path, BuildConfig, remedy=_REMEDY)
    if config is None:
        raise DataError(
            f"{path}: no such file. Pass the directory of a finished build."
        )
    return config


def find_config(build_dir: Path) -> BuildConfig | None:
    """Read build.json, or return None if it is missing or damaged."""
    try:
        return read_config(build_dir)
    except DataError:
        return None


# -- replacing a build -------------------------------------------------------------------


@contextmanager
def staging_folder(build_dir: Path) -> Iterator[Path]:
    """Yield an empty hidden folder to write a build into; it is deleted afterwards."""
    stage = build_dir / _STAGING
    clear_staging(build_dir)
    try:
        stage.mkdir(parents=True)
        yield stage
    finally:
        clear_staging(build_dir)


def clear_staging(build_dir: Path) -> None:
    """Delete the unfinished build that a killed run left behind."""
    shutil.rmtree(build_dir / _STAGING, ignore_errors=True)


def install_build(build_dir: Path, stage: Path, manifest: Manifest) -> None:
    """Replace the build in `build_dir` with the staged files and `manifest`.

    Of the files there, only those that an earlier manifest named are deleted; a user's
    own files stay. Raises StoreError.
    """
    try:
        _sync_tree(stage)
        obsolete = _config_names(build_dir) - {e.config_name for e in manifest.files}
        _remove_manifest(build_dir)
        staged = {path.name for path in stage.iterdir()}
        for name in sorted(staged | obsolete):
            _replace_path(build_dir / name, stage / name, stage / f".old-{name}")
        _write_manifest(build_dir, stage, manifest)
    except OSError as error:
        raise write_error(build_dir, error) from error


def _config_names(build_dir: Path) -> set[str]:
    """Return the configs whose folders may be there, after a killed replacement too."""
    names = set()
    for manifest in (_read_previous_manifest(build_dir), read_manifest(build_dir)):
        if manifest is not None:
            names |= {entry.config_name for entry in manifest.files}
    return names


def _remove_manifest(build_dir: Path) -> None:
    if (build_dir / MANIFEST).exists():
        (build_dir / MANIFEST).replace(build_dir / _PREVIOUS)
        fsync_path(build_dir)


def _write_manifest(build_dir: Path, stage: Path, manifest: Manifest) -> None:
    # Written in the staging folder, so that a kill leaves no temporary file elsewhere.
    write_text_atomic(stage / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    (stage / MANIFEST).replace(build_dir / MANIFEST)
    fsync_path(build_dir)
    (build_dir / _PREVIOUS).unlink(missing_ok=True)


def _replace_path(current: Path, new: Path, old: Path) -> None:
    """Move `new` to `current`, and what is there to `old`; either may be missing."""
    if current.exists():
        current.replace(old)
    if new.exists():
        new.replace(current)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        fsync_path(path)
    fsync_path(folder)
