"""From a job and its answers to a finished build directory; deterministic but for the
manifest's `run`.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from cotbuild.builder.build.directory import CARD, CONFIG, install, staging
from cotbuild.builder.build.kept_variants import keep_variants
from cotbuild.builder.card import card
from cotbuild.builder.generate.jobs import Job, cotbuild_version, known_answers
from cotbuild.builder.generate.rows import BuildCounts, flag_duplicates, to_rationale
from cotbuild.builder.sources.licence import hub_id, stated_licence
from cotbuild.builder.storage.answer_store import AnswerIndex
from cotbuild.builder.storage.journal import read_header
from cotbuild.builder.storage.parquet import config_digests, write_split
from cotbuild.prompts.template import Template
from cotbuild.schemas.answers.grade import EXTRACT_VERSION
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.fingerprint import canonical_json, digest
from cotbuild.schemas.manifest import (
    FileEntry,
    Manifest,
    RunInfo,
    SourceEntry,
    TemplateEntry,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale, Verdict


class BuildRows(NamedTuple):
    """The rows of a build before they are written."""

    rows: Iterator[Rationale]
    num_rows: int
    asked: int
    answers: AnswerIndex | None
    """Where the answers stand; None: the rationales were imported."""


def asked_for(job: Job, index: AnswerIndex, num_chains: int, asked: int) -> BuildRows:
    """Rows derived from answers."""
    return BuildRows(_rationales(job, index), num_chains, asked, index)


def imported(job: Job) -> BuildRows:
    """Rows made of rationales from elsewhere."""
    return BuildRows(job.imported.rows(), job.imported.num_rows, 0, None)


def assemble(
    job: Job, derived: BuildRows, started: float, say: Callable[[str], None]
) -> Manifest:
    """Write every row and put the files in place. Raises DataError where the source
    changed meanwhile.

    Variants of the build that is replaced are kept if the rows they were derived from
    come out unchanged; `say` gets a line before they are deleted. `started`:
    time.monotonic() at the start of the run.
    """
    tally = BuildCounts()
    with staging(job.out) as stage:
        rows = _counted(flag_duplicates(derived.rows), tally)
        files = write_split(
            stage, "rationales", job.source.split, Rationale, rows, derived.num_rows
        )
        source = _source(job, tally)
        for split in job.eval_splits:
            files += _questions(job, stage, split)
            source.dropped.update(
                {
                    f"{split} {reason}": count
                    for reason, count in job.source.drops.items()
                }
            )
        source.eval_questions.update(_rows_by_split(files, "questions"))
        _check_unchanged(job)
        manifest = _manifest(
            job,
            tally,
            files,
            source,
            _run_info(job, derived, tally, time.monotonic() - started),
        )
        manifest = keep_variants(job.out, manifest, say)
        write_text_atomic(stage / CARD, card(manifest))
        write_text_atomic(stage / CONFIG, job.config.model_dump_json(indent=2) + "\n")
        install(job.out, stage, manifest)
    return manifest


def _source(job: Job, tally: BuildCounts) -> SourceEntry:
    """What the last read of the split asked about left behind, before another split is
    read.
    """
    without = (
        0 if job.config.imported is None else job.imported.entry.num_questions_without
    )
    return SourceEntry(
        dataset=job.source.dataset,
        split=job.source.split,
        checksums=job.checksums,
        num_questions=tally.num_questions + without,
        dropped=dict(sorted(job.source.drops.items())),
        eval_questions={},
        licence=_source_licence(job),
        hub_id=hub_id(job.source),
        overlaps=job.source.overlaps,
    )


def _source_licence(job: Job) -> str | None:
    """Of questions that came with imported rationales it is theirs."""
    imported = job.config.imported
    if imported is not None and imported.recipe.join == "inside":
        return imported.recipe.licence
    return stated_licence(job.source, job.store.root)


def _rationales(job: Job, index: AnswerIndex) -> Iterator[Rationale]:
    with known_answers(index, retry=False) as lookup:
        for chain in job.chains(lookup):
            if chain.open is not None:
                raise DataError(
                    f"{job.source.dataset}: question {chain.question.id!r} was never asked. Expected the source "
                    "to stay as it was during the run. Run the same command again."
                )
            yield to_rationale(chain)


def _counted(rows: Iterable[Rationale], tally: BuildCounts) -> Iterator[Rationale]:
    for row in rows:
        tally.add(row)
        yield row


def _questions(job: Job, stage: Path, split: str) -> list[FileEntry]:
    count = sum(1 for _ in job.source.read(split))
    return write_split(
        stage, "questions", split, Question, job.source.read(split), count
    )


def _check_unchanged(job: Job) -> None:
    """Raise DataError where a source file was edited while it was read: its checksum
    would be of other rows.
    """
    for split, before in job.checksums.items():
        if job.source.checksum(split) != before:
            raise DataError(
                f"{job.source.dataset}/{split}: changed during the run. Expected the source to stay as it was. "
                "Run the same command again."
            )


def _manifest(
    job: Job,
    tally: BuildCounts,
    files: list[FileEntry],
    source: SourceEntry,
    run: RunInfo,
) -> Manifest:
    config, digests = job.config, config_digests(files)
    entry = None if config.imported is None else job.imported.entry
    used = {
        t.ref: t
        for p, by_kind in job.templates.items()
        for k, t in by_kind.items()
        if (p, k) in tally.asked
    }
    return Manifest(
        cotbuild=cotbuild_version(),
        title=job.title,
        fingerprint=digest("build/1", digests),
        teacher=job.teacher,
        mode=f"import:{entry.recipe}" if entry else job.asking.ref,
        extract_version=EXTRACT_VERSION,
        templates=[_template_entry(used[ref]) for ref in sorted(used)],
        exemplars=config.exemplars,
        sampling=None if entry else config.sampling,
        samples=None if entry else config.samples,
        seed=config.seed,
        imported=entry,
        source=source,
        num_planned=tally.verdicts.total(),
        verdicts={verdict.value: tally.verdicts[verdict.value] for verdict in Verdict},
        verdicts_by_target={
            target: dict(sorted(tally.by_target[target].items()))
            for target in sorted(tally.by_target)
        },
        purposes=dict(sorted(tally.purposes.items())),
        flags=dict(sorted(tally.flags.items())),
        failures=dict(sorted(tally.failures.items())),
        completion_tokens=tally.completion_tokens,
        rationale_chars=tally.length_quartiles(),
        digests=digests,
        files=files,
        pyarrow=pa.__version__,
        run=run,
    )


def _template_entry(template: Template) -> TemplateEntry:
    content = template.model_dump(mode="json")
    return TemplateEntry(
        template=template.ref, fingerprint=template.fingerprint, content=content
    )


def _rows_by_split(files: list[FileEntry], config_name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in files:
        if file.config_name == config_name:
            counts[file.split] = counts.get(file.split, 0) + file.num_rows
    return dict(sorted(counts.items()))


def _run_info(
    job: Job, derived: BuildRows, tally: BuildCounts, elapsed_s: float
) -> RunInfo:
    index = derived.answers
    passing = (kind.value for kind in FailureKind if kind is not FailureKind.REJECTED)
    return RunInfo(
        inputs=job.inputs,
        store=job.store.state(),
        open_failures=sum(tally.failures[kind] for kind in passing),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        elapsed_s=round(elapsed_s, 3),
        host=socket.gethostname(),
        asked=derived.asked,
        torn_lines=index.torn if index else 0,
        teachers=_teachers(index) if index else [],
    )


def _teachers(index: AnswerIndex) -> list[dict[str, Any]]:
    """Provenance of the servers that answered, each once, in the order of their first
    journal.
    """
    found = (
        header["teacher"]
        for header in map(read_header, index.journals)
        if "teacher" in header
    )
    return list({canonical_json(about): about for about in found}.values())
