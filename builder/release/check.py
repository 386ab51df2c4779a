"""Checks of a build or release from nothing but its own files: what `cotbuild verify`
does, here and elsewhere.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import Build
from cotbuild.builder.build.directory import CARD, CONFIG, MANIFEST
from cotbuild.builder.build.verify import verify_build
from cotbuild.builder.generate.exemplars import ExemplarPool, draw
from cotbuild.builder.hub.target import Progress, ReleaseTarget, RemoteState
from cotbuild.builder.release.rederive import (
    check_rows,
    imported_row,
    rederiving,
)
from cotbuild.builder.release.untrusted import safe_path
from cotbuild.builder.variants.check import check_variants
from cotbuild.schemas.answers.grade import EXTRACT_VERSION
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError, PublishError
from cotbuild.schemas.manifest import Manifest


class VerifyOptions(NamedTuple):
    """How thorough, and with what at hand."""

    files: Mapping[str, Path] = {}
    """By the names that variants were made with."""
    everything: bool = False
    """Every row of the variants, not a sample."""
    source: str | None = None
    """Where the questions stand, for exemplars that were drawn from a split."""


def check(folder: Path, checks: VerifyOptions) -> tuple[Manifest, list[str]]:
    """The manifest of a build that holds, and what was checked, a line each.

    Raises DataError with the first fault.
    """
    build = Build.open(folder)
    verify_build(build)
    lines = list(_check_rationales(build, checks.source))
    if build.manifest.variants is not None:
        done = check_variants(build, checks.files, everything=checks.everything)
        lines.append(f"{done} rationales derived again in {len(build.specs)} variants")
    return build.manifest, lines


def _check_rationales(build: Build, source: str | None) -> Iterator[str]:
    manifest, config = build.manifest, build.config
    if why := too_old(manifest):
        yield f"left out: request keys and rows, {why}"
        return
    rows, originals = tee(build.rationales())
    try:
        if manifest.imported is not None:
            count = check_rows(
                rows, (imported_row(row, manifest, config) for row in originals)
            )
            yield f"{count} imported rationales: keys and rows derived again"
            if (
                config.imported is not None
                and config.imported.recipe.answer == "column"
            ):
                yield "left out: the answers, which a column of the files said; they are taken as published"
            return
        again = rederiving(manifest, config, _pool(config, source))
        count = check_rows(rows, map(again.row, originals))
    except DataError as error:
        raise DataError(f"{build.folder}/rationales: {error}") from error
    yield f"{count} rationales: {'request keys and rows' if again.keys else 'rows'} derived again"
    if not again.keys and config.exemplars is not None:
        yield (
            f"left out: request keys, whose exemplars were drawn from split {config.exemplars.split!r}, which is not "
            "in the release. --source PATH checks them too"
        )


def too_old(manifest: Manifest) -> str | None:
    """Why this cotbuild cannot make the rows again; None: it can."""
    if manifest.extract_version != EXTRACT_VERSION:
        return f"judged by extraction version {manifest.extract_version}; this cotbuild has {EXTRACT_VERSION}"
    if any(entry.content is None for entry in manifest.templates):
        return "built before templates were kept in manifest.json"
    return None


def _pool(config: BuildConfig, source: str | None) -> ExemplarPool | None:
    """The exemplars as they were drawn, where the split they come from is at hand."""
    wanted = config.exemplars
    if wanted is None or source is None:
        return None
    from cotbuild.builder.sources import open_source

    found = open_source(config.source.model_copy(update={"name": source}))
    return draw(wanted, found.worked(wanted.split))


def fetch_release(
    target: ReleaseTarget, revision: str | None, folder: Path, progress: Progress
) -> tuple[str, Manifest]:
    """Bring a whole release into `folder`, where what stands whole is not sent again;
    its commit and manifest.

    Raises PublishError where there is no release, or files come over with other bytes
    than the target lists.
    """
    state = target.read_state(revision)
    if state.commit is None or MANIFEST not in state.files:
        raise PublishError(
            f"{target.name}: no release there. Expected a manifest.json, as `cotbuild publish` puts it."
        )
    manifest = _fetch_manifest(target, state, folder)
    paths = release_paths(manifest, state, target.name)
    target.fetch_files(paths, state.commit, folder, progress)
    for path in paths:
        if not state.files[path].matches(folder / path):
            raise PublishError(
                f"{target.name}: {path!r} came over with other bytes than are listed. Run again."
            )
    return state.commit, manifest


def _silent(done: int, total: int) -> None:
    """No progress, of a small file."""


def _fetch_manifest(
    target: ReleaseTarget, state: RemoteState, folder: Path
) -> Manifest:
    assert state.commit is not None
    target.fetch_files([MANIFEST], state.commit, folder, _silent)
    try:
        return Build.open(folder).manifest
    except DataError as error:
        words = str(error).removeprefix(f"{folder}/")
        raise PublishError(f"{target.name}: {words}") from error


def standing_manifest(target: ReleaseTarget, state: RemoteState) -> Manifest | None:
    """The manifest of the release that stands there; None: there is none of ours."""
    if MANIFEST not in state.files:
        return None
    with tempfile.TemporaryDirectory(prefix="cotbuild-") as folder:
        try:
            return _fetch_manifest(target, state, Path(folder))
        except PublishError as error:
            if isinstance(error.__cause__, DataError):
                return None  # somebody else's manifest.json
            raise


def release_paths(manifest: Manifest, state: RemoteState, where: str) -> list[str]:
    """Every file of a release.

    Raises PublishError where one that the manifest names is missing, or leads out of
    it.
    """
    from cotbuild.builder.release.compose import PICTURES

    named = [MANIFEST, CONFIG, CARD, *(entry.path for entry in manifest.files)]
    for path in named:
        safe_path(path, where)
    if missing := [path for path in named if path not in state.files]:
        raise PublishError(
            f"{where}: {missing[0]!r} is missing. Expected every file that manifest.json names."
        )
    return [*named, *sorted(PICTURES & state.files.keys())]


def verify_release(
    target: ReleaseTarget,
    revision: str | None,
    checks: VerifyOptions,
    progress: Progress,
    say: Callable[[str], None],
) -> tuple[Manifest, list[str]]:
    """Fetch a release and check it as `check` does.

    Raises PublishError or DataError with the first fault.
    """
    with tempfile.TemporaryDirectory(prefix="cotbuild-") as name:
        folder = Path(name)
        commit, _ = fetch_release(target, revision, folder, progress)
        say(f"{target.name}: commit {commit[:12]}")
        try:
            return check(folder, checks)
        except DataError as error:
            raise DataError(
                str(error).replace(
                    str(folder), f"{target.name}@{revision or commit[:12]}"
                )
            ) from error
