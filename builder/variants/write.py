"""Write the rows of a set of variants into a build, with a manifest and a card that name
them.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.build.build import RATIONALES, StoredBuild, refuse_no_build
from cotbuild.builder.build.directory import CARD
from cotbuild.builder.build.install import (
    install_build,
    lock_build,
    refuse_other_files,
    staging_folder,
)
from cotbuild.builder.build.kept_variants import with_variants
from cotbuild.builder.card import render_card
from cotbuild.builder.media import MediaStore, media_folder
from cotbuild.builder.storage.parquet import SplitWriter
from cotbuild.builder.variants.derive import MAX_MEASURED, VariantDeriver
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.leak_measure import (
    find_named_answers,
    find_named_answers_loosely,
)
from cotbuild.prompts.student_rows import evaluation_row
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256, write_text_atomic
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.names import BASE_CONFIGS
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    MessagesRow,
    row_model,
)
from cotbuild.schemas.variant_set import (
    VariantEntry,
    VariantsEntry,
    VariantSet,
)

Progress = Callable[[int, int], None]
"""Called with the number of rationales done and their total."""


def make_variants(
    build_dir: Path, variants: VariantSet, files: Mapping[str, Path], progress: Progress
) -> Manifest:
    """Derive a set of variants and install it in the build, in place of its previous
    variants.

    `files` maps the file names that specs use to paths. Returns the new manifest. The
    build is unchanged if anything is raised: DataError if it is incomplete or damaged,
    if no rationale is selected or a variant has no row; ConfigError if the tokenizer or
    a file of a variant is not available; StoreError if writing fails.
    """
    refuse_no_build(build_dir)
    with lock_build(build_dir):
        build = StoredBuild.open(build_dir)
        refuse_other_files(build_dir, (spec.name for spec in variants.specs))
        with (
            VariantDeriver(build, variants, files) as deriver,
            staging_folder(build_dir) as stage,
        ):
            summary, new_files = _write_variants(deriver, stage, progress)
            base_files = [
                entry
                for entry in build.manifest.files
                if entry.config_name in BASE_CONFIGS
            ]
            new = with_variants(build.manifest, summary, [*base_files, *new_files])
            write_text_atomic(stage / CARD, render_card(new))
            install_build(build_dir, stage, new)
    return new


def file_digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the sha256 of each file.

    Raises DataError if one cannot be read.
    """
    try:
        return {name: file_sha256(path) for name, path in sorted(files.items())}
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}. Check the path given to --file."
        ) from error


@dataclass
class VariantCounts:
    """Counts of one variant, taken while its rows are written."""

    num_rows: int = 0
    num_rationales: int = 0
    num_dropped: int = 0
    num_empty: int = 0
    num_words: int = 0
    num_measured: int = 0
    names_target: int = 0
    names_other: int = 0
    loosely_target: int = 0
    loosely_other: int = 0

    def add(self, rationale: str, num_rows: int, example: RationaleExample) -> None:
        """Count a rationale as the variant leaves it, and the rows made of it."""
        self.num_rows += num_rows
        self.num_rationales += 1
        self.num_empty += not rationale
        self.num_words += len(rationale.split())
        if self.num_measured < MAX_MEASURED:
            self._measure_names(rationale, example)

    def _measure_names(self, rationale: str, example: RationaleExample) -> None:
        question = example.question_of_mentions
        self.num_measured += 1
        target, other = find_named_answers(rationale, question)
        loosely_target, loosely_other = find_named_answers_loosely(rationale, question)
        self.names_target += target
        self.names_other += other
        self.loosely_target += loosely_target
        self.loosely_other += loosely_other

    def entry(self, spec: VariantSpec, fingerprint: str) -> VariantEntry:
        """Return the counts as the manifest records them."""
        measured = self.num_measured or 1
        return VariantEntry(
            name=spec.name,
            fingerprint=fingerprint,
            num_rows=self.num_rows,
            dropped=self.num_dropped,
            num_empty=self.num_empty,
            words=round(self.num_words / (self.num_rationales or 1), 2),
            names_target=round(self.names_target / measured, 4),
            names_other=round(self.names_other / measured, 4),
            loosely_target=round(self.loosely_target / measured, 4),
            loosely_other=round(self.loosely_other / measured, 4),
        )


def _write_variants(
    deriver: VariantDeriver, stage: Path, progress: Progress
) -> tuple[VariantsEntry, list[FileEntry]]:
    specs = deriver.variants.specs
    counts = {spec.name: VariantCounts() for spec in specs}
    entries = _write_training_rows(deriver, stage, counts, progress)
    empty = [name for name, count in counts.items() if not count.num_rows]
    if empty:
        raise DataError(
            f"{deriver.build.folder}: variants {empty} have no row, and a config without "
            "rows does not load. Leave them out with --only."
        )
    entries += _write_evaluation_rows(deriver, stage)
    summary = VariantsEntry(
        made=deriver.variants,
        rationales=deriver.build.manifest.digests[RATIONALES],
        num_in=deriver.num_in,
        dropped=dict(sorted(deriver.dropped.items())),
        num_looked_at=deriver.num_looked_at,
        variants=tuple(
            counts[spec.name].entry(spec, deriver.fingerprint(spec)) for spec in specs
        ),
    )
    return summary, entries


def _write_training_rows(
    deriver: VariantDeriver,
    stage: Path,
    counts: Mapping[str, VariantCounts],
    progress: Progress,
) -> list[FileEntry]:
    """Write the rows made of rationales, counting them in `counts`."""
    split = deriver.build.split
    with ExitStack() as stack:
        writers = {
            spec.name: stack.enter_context(_open_writer(deriver, stage, spec, split))
            for spec in deriver.variants.specs
        }
        for number, example in enumerate(deriver.examples(), start=1):
            derived = deriver.derive(example)
            for name in derived.dropped_by:
                counts[name].num_dropped += 1
            for name, rows in derived.rows.items():
                counts[name].add(derived.rationales[name], len(rows), example)
                for row in rows:
                    writers[name].add(row)
            progress(number, deriver.num_selected)
    return [entry for writer in writers.values() for entry in writer.entries]


def _open_writer(
    deriver: VariantDeriver, stage: Path, spec: VariantSpec, split: str
) -> SplitWriter:
    """Return the writer of a variant's split; rows of messages have their pictures."""
    build, model = deriver.build, row_model(spec)
    if build.manifest.media is None or model is not MessagesRow:
        return SplitWriter(stage, spec.name, split, model)
    store = MediaStore(media_folder(build.folder))
    return SplitWriter(stage, spec.name, split, model, store.read)


def _write_evaluation_rows(deriver: VariantDeriver, stage: Path) -> list[FileEntry]:
    """Write the evaluation questions of every variant that can be evaluated."""
    writers: dict[tuple[str, str], SplitWriter] = {}
    with ExitStack() as stack:
        for split, question in deriver.questions():
            for spec in deriver.variants.specs:
                row = evaluation_row(spec, question)
                if row is None:
                    continue
                key = (spec.name, split)
                if key not in writers:
                    writer = _open_writer(deriver, stage, spec, split)
                    writers[key] = stack.enter_context(writer)
                writers[key].add(row)
    return [entry for writer in writers.values() for entry in writer.entries]
