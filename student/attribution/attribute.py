"""Attribute a run's labels to its rationales: token by token, or word by word.

A score is what a token or word adds to the log probability of the label against the
other options. Only a student that reads the rationale before it says the label can be
attributed: in any other the label cannot depend on the tokens after it, and every score
would be exactly zero.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from cotbuild.schemas.attribution import (
    Refusal,
    ScoredRationale,
    ScoresInfo,
    join_digests,
)
from cotbuild.student.attribution.log import AttributionLog
from cotbuild.student.attribution.scorers import Scorer
from cotbuild.student.attribution.settings import AttributedRow, AttributionSettings
from cotbuild.student.model import Student
from cotbuild.student.precision import inference_device

WARMUP_RATIONALES, MEASURED_RATIONALES = 1, 3
"""Rationales run before and under the clock of a cost estimate."""

ScoreAll = Callable[[Sequence[AttributedRow]], Iterable[ScoredRationale]]
"""Scores rationales, in order: a scorer's `score` for each, in one process or several."""

OnProgress = Callable[[int, int], None]
"""Called with the rationales done in this run and to do."""


def attribute_rationales(
    score: ScoreAll,
    rows: Sequence[AttributedRow],
    log: AttributionLog,
    on_progress: OnProgress,
) -> None:
    """Score rationales and log them as they are done.

    Those that the log has already are not scored again. A score is signed, in units of
    natural log probability. Raises StoreError if the log cannot be written.
    """
    remaining = [item for item in rows if item.key not in log.keys]
    for number, scored in enumerate(score(remaining), start=1):
        log.append(scored)
        on_progress(number, len(remaining))


def freeze_model(student: Student) -> None:
    """Move the model to the GPU if there is one, without dropout or weight gradients.

    Gradients for the weights would cost as much as those for the rationale.
    """
    student.model.to(inference_device())  # type: ignore[arg-type]
    student.model.eval()  # type: ignore[no-untyped-call]
    student.model.requires_grad_(False)


def measure_seconds(scorer: Scorer, rows: Sequence[AttributedRow]) -> float:
    """Measure the seconds that a rationale of middling length takes, after a warm-up."""
    by_length = sorted(rows, key=lambda item: len(item.rationale))
    middle = max(0, (len(by_length) - MEASURED_RATIONALES) // 2)
    measured = by_length[middle : middle + MEASURED_RATIONALES]
    for item in measured[:WARMUP_RATIONALES]:
        scorer.score(item)
    started = time.monotonic()
    for item in measured:
        scorer.score(item)
    return (time.monotonic() - started) / len(measured)


def summarize_scores(
    settings: AttributionSettings,
    finished: Iterable[ScoredRationale],
    question_digests: Iterable[str],
) -> ScoresInfo:
    """Return the header of a scores file: how scores were computed, how good they are.

    `question_digests` are those of the questions that the student was trained on.
    """
    errors: list[float] = []
    correlations: list[float] = []
    refused: Counter[Refusal] = Counter()
    steps_reached: Counter[int] = Counter()
    num_scored = 0
    for row in finished:
        if row.completeness_error is not None:
            errors.append(row.completeness_error)
        if row.rank_correlation is not None:
            correlations.append(row.rank_correlation)
        if row.steps is not None:
            steps_reached[row.steps] += 1
        if row.refused is None:
            num_scored += 1
        else:
            refused[row.refused] += 1
    integration = settings.integration
    return ScoresInfo(
        student=settings.student,
        method=settings.method.value,
        steps=None if integration is None else integration.steps,
        baseline=settings.baseline,
        bounds=None if integration is None else integration.bounds,
        num_scored=num_scored,
        refused=dict(sorted(refused.items())),
        steps_reached=dict(sorted(steps_reached.items())),
        completeness_median=float(np.median(errors)) if errors else None,
        completeness_p95=float(np.percentile(errors, 95)) if errors else None,
        rank_correlation=float(np.mean(correlations)) if correlations else None,
        num_compared=len(correlations) if correlations else None,
        trained_on=join_digests(question_digests),
    )
