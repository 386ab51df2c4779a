"""Attribution of a run: what each token of a rationale adds to the label's log
probability against the other options.

Only a student that reads the rationale before it says the label can be asked: in any
other the label cannot depend on tokens behind it, and every score is exactly zero.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

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
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import Record
from cotbuild.schemas.training import Layout, StudentRun
from cotbuild.schemas.variant import TrainingRow
from cotbuild.student.attribution.contrast import AttributionCase, make_case
from cotbuild.student.attribution.gradients import integrated_gradients
from cotbuild.student.attribution.log import AttributedRationale, AttributionLog, RowKey
from cotbuild.student.model import Student

METHOD = "integrated_gradients"
COMPARED = 50
"""Rationales that are done a second time, with MORE times the steps."""
MORE = 4
WARM, MEASURED = 1, 3
"""Rationales run before and under the clock of a dry run."""

Progress = Callable[[int, int], None]
"""Called with the tokens run and those to run."""


class AttributedRow(NamedTuple):
    """A row that the student was trained on, its question, and the rationale as
    published.
    """

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
        description="What stands for a rationale's token at the beginning of the path."
    )

    @property
    def key(self) -> str:
        return digest("attribution/1", self.model_dump(mode="json"))


def make_settings(run: StudentRun, student: Student, steps: int) -> AttributionSettings:
    """The settings of a run's scores."""
    token = student.tokenizer.convert_ids_to_tokens(student.pad_id)
    return AttributionSettings(
        student=student.identity,
        rows=run.data.config_digest,
        layout=run.layout,
        steps=steps,
        baseline=f"embedding of {token}",
    )


def check_attributable(run: StudentRun, where: str) -> None:
    """Raises ConfigError where a run's student says the label first, says none, or read
    other rationales.
    """
    spec = run.data.spec
    if "label" not in run.layout.order:
        raise ConfigError(
            f"{where}: variant {spec.name!r} says no label. Expected one that does, such as pre_cot."
        )
    if run.layout.label_first:
        raise ConfigError(
            f"{where}: variant {spec.name!r} says the label first, which cannot depend on the tokens behind it: every "
            "score would be zero. Expected the rationale before the label. Train pre_cot and attribute that run."
        )
    if spec.transforms:
        raise ConfigError(
            f"{where}: variant {spec.name!r} changes the rationale ({spec.transforms[0].do}), and scores are for its "
            "words as published. Expected a variant without transforms, such as pre_cot."
        )


class AttributionJob(NamedTuple):
    """A rationale to attribute, and with how many steps: once, or a second time to
    compare.
    """

    asked: AttributedRow
    case: AttributionCase
    steps: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens run: a time, the question once, then rationale and options each step
        and at both ends.
        """
        return sum(
            len(self.case.prefix_ids_P) + (steps + 2) * self.case.step_tokens
            for steps in self.steps
        )


def make_jobs(
    student: Student,
    settings: AttributionSettings,
    asked: Sequence[AttributedRow],
    max_tokens: int,
) -> list[AttributionJob]:
    """A job a rationale, the first COMPARED with two numbers of steps; none for rows of
    over `max_tokens`.
    """
    jobs: list[AttributionJob] = []
    for one in asked:
        case = make_case(student.tokenizer, settings.layout, one.row, one.question.kind)
        if case.num_tokens <= max_tokens:
            more = (settings.steps * MORE,) if len(jobs) < COMPARED else ()
            jobs.append(AttributionJob(one, case, (settings.steps, *more)))
    return jobs


def attribute_rationales(
    student: Student,
    jobs: Sequence[AttributionJob],
    log: AttributionLog,
    batch_tokens: int,
    progress: Progress,
) -> list[AttributedRationale]:
    """Attribute the rationales that are not finished; all of them, in order."""
    freeze_model(student)
    todo = [job for job in jobs if job.asked.key not in log.rows]
    total, done = sum(job.tokens for job in todo), 0
    for job in todo:
        log.append(_finished(student, job, batch_tokens))
        done += job.tokens
        progress(done, total)
    return [log.rows[job.asked.key] for job in jobs]


def freeze_model(student: Student) -> None:
    """On the GPU if there is one, no dropout, no gradient for weights: it costs as much
    as that for the rationale.
    """
    student.model.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
    student.model.eval()  # type: ignore[no-untyped-call]
    student.model.requires_grad_(False)


def measure_tokens_per_s(
    student: Student, jobs: Sequence[AttributionJob], batch_tokens: int
) -> float:
    """Measured on jobs of middling cost, after some that do not count."""
    freeze_model(student)
    middling = sorted(jobs, key=lambda job: job.case.step_tokens)[len(jobs) // 2 :][
        : WARM + MEASURED
    ]
    for job in middling[:WARM]:
        _finished(student, job, batch_tokens)
    measured = middling[WARM:] or middling
    begun = time.monotonic()
    for job in measured:
        _finished(student, job, batch_tokens)
    return sum(job.tokens for job in measured) / (time.monotonic() - begun)


def summarize_scores(
    settings: AttributionSettings, finished: Sequence[AttributedRationale]
) -> ScoresInfo:
    """What stands in the scores file of how they were made, and how good they are."""
    errors = [
        row.completeness_error for row in finished if row.completeness_error is not None
    ]
    ranks = [
        row.rank_correlation for row in finished if row.rank_correlation is not None
    ]
    return ScoresInfo(
        student=settings.student,
        method=METHOD,
        steps=settings.steps,
        baseline=settings.baseline,
        completeness_median=float(np.median(errors)) if errors else None,
        completeness_p95=float(np.percentile(errors, 95)) if errors else None,
        compared_steps=settings.steps * MORE if ranks else None,
        rank_correlation=float(np.mean(ranks)) if ranks else None,
        num_compared=len(ranks),
    )


def _finished(
    student: Student, job: AttributionJob, batch_tokens: int
) -> AttributedRationale:
    row, question, rationale = job.asked
    found = [
        integrated_gradients(student, job.case, steps, batch_tokens)
        for steps in job.steps
    ]
    spans, *more = (job.case.scored(one.scores_M, question, rationale) for one in found)
    return AttributedRationale(
        scored=ScoredRationale(
            question_id=row.question_id,
            sample_index=row.sample_index,
            rationale_digest=rationale_digest(rationale),
            spans=spans,
        ),
        completeness_error=found[0].completeness_error,
        rank_correlation=_rank_correlation(spans, more[0]) if more else None,
    )


def _rank_correlation(
    some: Sequence[ScoredSpan], others: Sequence[ScoredSpan]
) -> float | None:
    """None: not defined, where all scores of one are equal."""
    one, other = ([span.score for span in spans] for spans in (some, others))
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(spearmanr(one, other).statistic)
