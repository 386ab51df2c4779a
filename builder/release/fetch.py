"""Download a release from its target, with every path checked."""

import tempfile
from pathlib import Path

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import CARD, CONFIG, MANIFEST
from cotbuild.builder.hub.target import Progress, ReleaseTarget, RemoteState
from cotbuild.builder.release.compose import PICTURES
from cotbuild.builder.storage.places import safe_path
from cotbuild.schemas.errors import DataError, PublishError
from cotbuild.schemas.manifest import Manifest


def fetch_release(
    target: ReleaseTarget, revision: str | None, folder: Path, progress: Progress
) -> tuple[str, StoredBuild]:
    """Download a whole release to `folder`; return its commit and the build.

    Files that are there already with the right bytes are skipped. Raises PublishError
    if there is no release, or a file has other bytes than the target lists.
    """
    state = target.read_state(revision)
    commit = state.commit
    if commit is None or MANIFEST not in state.files:
        raise PublishError(
            f"{target.name}: no release there, as it has no {MANIFEST}. "
            "Check the name and the revision."
        )
    build = _fetch_manifest(target, commit, folder)
    paths = release_paths(build.manifest, state, target.name)
    target.fetch_files(paths, commit, folder, progress)
    for path in paths:
        if not state.files[path].matches(folder / path):
            raise PublishError(
                f"{target.name}: {path!r} was downloaded with other bytes than listed. "
                "Run again."
            )
    return commit, build


def find_manifest(target: ReleaseTarget, state: RemoteState) -> Manifest | None:
    """Return the manifest of the release in `state`; None if there is none of ours."""
    if state.commit is None or MANIFEST not in state.files:
        return None
    with tempfile.TemporaryDirectory(prefix="cotbuild-") as folder:
        try:
            return _fetch_manifest(target, state.commit, Path(folder)).manifest
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
    paths = [MANIFEST, CONFIG, CARD, *(entry.path for entry in manifest.files)]
    for path in paths:
        safe_path(path, release, PublishError)
        if path not in state.files:
            raise PublishError(
                f"{release}: {path!r} is missing, though {MANIFEST} needs it. "
                "The release is incomplete; publish it again."
            )
    return [*paths, *sorted(PICTURES & state.files.keys())]


def _fetch_manifest(target: ReleaseTarget, commit: str, folder: Path) -> StoredBuild:
    target.fetch_files([MANIFEST], commit, folder, _ignore_progress)
    try:
        return StoredBuild.open(folder)
    except DataError as error:
        words = str(error).removeprefix(f"{folder}/")
        raise PublishError(f"{target.name}: {words}") from error


def _ignore_progress(done: int, total: int) -> None:
    """Do nothing: the file is small."""
