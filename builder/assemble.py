"""From a job and its answers to a finished build directory; deterministic but for the manifest's `run`."""

import socket
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from cotbuild.builder.build_dir import CARD, CONFIG, install, staging
from cotbuild.builder.card import card
from cotbuild.builder.derive import Tally, flag_duplicates, to_rationale
from cotbuild.builder.durable import write_text
from cotbuild.builder.job import Job, cotbuild_version, known_answers
from cotbuild.builder.journal import read_header
from cotbuild.builder.shards import config_digests, write_split
from cotbuild.builder.store import AnswerIndex
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.extract import EXTRACT_VERSION
from cotbuild.schemas.fingerprint import canonical_json, digest
from cotbuild.schemas.manifest import FileEntry, Manifest, RunInfo, SourceEntry, TemplateEntry
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale, Verdict


def assemble(job: Job, index: AnswerIndex, num_chains: int, asked: int, started: float) -> Manifest:
    """Derive every row, write the files and put them in place. Raises DataError where the source changed meanwhile.

    `started`: time.monotonic() at the start of the run.
    """
    tally = Tally()
    with staging(job.out) as stage:
        rows = _counted(flag_duplicates(_rationales(job, index)), tally)
        files = write_split(stage, "rationales", job.source.split, Rationale, rows, num_chains)
        dropped = dict(job.source.drops)
        for split in job.eval_splits:
            files += _questions(job, stage, split)
            dropped |= {f"{split} {reason}": count for reason, count in job.source.drops.items()}
        _check_unchanged(job)
        run = _run_info(job, index, tally, asked, time.monotonic() - started)
        manifest = _manifest(job, tally, files, dropped, run)
        write_text(stage / CARD, card(manifest))
        write_text(stage / CONFIG, job.config.model_dump_json(indent=2) + "\n")
        install(job.out, stage, manifest)
    return manifest


def _rationales(job: Job, index: AnswerIndex) -> Iterator[Rationale]:
    with known_answers(index, retry=False) as lookup:
        for chain in job.chains(lookup):
            if chain.open is not None:
                raise DataError(
                    f"{job.source.dataset}: question {chain.question.id!r} was never asked. Expected the source "
                    "to stay as it was during the run. Run the same command again."
                )
            yield to_rationale(chain)


def _counted(rows: Iterable[Rationale], tally: Tally) -> Iterator[Rationale]:
    for row in rows:
        tally.add(row)
        yield row


def _questions(job: Job, stage: Path, split: str) -> list[FileEntry]:
    count = sum(1 for _ in job.source.read(split))
    return write_split(stage, "questions", split, Question, job.source.read(split), count)


def _check_unchanged(job: Job) -> None:
    """Raise DataError where a source file was edited while it was read: its checksum would be of other rows."""
    for split, before in job.checksums.items():
        if job.source.checksum(split) != before:
            raise DataError(
                f"{job.source.dataset}/{split}: changed during the run. Expected the source to stay as it was. "
                "Run the same command again."
            )


def _manifest(job: Job, tally: Tally, files: list[FileEntry], dropped: dict[str, int], run: RunInfo) -> Manifest:
    config, digests = job.config, config_digests(files)
    all_templates = (t for used in job.templates.values() for t in used.values())
    used = {t.ref: t.fingerprint for t in all_templates if tally.templates[t.ref]}
    num_chains = tally.verdicts.total()
    return Manifest(
        cotbuild=cotbuild_version(),
        title=job.title,
        fingerprint=digest("build/1", digests),
        teacher=job.teacher,
        mode=job.asking.ref,
        extract_version=EXTRACT_VERSION,
        templates=[TemplateEntry(template=ref, fingerprint=used[ref]) for ref in sorted(used)],
        sampling=config.sampling,
        samples=config.samples,
        seed=config.seed,
        source=SourceEntry(
            dataset=job.source.dataset,
            split=job.source.split,
            checksums=job.checksums,
            num_questions=num_chains // config.samples,
            dropped=dict(sorted(dropped.items())),
            eval_questions=_rows_by_split(files, "questions"),
        ),
        num_planned=num_chains,
        verdicts={verdict.value: tally.verdicts[verdict.value] for verdict in Verdict},
        verdicts_by_target={
            target: dict(sorted(tally.by_target[target].items())) for target in sorted(tally.by_target)
        },
        flags=dict(sorted(tally.flags.items())),
        failures=dict(sorted(tally.failures.items())),
        completion_tokens=tally.completion_tokens,
        rationale_chars=tally.length_quartiles(),
        digests=digests,
        files=files,
        pyarrow=pa.__version__,
        run=run,
    )


def _rows_by_split(files: list[FileEntry], config_name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in files:
        if file.config_name == config_name:
            counts[file.split] = counts.get(file.split, 0) + file.num_rows
    return dict(sorted(counts.items()))


def _run_info(job: Job, index: AnswerIndex, tally: Tally, asked: int, elapsed_s: float) -> RunInfo:
    passing = (kind.value for kind in FailureKind if kind is not FailureKind.REJECTED)
    return RunInfo(
        inputs=job.inputs,
        store=job.store.state(),
        open_failures=sum(tally.failures[kind] for kind in passing),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        elapsed_s=round(elapsed_s, 3),
        host=socket.gethostname(),
        asked=asked,
        torn_lines=index.torn,
        teachers=_teachers(index),
    )


def _teachers(index: AnswerIndex) -> list[dict[str, Any]]:
    """Provenance of the servers that answered, each once, in the order of their first journal."""
    found = (header["teacher"] for header in map(read_header, index.journals) if "teacher" in header)
    return list({canonical_json(about): about for about in found}.values())
