"""Attribute a run's labels to the tokens of its rationales.

The score of a token is what it adds to the log probability of the label against the
other options. Only a student that reads the rationale before it says the label can be
attributed: in any other the label cannot depend on the tokens after it, and every score
would be exactly zero.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from pydantic import Field
from scipy.stats import spearmanr

from cotbuild.schemas.attribution import (
    ScoredRationale,
    ScoredSpan,
    ScoresInfo,
    rationale_digest,
)
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import JsonLinesWriter, read_json_lines
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import Record
from cotbuild.schemas.training import Layout, StudentRun
from cotbuild.schemas.variant import (
    RowFormat,
)
from cotbuild.schemas.variant_rows import (
    TrainingRow,
)
from cotbuild.student.attribution.contrast import AttributionCase, make_case
from cotbuild.student.attribution.gradients import integrated_gradients
from cotbuild.student.model import Student

METHOD = "integrated_gradients"

COMPARED_RATIONALES = 50
"""Rationales attributed a second time, with COMPARED_FACTOR times the steps."""

COMPARED_FACTOR = 4

WARMUP_RATIONALES, MEASURED_RATIONALES = 1, 3
"""Rationales run before and under the clock of a cost estimate."""

RowKey = tuple[str, int]
"""Question id and sample index."""

OnProgress = Callable[[int, int], None]
"""Called with the tokens run so far and the tokens to run."""


# -- what is attributed ------------------------------------------------------------------


class AttributedRow(NamedTuple):
    """A row the student was trained on, with its question and published rationale."""

    row: TrainingRow
    question: Question
    rationale: str

    @property
    def key(self) -> RowKey:
        return self.row.question_id, self.row.sample_index


class AttributionSettings(Record):
    """All that decides a score but the rationale."""

    student: str = Field(description="Identity of the trained student.")
    rows: str = Field(description="Digest of the variant's rows.")
    layout: Layout = Field(description="How its completions are put together.")
    steps: int = Field(ge=1, description="Steps along the path.")
    baseline: str = Field(
        description="What replaces the rationale's tokens at the start of the path."
    )

    @property
    def key(self) -> str:
        return digest("attribution/1", self.model_dump(mode="json"))


def make_settings(run: StudentRun, student: Student, steps: int) -> AttributionSettings:
    """Return the settings of a run's scores."""
    token = student.tokenizer.convert_ids_to_tokens(student.pad_id)
    return AttributionSettings(
        student=student.identity,
        rows=run.data.config_digest,
        layout=run.layout,
        steps=steps,
        baseline=f"embedding of {token}",
    )


def check_attributable(run: StudentRun, where: str) -> None:
    """Raise ConfigError if the rationales of a run cannot be attributed.

    They cannot if the student says the label first or not at all, or read rationales
    other than those published. `where` names the run in the message.
    """
    spec = run.data.spec
    if spec.mix or spec.format is not RowFormat.TEXT:
        raise ConfigError(
            f"{where}: variant {spec.name!r} is a mix, or has rows of messages. Attribute a "
            "run of one variant of format text, such as pre_cot."
        )
    if spec.gives_rationale:
        raise ConfigError(
            f"{where}: variant {spec.name!r} has the rationale in its prompt, which is not "
            "attributed. Train pre_cot and attribute that run."
        )
    if not run.layout.has_label:
        raise ConfigError(
            f"{where}: variant {spec.name!r} says no label. "
            "Attribute a run of one that does, such as pre_cot."
        )
    if run.layout.label_first:
        raise ConfigError(
            f"{where}: variant {spec.name!r} says the label first, which cannot depend "
            "on the tokens after it: every score would be zero. "
            "Train pre_cot and attribute that run."
        )
    if spec.transforms:
        raise ConfigError(
            f"{where}: variant {spec.name!r} changes the rationale "
            f"({spec.transforms[0].do}), but scores are for its words as published. "
            "Attribute a run of a variant without transforms, such as pre_cot."
        )


class AttributionJob(NamedTuple):
    """A rationale to attribute, once or, for comparison, with two numbers of steps."""

    item: AttributedRow
    case: AttributionCase
    steps: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens run: each time the question, then every step and both ends."""
        question = len(self.case.prefix_ids_P)
        return sum(
            question + (steps + 2) * self.case.step_tokens for steps in self.steps
        )


def make_jobs(
    student: Student,
    settings: AttributionSettings,
    rows: Sequence[AttributedRow],
    max_tokens: int,
) -> list[AttributionJob]:
    """Return a job per rationale; rows of more than `max_tokens` tokens are left out.

    The first COMPARED_RATIONALES are attributed with two numbers of steps.
    """
    jobs: list[AttributionJob] = []
    for item in rows:
        case = make_case(
            student.tokenizer, settings.layout, item.row, item.question.kind
        )
        if case.num_tokens > max_tokens:
            continue
        steps: tuple[int, ...] = (settings.steps,)
        if len(jobs) < COMPARED_RATIONALES:
            steps = (settings.steps, settings.steps * COMPARED_FACTOR)
        jobs.append(AttributionJob(item, case, steps))
    return jobs


# -- log ---------------------------------------------------------------------------------


class AttributedRationale(Record):
    """A rationale that was attributed: a line of the log."""

    scored: ScoredRationale = Field(description="Its scores.")
    completeness_error: float | None = Field(
        description="|sum of scores − change of f| as a share of |change of f|; None: "
        "f does not change."
    )
    rank_correlation: float | None = Field(
        description="Spearman's, with the scores under more steps; None: not compared, "
        "or all scores are equal."
    )

    @property
    def key(self) -> RowKey:
        return self.scored.question_id, self.scored.sample_index


class AttributionLog:
    """The rationales that were attributed, in an append-only file. A context manager.

    A torn last line, as a kill leaves it, is cut off. Raises StoreError if another line
    is damaged, another process writes to the file, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._writer = JsonLinesWriter(path, exclusive=True)
        try:
            self.rows = _read_log(path)
        except StoreError:
            self._writer.close()
            raise

    def append(self, row: AttributedRationale) -> None:
        """Write a line to disk."""
        self._writer.append(row.model_dump_json(), fsync=True)
        self.rows[row.key] = row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._writer.close()


def _read_log(path: Path) -> dict[RowKey, AttributedRationale]:
    remedy = "Delete the file to attribute again."
    lines = read_json_lines(path, remedy=remedy, error=StoreError)
    rows = {}
    for number, value in enumerate(lines.values, start=1):
        row = AttributedRationale.parse(value, f"{path} line {number}", StoreError)
        rows[row.key] = row
    return rows


# -- running -----------------------------------------------------------------------------


def attribute_rationales(
    student: Student,
    jobs: Sequence[AttributionJob],
    log: AttributionLog,
    batch_tokens: int,
    on_progress: OnProgress,
) -> list[AttributedRationale]:
    """Attribute rationales by Integrated Gradients (arXiv 1703.01365).

    Args:
        student: the trained student; it is frozen, and moved to the GPU if there is one.
        jobs: what to attribute; see `make_jobs`.
        log: receives each finished rationale. Those it has already are not run again.
        batch_tokens: most tokens run at once, or those of one step if it has more.
        on_progress: called after each rationale with the tokens run and to run.

    Returns the rationales of all jobs in order. A score is signed, in units of natural
    log probability; it is one per token of the rationale. Raises StoreError if the log
    cannot be written.
    """
    freeze_model(student)
    remaining = [job for job in jobs if job.item.key not in log.rows]
    total = sum(job.tokens for job in remaining)
    done = 0
    for job in remaining:
        log.append(_attribute_rationale(student, job, batch_tokens))
        done += job.tokens
        on_progress(done, total)
    return [log.rows[job.item.key] for job in jobs]


def freeze_model(student: Student) -> None:
    """Move the model to the GPU if there is one, without dropout or weight gradients.

    Gradients for the weights would cost as much as those for the rationale.
    """
    student.model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
    student.model.eval()  # type: ignore[no-untyped-call]
    student.model.requires_grad_(False)


def measure_tokens_per_s(
    student: Student, jobs: Sequence[AttributionJob], batch_tokens: int
) -> float:
    """Measure tokens per second on jobs of middling cost, after a warm-up."""
    freeze_model(student)
    by_cost = sorted(jobs, key=lambda job: job.case.step_tokens)
    middling = by_cost[len(jobs) // 2 :][: WARMUP_RATIONALES + MEASURED_RATIONALES]
    for job in middling[:WARMUP_RATIONALES]:
        _attribute_rationale(student, job, batch_tokens)
    measured = middling[WARMUP_RATIONALES:] or middling
    started = time.monotonic()
    for job in measured:
        _attribute_rationale(student, job, batch_tokens)
    return sum(job.tokens for job in measured) / (time.monotonic() - started)


def _attribute_rationale(
    student: Student, job: AttributionJob, batch_tokens: int
) -> AttributedRationale:
    row, question, rationale = job.item
    integrals = [
        integrated_gradients(student, job.case, steps, batch_tokens)
        for steps in job.steps
    ]
    spans, *compared = [
        job.case.make_spans(integral.scores_M, question, rationale)
        for integral in integrals
    ]
    return AttributedRationale(
        scored=ScoredRationale(
            question_id=row.question_id,
            sample_index=row.sample_index,
            rationale_digest=rationale_digest(rationale),
            spans=spans,
        ),
        completeness_error=integrals[0].completeness_error,
        rank_correlation=_rank_correlation(spans, compared[0]) if compared else None,
    )


def _rank_correlation(
    spans: Sequence[ScoredSpan], compared: Sequence[ScoredSpan]
) -> float | None:
    """Return Spearman's correlation; None if all scores of one side are equal."""
    scores = [span.score for span in spans]
    compared_scores = [span.score for span in compared]
    if len(set(scores)) < 2 or len(set(compared_scores)) < 2:
        return None
    return float(spearmanr(scores, compared_scores).statistic)


def summarize_scores(
    settings: AttributionSettings, finished: Sequence[AttributedRationale]
) -> ScoresInfo:
    """Return the header of a scores file: how scores were computed, how good they are."""
    errors = [
        row.completeness_error for row in finished if row.completeness_error is not None
    ]
    correlations = [
        row.rank_correlation for row in finished if row.rank_correlation is not None
    ]
    compared_steps = settings.steps * COMPARED_FACTOR
    return ScoresInfo(
        student=settings.student,
        method=METHOD,
        steps=settings.steps,
        baseline=settings.baseline,
        completeness_median=float(np.median(errors)) if errors else None,
        completeness_p95=float(np.percentile(errors, 95)) if errors else None,
        compared_steps=compared_steps if correlations else None,
        rank_correlation=float(np.mean(correlations)) if correlations else None,
        num_compared=len(correlations),
    )
