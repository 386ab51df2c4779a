"""Write the rows of a job as a finished build directory.

The result is deterministic, apart from the manifest's `run`.
"""

import socket
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cotbuild.builder.build.directory import CARD, CONFIG
from cotbuild.builder.build.images import ImageCounts
from cotbuild.builder.build.install import install_build, staging_folder
from cotbuild.builder.build.kept_variants import keep_variants
from cotbuild.builder.card import CARD_VERSION, render_card
from cotbuild.builder.generate.encoded_rows import EncodedBuild
from cotbuild.builder.generate.grading import installed_metric
from cotbuild.builder.generate.jobs import BuildRows, Job
from cotbuild.builder.generate.rows import BuildCounts
from cotbuild.builder.media import MediaStore, media_folder
from cotbuild.builder.processes import choose_num_processes
from cotbuild.builder.sources.provenance import hub_id
from cotbuild.builder.storage.answer_store import AnswerIndex
from cotbuild.builder.storage.images import ReadImage
from cotbuild.builder.storage.journal import read_header
from cotbuild.builder.storage.parquet import (
    config_digests,
    write_encoded_split,
    write_split,
)
from cotbuild.builder.ui import Ui, pluralize
from cotbuild.builder.version import cotbuild_version
from cotbuild.schemas.answers.grade import EXTRACT_VERSION
from cotbuild.schemas.answers.prose_scores import installed_scorers
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.fingerprint import canonical_json, digest
from cotbuild.schemas.manifest import (
    FileEntry,
    Manifest,
    RunInfo,
    SourceEntry,
    TemplateEntry,
)
from cotbuild.schemas.question import ImageRef, Question
from cotbuild.schemas.rationale import ROW_VERSION, Rationale


def assemble(
    job: Job, rows: BuildRows, inputs: str, started: float, ui: Ui
) -> Manifest:
    """Write every row and put the files in place.

    Variants of the build that is replaced are kept if the rows they were derived from
    come out unchanged; `ui` says so before they are deleted. `inputs`:
    `job.digest_inputs()`; `started`: time.monotonic() at the start of the run. Raises
    DataError where the source changed meanwhile.
    """
    build = EncodedBuild()
    counts = build.counts
    images = _CountedImages(job) if job.may_have_images() else None
    read_image = None if images is None else images.read
    with staging_folder(job.out) as stage:
        split = job.source.split
        encoded = build.rows(rows.rows, choose_num_processes(rows.num_rows))
        with closing(encoded):
            files = write_encoded_split(
                stage,
                "rationales",
                split,
                Rationale,
                encoded,
                rows.num_rows,
                read_image,
            )
        for line in rows.warnings(counts):
            ui.say(line)
        # Before another split is read, which has dropped rows of its own.
        source = _source_entry(job, rows, counts)
        for eval_split in job.eval_splits:
            files += _write_questions(job, stage, eval_split, read_image)
            for reason, count in job.source.drops.items():
                source.dropped[f"{eval_split} {reason}"] = count
        source.eval_questions.update(_rows_by_split(files, "questions"))
        _check_unchanged(job)
        elapsed_s = time.monotonic() - started
        run = _run_info(job, rows, inputs, counts, elapsed_s)
        manifest = _manifest(job, rows, counts, files, source, run)
        if images is not None:
            media = images.counts.entry()
            manifest = manifest.model_copy(update={"media": media})
        manifest = keep_variants(job.out, manifest, ui.say)
        write_text_atomic(stage / CARD, render_card(manifest))
        write_text_atomic(stage / CONFIG, job.config.model_dump_json(indent=2) + "\n")
        ui.phase(Phase.INSTALLING)
        install_build(job.out, stage, manifest)
    if counts.num_hundredfold:
        ui.say(
            f"a hundred times the target: {pluralize(counts.num_hundredfold, 'answer')}"
            ", such as 50 for 0.5, graded incorrect. If the answers are percents, write "
            "the targets as percents too."
        )
    return manifest


def _source_entry(job: Job, rows: BuildRows, counts: BuildCounts) -> SourceEntry:
    num_without = 0
    if rows.imported is not None:
        num_without = rows.imported.num_questions_without
    elif rows.attempts is not None:
        num_without = rows.attempts.num_questions_without
    return SourceEntry(
        dataset=job.source.dataset,
        split=job.source.split,
        checksums=dict(job.checksums),
        num_questions=counts.num_questions + num_without,
        dropped=dict(sorted(job.source.drops.items())),
        eval_questions={},
        licence=job.question_licence(),
        hub_id=hub_id(job.source),
        overlaps=job.source.overlaps,
        read_as=job.read_as(),
    )


class _CountedImages:
    """The pictures of a job, counted as the rows that hold them are written.

    The sources put each into the build's folder of pictures when they read its question.
    """

    def __init__(self, job: Job) -> None:
        self.counts = ImageCounts()
        self._store = MediaStore(media_folder(job.out))

    def read(self, image: ImageRef) -> bytes:
        """Return the bytes of a picture; raises StoreError as `MediaStore.read` does."""
        data = self._store.read(image)
        self.counts.add(image, len(data))
        return data


def _write_questions(
    job: Job, stage: Path, split: str, read_image: ReadImage | None
) -> list[FileEntry]:
    num_questions = sum(1 for _ in job.source.read(split))
    questions = job.source.read(split)
    return write_split(
        stage, "questions", split, Question, questions, num_questions, read_image
    )


def _check_unchanged(job: Job) -> None:
    """Raise DataError where a source file was edited while it was read.

    The rows may then be of neither version.
    """
    for split, checksum in job.checksums.items():
        if job.source.checksum(split) != checksum:
            raise DataError(
                f"{job.source.dataset}/{split} changed during the run. Run the same "
                "command again."
            )


def _manifest(
    job: Job,
    rows: BuildRows,
    counts: BuildCounts,
    files: list[FileEntry],
    source: SourceEntry,
    run: RunInfo,
) -> Manifest:
    digests = config_digests(files)
    figures = counts.figures()
    return Manifest(
        cotbuild=cotbuild_version(),
        title=job.title,
        row_version=ROW_VERSION,
        fingerprint=digest("build/1", digests),
        teacher=job.teacher,
        mode=rows.mode,
        extract_version=EXTRACT_VERSION,
        grading=job.config.grading,
        math_metric=installed_metric(job.config.grading),
        prose_scorers=installed_scorers() if figures.scores else None,
        templates=_template_entries(rows, counts),
        exemplars=job.config.exemplars,
        sampling=rows.sampling,
        samples=rows.samples,
        seed=job.config.seed,
        seed_bits=rows.seed_bits,
        edits=rows.edits,
        imported=rows.imported,
        attempts=rows.attempts,
        source=source,
        **figures._asdict(),
        digests=digests,
        files=files,
        card_version=CARD_VERSION,
        pyarrow=pa.__version__,
        run=run,
    )


def _template_entries(rows: BuildRows, counts: BuildCounts) -> list[TemplateEntry]:
    """Return the templates that were used, by name and version."""
    used = {
        template.ref: template
        for purpose, by_kind in rows.templates.items()
        for kind, template in by_kind.items()
        if (purpose, kind) in counts.template_uses
    }
    return [
        TemplateEntry(
            template=ref,
            fingerprint=template.fingerprint,
            content=template.model_dump(mode="json"),
        )
        for ref, template in sorted(used.items())
    ]


def _rows_by_split(files: list[FileEntry], config_name: str) -> dict[str, int]:
    num_rows: Counter[str] = Counter()
    for file in files:
        if file.config_name == config_name:
            num_rows[file.split] += file.num_rows
    return dict(sorted(num_rows.items()))


def _run_info(
    job: Job, rows: BuildRows, inputs: str, counts: BuildCounts, elapsed_s: float
) -> RunInfo:
    passing = [kind for kind in FailureKind if kind is not FailureKind.REJECTED]
    return RunInfo(
        inputs=inputs,
        store=job.store.state_digest(),
        open_failures=sum(counts.failures[kind.value] for kind in passing),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        elapsed_s=round(elapsed_s, 3),
        host=socket.gethostname(),
        asked=rows.num_requests,
        torn_lines=0 if rows.answers is None else rows.answers.num_torn,
        teachers=[] if rows.answers is None else _servers(rows.answers),
        account=rows.account,
    )


def _servers(index: AnswerIndex) -> list[dict[str, Any]]:
    """Return the provenance of each server that answered, in order of first use."""
    servers: dict[str, dict[str, Any]] = {}
    for header in map(read_header, index.journals):
        teacher = header.get("teacher")
        if isinstance(teacher, dict):
            servers.setdefault(canonical_json(teacher), teacher)
    return list(servers.values())
