"""The two ways to score a rationale, behind one protocol."""

import math
from typing import Protocol

from cotbuild.schemas.attribution import Refusal, ScoredRationale, rationale_digest
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import Layout
from cotbuild.student.attribution.contrast import (
    SharedTokensError,
    make_case,
    mark_spans,
)
from cotbuild.student.attribution.gradients import integrate_until_converged
from cotbuild.student.attribution.settings import (
    AttributedRow,
    AttributionSettings,
    IntegrationSettings,
)
from cotbuild.student.attribution.words import leave_one_word_out, make_word_case
from cotbuild.student.model import Student

GRADIENT_BATCH_TOKENS = 1_024
WORD_BATCH_TOKENS = 256
"""Measured on SmolLM2-135M on two cores with AVX2: 128 and 1,024 take 1.17 times as long,
since a short sequence uses the cores less well and a long one attends to more masked
tokens.
"""
WORD_BATCH_TOKENS_ON_GPU = 4_096
"""Not measured."""


class Scorer(Protocol):
    """Scores rationales."""

    def score(self, item: AttributedRow) -> ScoredRationale:
        """Return the scores of a rationale."""
        ...


def open_scorer(
    student: Student, settings: AttributionSettings, batch_tokens: int | None
) -> Scorer:
    """Return the scorer of a method.

    `batch_tokens` None is the method's default.
    """
    if settings.integration is None:
        on_gpu = student.model.device.type == "cuda"
        default = WORD_BATCH_TOKENS_ON_GPU if on_gpu else WORD_BATCH_TOKENS
        return WordScorer(student, settings.layout, batch_tokens or default)
    return GradientScorer(
        student,
        settings.layout,
        settings.integration,
        batch_tokens or GRADIENT_BATCH_TOKENS,
    )


class GradientScorer:
    """Integrated Gradients; a rationale that does not converge is refused."""

    def __init__(
        self,
        student: Student,
        layout: Layout,
        integration: IntegrationSettings,
        batch_tokens: int,
    ) -> None:
        """`batch_tokens` is the most tokens run at once, or those of one step if it has
        more.
        """
        self._student = student
        self._layout = layout
        self._integration = integration
        self._batch_tokens = batch_tokens

    def score(self, item: AttributedRow) -> ScoredRationale:
        """See `Scorer`."""
        row, question, rationale = item
        try:
            case = make_case(self._student.tokenizer, self._layout, row, question.kind)
        except SharedTokensError:
            return ScoredRationale(
                question_id=row.question_id,
                sample_index=row.sample_index,
                rationale_digest=rationale_digest(rationale),
                spans=(),
                refused=Refusal.TOKENS,
            )
        converged = integrate_until_converged(
            self._student,
            case,
            self._integration.steps,
            self._integration.bounds,
            self._batch_tokens,
        )
        integral = converged.integral
        _need_finite(self._student, item, integral.is_finite)
        spans = case.make_spans(integral.scores_M, question, rationale)
        return ScoredRationale(
            question_id=row.question_id,
            sample_index=row.sample_index,
            rationale_digest=rationale_digest(rationale),
            spans=() if converged.refusal else spans,
            steps=converged.steps,
            completeness_error=integral.completeness_error,
            rank_correlation=converged.rank_correlation,
            refused=converged.refusal,
        )


class WordScorer:
    """Leave one word out."""

    def __init__(self, student: Student, layout: Layout, batch_tokens: int) -> None:
        """`batch_tokens` is as in `leave_one_word_out`."""
        self._student = student
        self._layout = layout
        self._batch_tokens = batch_tokens

    def score(self, item: AttributedRow) -> ScoredRationale:
        """See `Scorer`."""
        row, question, rationale = item
        case = make_word_case(self._student.tokenizer, self._layout, row, question.kind)
        scores_W = leave_one_word_out(self._student, case, self._batch_tokens)
        are_finite = all(map(math.isfinite, scores_W))
        _need_finite(self._student, item, are_finite)
        scored = zip(case.spans_W, scores_W, strict=True)
        return ScoredRationale(
            question_id=row.question_id,
            sample_index=row.sample_index,
            rationale_digest=rationale_digest(rationale),
            spans=mark_spans(scored, question, rationale),
        )


def _need_finite(student: Student, item: AttributedRow, are_finite: bool) -> None:
    """Raise DataError unless the scores of a rationale are finite."""
    if not are_finite:
        row = item.row
        raise DataError(
            f"question {row.question_id!r} sample {row.sample_index}: student "
            f"{student.identity} has log probabilities that are not finite. Train it "
            "again, with a lower learning rate if its loss diverged."
        )
