"""`cotbuild variants`: from a build's rationales to training rows beside them, and a
manifest that names both.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from cotbuild.builder.build.build import Build
from cotbuild.builder.build.directory import CARD, clear_stage, install, staging
from cotbuild.builder.build.kept_variants import BASE_CONFIGS, with_variants
from cotbuild.builder.card import card
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.parquet import SplitWriter
from cotbuild.builder.variants.counts import LOOKED_AT, VariantTally
from cotbuild.builder.variants.deriver import VariantDeriver
from cotbuild.prompts.student import evaluation_row
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import file_sha256, write_text_atomic
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.variant import TrainingRow, VariantsEntry, VariantSet

Progress = Callable[[int, int], None]
"""Called with rationales done and the total."""


def make_variants(
    build_dir: Path, made: VariantSet, files: Mapping[str, Path], progress: Progress
) -> Manifest:
    """Derive a set of variants and put it beside the rationales, in place of the
    variants that stood there.

    Raises DataError where there is no whole build or nothing is kept, ConfigError,
    StoreError.
    """
    if taken := sorted({spec.name for spec in made.specs} & BASE_CONFIGS):
        raise ConfigError(
            f"variant {taken[0]!r}: a config of every build. Expected another name."
        )
    with AnswerStore(build_dir).hold():
        clear_stage(build_dir)
        build = Build.open(build_dir)
        manifest = build.manifest
        with (
            VariantDeriver(build, made, files) as making,
            staging(build_dir) as stage,
        ):
            variants, entries = _write(making, stage, progress)
            base = [
                entry for entry in manifest.files if entry.config_name in BASE_CONFIGS
            ]
            new = with_variants(manifest, variants, [*base, *entries])
            write_text_atomic(stage / CARD, card(new))
            install(build_dir, stage, new)
    return new


def file_digests(files: Mapping[str, Path]) -> dict[str, str]:
    """sha256 of each file bound by name. Raises DataError where one cannot be read."""
    try:
        return {name: file_sha256(path) for name, path in sorted(files.items())}
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}. Expected a file that can be read."
        ) from error


def _write(
    making: VariantDeriver, stage: Path, progress: Progress
) -> tuple[VariantsEntry, list[FileEntry]]:
    tallies = {spec.name: VariantTally() for spec in making.made.specs}
    total, done = making.num_kept, 0
    with ExitStack() as stack:
        writers = {
            spec.name: stack.enter_context(
                SplitWriter(stage, spec.name, making.build.split, TrainingRow)
            )
            for spec in making.made.specs
        }
        for subject in making.subjects():
            derived = making.derive(subject)
            for name in derived.withheld:
                tallies[name].dropped += 1
            for spec, rationale, rows in derived.made:
                tallies[spec.name].add(rationale, len(rows), subject)
                for row in rows:
                    writers[spec.name].add(row)
            done += 1
            progress(done, total)
    entries = [entry for writer in writers.values() for entry in writer.entries]
    if without := [name for name, tally in tallies.items() if not tally.num_rows]:
        raise DataError(
            f"{making.build.folder}: variants {without} have no row. Expected at least one in each: a config without rows "
            "does not load. Leave them out with --only."
        )
    entries += _write_questions(making, stage)
    variants = VariantsEntry(
        made=making.made,
        rationales=making.build.manifest.digests["rationales"],
        num_in=making.num_in,
        dropped=dict(sorted(making.dropped.items())),
        num_looked_at=min(LOOKED_AT, total),
        variants=tuple(
            tallies[spec.name].entry(spec, making.fingerprint(spec))
            for spec in making.made.specs
        ),
    )
    return variants, entries


def _write_questions(making: VariantDeriver, stage: Path) -> list[FileEntry]:
    """The evaluation splits of every variant that is evaluated."""
    writers: dict[tuple[str, str], SplitWriter] = {}
    with ExitStack() as stack:
        for split, question in making.questions():
            for spec in making.made.specs:
                if (row := evaluation_row(spec, question)) is None:
                    continue
                if (spec.name, split) not in writers:
                    writer = SplitWriter(stage, spec.name, split, TrainingRow)
                    writers[spec.name, split] = stack.enter_context(writer)
                writers[spec.name, split].add(row)
    return [entry for writer in writers.values() for entry in writer.entries]
