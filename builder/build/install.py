"""Replace the files of a build as a whole or not at all, whatever stops the run.

.staging/     files of a build that is being written; without meaning if a run is killed
.installing/  the same folder once it is complete, renamed: from then on the replacement
              is decided, and whoever locks the folder next completes it

manifest.json is moved away first and put in place last, so a reader who finds it finds
the build that it describes. What is deleted or replaced is only what cotbuild wrote.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from os.path import lexists
from pathlib import Path, PurePosixPath

from cotbuild.builder.build.directory import (
    CARD,
    CONFIG,
    INSTALLING,
    MANIFEST,
)
from cotbuild.builder.storage.answer_store import ANSWERS, AnswerStore
from cotbuild.builder.storage.places import plain_folder, safe_place
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError
from cotbuild.schemas.files import (
    fsync_path,
    read_record,
    write_error,
    write_text_atomic,
)
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.names import BASE_CONFIGS, PICTURES

_STAGING = ".staging"
_PREVIOUS = ".previous-manifest.json"
"""Name in .installing/ of the manifest of the build that is being replaced."""
_OLD_PREVIOUS = Path(ANSWERS) / "previous-manifest.json"
"""The same where a replacement by an earlier version of cotbuild was killed."""
_SHARD = re.compile(r".+-\d{5,9}-of-\d{5,9}\.parquet", re.DOTALL)


@contextmanager
def lock_build(build_dir: Path) -> Iterator[None]:
    """Hold a build directory for one run that may change it.

    First completes what an interrupted run left. Raises StoreError if another process
    holds it or it cannot be written, DataError if what was left is damaged.
    """
    with AnswerStore(build_dir).lock():
        complete_install(build_dir)
        _remove(build_dir / _STAGING)
        yield


@contextmanager
def staging_folder(build_dir: Path) -> Iterator[Path]:
    """Yield an empty hidden folder to write a build into; it is deleted afterwards.

    Raises StoreError if it cannot be created or written.
    """
    stage = build_dir / _STAGING
    _remove(stage)
    try:
        stage.mkdir(parents=True)
    except OSError as error:
        raise write_error(stage, error) from error
    try:
        yield stage
    except OSError as error:
        if isinstance(error, CotbuildError):
            raise
        raise write_error(stage, error) from error
    finally:
        _remove(stage)


def read_last_manifest(build_dir: Path) -> Manifest | None:
    """Read the manifest of a build, or else of the one whose replacement was killed.

    The files that the latter names may be missing or replaced. Returns None if there is
    neither that can be read.
    """
    for path in (
        build_dir / MANIFEST,
        build_dir / INSTALLING / _PREVIOUS,
        build_dir / _OLD_PREVIOUS,
    ):
        with suppress(DataError):
            manifest = read_record(path, Manifest, remedy="")
            if manifest is not None:
                return manifest
    return None


# -- what is not ours --------------------------------------------------------------------


def refuse_other_content(out: Path) -> None:
    """Raise ConfigError if a folder without a build has files of a build's names.

    They are a user's own, and a build would replace them.
    """
    if any(lexists(out / name) for name in (MANIFEST, ANSWERS, INSTALLING)):
        return
    for name in (CARD, CONFIG, *sorted(BASE_CONFIGS)):
        if lexists(out / name):
            raise ConfigError(
                f"{out}: holds {name!r} and is no build, which would replace it. Choose a "
                "new or empty folder."
            )


def refuse_other_files(build_dir: Path, config_names: Iterable[str]) -> None:
    """Raise ConfigError if the folder of a config holds a file that cotbuild did not write.

    Installing a build would replace or mix with it.
    """
    manifest = read_last_manifest(build_dir)
    named = set() if manifest is None else {entry.path for entry in manifest.files}
    for name in sorted(config_names):
        folder = plain_folder(build_dir, PurePosixPath(name), str(build_dir))
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if f"{name}/{path.name}" not in named and not _is_shard(path):
                raise ConfigError(
                    f"{path}: not written by cotbuild, in the folder of config {name!r}. "
                    "Move it elsewhere, or choose another folder or name."
                )


def _is_shard(path: Path) -> bool:
    """Whether a file is a part of a config that cotbuild wrote."""
    from cotbuild.builder.storage.parquet import is_written_by_cotbuild

    is_file = path.is_file() and not path.is_symlink()
    has_name = _SHARD.fullmatch(path.name) is not None
    return is_file and has_name and is_written_by_cotbuild(path)


# -- replacing a build -------------------------------------------------------------------


def install_build(build_dir: Path, stage: Path, manifest: Manifest) -> None:
    """Replace the build in `build_dir` with the staged files and `manifest`.

    Raises ConfigError if that would replace a user's own file, StoreError if a file
    cannot be written. Nothing has changed then, unless the error says otherwise.
    """
    configs = {entry.config_name for entry in manifest.files}
    refuse_other_files(build_dir, {name for name in configs if (stage / name).is_dir()})
    try:
        write_text_atomic(stage / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        _sync_tree(stage)
        stage.replace(build_dir / INSTALLING)
        fsync_path(build_dir)
    except OSError as error:
        raise write_error(build_dir, error) from error
    complete_install(build_dir)


def complete_install(build_dir: Path) -> None:
    """Put the files of .installing/ in place, if there is one.

    Idempotent: after a kill at any point, calling it again has the same result. Call it
    with the lock. Raises StoreError, and DataError if the folder was tampered with.
    """
    stage = plain_folder(build_dir, PurePosixPath(INSTALLING), str(build_dir))
    remedy = f"Delete {INSTALLING} and run the same command again."
    manifest = read_record(stage / MANIFEST, Manifest, remedy=remedy)
    try:
        if manifest is not None:
            _install(build_dir, stage, manifest)
        _remove(stage)
    except OSError as error:
        raise write_error(build_dir, error) from error


def _install(build_dir: Path, stage: Path, manifest: Manifest) -> None:
    # Every path is checked before the first change.
    paths = _staged_paths(stage, manifest)
    places = {path: safe_place(build_dir, path) for path in paths}
    if lexists(build_dir / MANIFEST):
        (build_dir / MANIFEST).replace(stage / _PREVIOUS)
        fsync_path(build_dir)
    for path in _obsolete_files(build_dir, manifest):
        path.unlink(missing_ok=True)
        with suppress(OSError):  # a folder that is not empty stays
            path.parent.rmdir()
    for staged, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        (stage / staged).replace(place)
        fsync_path(place.parent)
    (stage / MANIFEST).replace(build_dir / MANIFEST)
    fsync_path(build_dir)
    (build_dir / _OLD_PREVIOUS).unlink(missing_ok=True)


def _staged_paths(stage: Path, manifest: Manifest) -> list[str]:
    """Return the paths of the staged files that belong to a build with this manifest.

    Raises DataError if one is no regular file.
    """
    paths = [CARD, CONFIG, *sorted(PICTURES), *(entry.path for entry in manifest.files)]
    return [path for path in paths if lexists(safe_place(stage, path))]


def _obsolete_files(build_dir: Path, manifest: Manifest) -> list[Path]:
    """Return the files of configs that cotbuild wrote and `manifest` does not name."""
    previous = read_last_manifest(build_dir)
    entries = [*manifest.files, *(previous.files if previous is not None else ())]
    named = {entry.path for entry in manifest.files}
    obsolete = []
    for name in sorted({entry.config_name for entry in entries}):
        folder = plain_folder(build_dir, PurePosixPath(name), str(build_dir))
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if f"{name}/{path.name}" not in named and _is_shard(path):
                obsolete.append(path)
    return obsolete


def _remove(path: Path) -> None:
    """Delete a folder that cotbuild wrote for itself; of a link only the link."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        fsync_path(path)
    fsync_path(folder)
