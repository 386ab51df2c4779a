"""Write the rows of a set of variants into a build, with a manifest and a card that name
them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
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
from cotbuild.builder.processes import choose_num_processes, map_in_order
from cotbuild.builder.storage.parquet import SplitWriter
from cotbuild.builder.variants.batches import (
    BATCH_RATIONALES,
    NumberedRow,
    open_deriver,
)
from cotbuild.builder.variants.derive import VariantDeriver
from cotbuild.builder.variants.leak_counts import VariantCounts
from cotbuild.builder.variants.scores import describe_scores
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
    VariantsEntry,
    VariantSet,
)

_FILES_OF_PROCESSES = Path("/proc/self/fd")
_ROWS_PER_ITEM = 20
"""Rows of variants that take as long to derive as one rationale, roughly."""

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
            summary, new_files = _write_variants(deriver, files, stage, progress)
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


def _write_variants(
    deriver: VariantDeriver,
    files: Mapping[str, Path],
    stage: Path,
    progress: Progress,
) -> tuple[VariantsEntry, list[FileEntry]]:
    specs = deriver.variants.specs
    entries, counts = _write_training_rows(deriver, stage, progress)
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
        looked_at_every=deriver.looked_at_every,
        num_unspaced=deriver.num_unspaced,
        scores=describe_scores(specs, files),
        variants=tuple(
            counts[spec.name].entry(spec, deriver.fingerprint(spec)) for spec in specs
        ),
    )
    return summary, entries


def _write_training_rows(
    deriver: VariantDeriver, stage: Path, progress: Progress
) -> tuple[list[FileEntry], dict[str, VariantCounts]]:
    """Write the rows made of rationales; return their files, and each variant's counts."""
    split, specs = deriver.build.split, deriver.variants.specs
    counts = {spec.name: VariantCounts() for spec in specs}
    num_done = 0
    with ExitStack() as stack:
        writers = {
            spec.name: stack.enter_context(_open_writer(deriver, stage, spec, split))
            for spec in specs
        }
        derivation = map_in_order(
            open_deriver, deriver, _batches(deriver), _choose_num_processes(deriver)
        )
        stack.callback(derivation.close)
        for derived in derivation:
            for name, rows in derived.rows.items():
                writers[name].add_encoded(rows)
            for name, count in derived.counts.items():
                counts[name] += count
            num_done = min(num_done + BATCH_RATIONALES, deriver.num_selected)
            progress(num_done, deriver.num_selected)
    entries = [entry for writer in writers.values() for entry in writer.entries]
    return entries, counts


def _batches(deriver: VariantDeriver) -> Iterator[list[NumberedRow]]:
    """Yield the selected rationales, so many together that a process is worth asking."""
    rows = enumerate(deriver.selected_rows())
    while batch := list(islice(rows, BATCH_RATIONALES)):
        yield batch


def _choose_num_processes(deriver: VariantDeriver) -> int:
    if not _FILES_OF_PROCESSES.is_dir():
        return 1  # where the file of the corpus cannot be opened by another process
    num_rows = deriver.num_selected * len(deriver.variants.specs)
    return choose_num_processes(num_rows // _ROWS_PER_ITEM)


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
