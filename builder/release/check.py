"""Verify a build or a release from nothing but its own files (`cotbuild verify`)."""

from collections.abc import Callable, Iterator, Mapping
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.generate.exemplars import ExemplarPool, draw_exemplars
from cotbuild.builder.generate.grading import installed_metric, open_grading
from cotbuild.builder.hub.target import Progress, ReleaseTarget
from cotbuild.builder.release.card_check import check_card, check_pictures
from cotbuild.builder.release.config_check import check_config, unconfirmed_fields
from cotbuild.builder.release.fetch import fetch_release
from cotbuild.builder.release.figures import unchecked_fields, verify_rows
from cotbuild.builder.release.rederive import (
    RowDeriver,
    check_import_key,
    compare_rows,
    derive_imported,
)
from cotbuild.builder.sources import open_source
from cotbuild.builder.storage.temporary import temporary_folder
from cotbuild.builder.variants.check import check_variants
from cotbuild.schemas.answers.grade import EXTRACT_VERSION, GradingRules
from cotbuild.schemas.answers.prose_scores import installed_scorers
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError, OtherVersionError
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import short_repr


class VerifyOptions(NamedTuple):
    """How thoroughly to verify, and what the build itself does not hold."""

    files: Mapping[str, Path] = {}
    """The files that variants were derived with, by name."""
    all_rows: bool = False
    """Derive every row of the variants again, not a sample."""
    source: str | None = None
    """The source of the questions, for exemplars drawn from one of its splits."""


def verify_folder(folder: Path, options: VerifyOptions) -> tuple[Manifest, list[str]]:
    """Verify a build directory; return its manifest and a line for each check.

    Raises DataError at the first fault, and OtherVersionError, after every other check,
    if this version cannot derive the rationales again.
    """
    build = StoredBuild.open(folder)
    verify_rows(build)
    check_config(build)
    reason, other_version = unverifiable_reason(build.manifest), None
    if reason is None:
        grading = open_grading(build.config.grading)
        lines = list(_verify_rationales(build, options.source, grading))
    else:
        has_keys = _verify_keys(build)
        other_version = _other_version_error(build, reason, has_keys=has_keys)
        lines = []
    if build.manifest.variants is not None:
        count = check_variants(build, options.files, everything=options.all_rows)
        lines.append(f"{count} rationales derived again in {len(build.specs)} variants")
    lines += [*check_card(build), *check_pictures(build)]
    unchecked = ", ".join([*unchecked_fields(build.manifest), *unconfirmed_fields()])
    lines.append(f"cannot be confirmed from the build alone: {unchecked}")
    if other_version is not None:
        raise other_version
    return build.manifest, lines


def verify_release(
    target: ReleaseTarget,
    revision: str | None,
    options: VerifyOptions,
    progress: Progress,
    say: Callable[[str], None],
) -> tuple[Manifest, list[str]]:
    """Download a release and verify it as `verify_folder` does.

    Raises PublishError if it cannot be downloaded, else as `verify_folder` does.
    """
    with temporary_folder() as folder:
        commit, _ = fetch_release(target, revision, folder, progress)
        say(f"{target.name}: commit {commit[:12]}")
        try:
            return verify_folder(folder, options)
        except (DataError, OtherVersionError) as error:
            release = f"{target.name}@{revision or commit[:12]}"
            message = str(error).replace(str(folder), release)
            raise type(error)(message) from error


def has_templates(manifest: Manifest) -> bool:
    """Whether a manifest holds the templates that its requests were made from."""
    return all(entry.content is not None for entry in manifest.templates)


def unverifiable_reason(manifest: Manifest) -> str | None:
    """Say why this version of cotbuild cannot derive the rows again; None if it can."""
    if manifest.extract_version != EXTRACT_VERSION:
        return (
            f"graded by extraction version {manifest.extract_version}, while this "
            f"cotbuild has the rules of version {EXTRACT_VERSION}"
        )
    metric = installed_metric(manifest.grading)
    if manifest.math_metric != metric:
        return (
            f"answers were compared by {manifest.math_metric}, while "
            f"{metric or 'no such package'} is installed here"
        )
    if manifest.prose_scorers not in (None, installed_scorers()):
        return (
            f"answers were scored by {manifest.prose_scorers}, while "
            f"{installed_scorers() or 'no such packages are'} installed here"
        )
    if not has_templates(manifest):
        return "built before templates were stored in manifest.json"
    return None


def _other_version_error(
    build: StoredBuild, reason: str, *, has_keys: bool
) -> OtherVersionError:
    num_rows = sum(entry.num_rows for entry in build.files(RATIONALES))
    return OtherVersionError(
        f"{build.folder}: verified, but for the answers, rationales and verdicts of its "
        f"{num_rows} rows: {reason}. Files, checksums, columns, order, "
        f"{'request keys, ' if has_keys else ''}every figure, build.json, variants and "
        "the card are as the manifest says. "
        f"{_who_can_verify(build.manifest)} Or run the command that wrote the build "
        "again, which derives the rows by the rules of this version."
    )


def _who_can_verify(manifest: Manifest) -> str:
    writer = f"cotbuild {short_repr(manifest.cotbuild)[1:-1]}"
    if manifest.extract_version != EXTRACT_VERSION:
        return (
            f"{writer} with extraction version {manifest.extract_version} wrote the rows "
            "and can verify them."
        )
    if manifest.math_metric != installed_metric(manifest.grading):
        return f"Install {short_repr(manifest.math_metric)[1:-1]} to verify them."
    if manifest.prose_scorers not in (None, installed_scorers()):
        return f"Install {short_repr(manifest.prose_scorers)[1:-1]} to verify them."
    return f"{writer} wrote the rows; no version can derive them again."


def _verify_keys(build: StoredBuild) -> bool:
    """Make the keys of rows again that this version cannot derive.

    Requests follow from the questions; those after the first of a chain may also follow
    from answers, by the rules of another version. Returns whether it could.
    """
    manifest, config = build.manifest, build.config
    is_requested = manifest.imported is None
    if is_requested and not (has_templates(manifest) and config.exemplars is None):
        return False
    try:
        if manifest.imported is not None:
            for row in build.rationales():
                check_import_key(row, manifest.imported)
        else:
            deriver = RowDeriver.for_build(manifest, config, None)
            for row in build.rationales():
                deriver.check_first_key(row)
    except DataError as error:
        raise DataError(f"{build.folder}/rationales: {error}") from error
    return True


def _verify_rationales(
    build: StoredBuild, source: str | None, grading: GradingRules
) -> Iterator[str]:
    """Derive every rationale again, and yield what was checked and what was not."""
    try:
        imported = build.manifest.imported
        if imported is None:
            yield from _verify_generated(build, source, grading)
        else:
            yield from _verify_imported(build, imported, grading)
    except DataError as error:
        raise DataError(f"{build.folder}/rationales: {error}") from error


def _verify_generated(
    build: StoredBuild, source: str | None, grading: GradingRules
) -> Iterator[str]:
    exemplars = build.config.exemplars
    pool = _draw_exemplars(build.config, source)
    deriver = RowDeriver.for_build(build.manifest, build.config, pool, grading)
    rows, originals = tee(build.rationales())
    count = compare_rows(rows, map(deriver.derive, originals))
    if deriver.check_keys or exemplars is None:
        yield f"{count} rationales: request keys and rows derived again"
        return
    yield f"{count} rationales: rows derived again"
    yield (
        f"not checked: request keys, since the exemplars are from split "
        f"{exemplars.split!r}, which is not in the release. Pass --source to check them"
    )


def _verify_imported(
    build: StoredBuild, entry: ImportEntry, grading: GradingRules
) -> Iterator[str]:
    config = build.config
    rows, originals = tee(build.rationales())
    derived = (derive_imported(row, entry, config, grading) for row in originals)
    count = compare_rows(rows, derived)
    yield f"{count} imported rationales: keys and rows derived again"
    if config.imported is not None and config.imported.recipe.answer == "column":
        yield "not checked: the answers, which come from a column of the imported files"


def _draw_exemplars(config: BuildConfig, source: str | None) -> ExemplarPool | None:
    """Draw the exemplars again; None if there are none or their split is not given."""
    exemplars = config.exemplars
    if exemplars is None or source is None:
        return None
    opened = open_source(config.source.model_copy(update={"name": source}))
    return draw_exemplars(exemplars, opened.read_with_rationales(exemplars.split))
