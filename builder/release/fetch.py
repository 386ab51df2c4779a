"""Download a release from its target, with every path checked."""

from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import (
    CARD,
    CONFIG,
    MANIFEST,
    read_manifest,
)
from cotbuild.builder.build.verify import check_files
from cotbuild.builder.hub.target import Progress, ReleaseTarget, RemoteState
from cotbuild.builder.release.compose import example_paths
from cotbuild.builder.storage.places import safe_path, safe_place
from cotbuild.builder.storage.temporary import temporary_folder
from cotbuild.schemas.errors import DataError, PublishError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.names import PICTURES


def fetch_release(
    target: ReleaseTarget, revision: str | None, folder: Path, progress: Progress
) -> tuple[str, StoredBuild]:
    """Download a whole release to `folder`; return its commit and the build.

    Raises as `find_release` and `fetch_found` do.
    """
    found = find_release(target, revision)
    return found.commit, fetch_found(target, found, folder, progress)


class FoundRelease(NamedTuple):
    """A release that its target lists."""

    commit: str
    state: RemoteState


def find_release(target: ReleaseTarget, revision: str | None) -> FoundRelease:
    """Return what the target lists. Raises PublishError if there is no release."""
    state = target.read_state(revision)
    if state.commit is None or MANIFEST not in state.files:
        raise PublishError(
            f"{target.name}: no release there, as it has no {MANIFEST}. "
            "Check the name and the revision."
        )
    return FoundRelease(state.commit, state)


def fetch_found(
    target: ReleaseTarget, found: FoundRelease, folder: Path, progress: Progress
) -> StoredBuild:
    """Download a release that was found to `folder`.

    Files that are there already with the right bytes are skipped. Raises PublishError
    if a file is missing or has other bytes than the target lists; DataError if it has
    others than the manifest states.
    """
    commit, state = found
    build = _fetch_manifest(target, commit, folder)
    paths = release_paths(build.manifest, state, target.name)
    for path in paths:
        safe_place(folder, path, error=PublishError)
    target.fetch_files(paths, commit, folder, progress)
    for path in paths:
        if not state.files[path].matches(folder / path):
            raise PublishError(
                f"{target.name}: {path!r} was downloaded with other bytes than listed. "
                "Run again."
            )
    check_files(build)
    return build


def find_manifest(target: ReleaseTarget, state: RemoteState) -> Manifest | None:
    """Return the manifest of the release in `state`; None if there is none of ours."""
    if state.commit is None or MANIFEST not in state.files:
        return None
    with temporary_folder() as folder:
        try:
            return _fetch_manifest(target, state.commit, folder).manifest
        except PublishError as error:
            # Another program's manifest.json does not parse.
            if isinstance(error.__cause__, DataError):
                return None
            raise


def release_paths(manifest: Manifest, state: RemoteState, release: str) -> list[str]:
    """Return the path of every file of a release.

    `release` names it in errors. Raises PublishError if a file that the manifest names
    is missing, or its path leads out of the release.
    """
    paths = [
        *(MANIFEST, CONFIG, CARD),
        *(entry.path for entry in manifest.files),
        *example_paths(manifest),
    ]
    for path in paths:
        safe_path(path, release, PublishError)
        if path not in state.files:
            raise PublishError(
                f"{release}: {path!r} is missing, though {MANIFEST} needs it. "
                "The release is incomplete; publish it again."
            )
    return [*paths, *sorted(PICTURES & state.files.keys())]


def _fetch_manifest(target: ReleaseTarget, commit: str, folder: Path) -> StoredBuild:
    safe_place(folder, MANIFEST, error=PublishError)
    target.fetch_files([MANIFEST], commit, folder, _ignore_progress)
    try:
        manifest = read_manifest(folder, "The release is damaged. Publish it again.")
    except DataError as error:
        words = str(error).removeprefix(f"{folder}/")
        raise PublishError(f"{target.name}: {words}") from error
    if manifest is None:
        raise PublishError(f"{target.name}: {MANIFEST} was not downloaded. Run again.")
    return StoredBuild(folder, manifest)


def _ignore_progress(done: int, total: int) -> None:
    """Do nothing: the file is small."""
