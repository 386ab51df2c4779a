"""Scores of free answers in prose against references, over all questions. Pure.

Scores are those of the corpus, not means over questions: chrF2 and BLEU as sacrebleu
computes them, ROUGE-L as the mean that it is. Each is a function of statistics of a
question that add up, which the bootstrap resamples.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cotbuild.schemas.answers.prose_scores import (
    CorpusStatistics,
    ProseMetric,
    ProsePair,
    ProseScorer,
    open_scorer,
)
from cotbuild.schemas.evaluation import CorpusScore, QuestionResult
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.student.evaluation.bootstrap import (
    Floats,
    percentile_interval,
    resample_sums,
)


class ScoredAnswers(NamedTuple):
    """The answers of the questions that are scored against references."""

    positions: list[int]
    """Position of each such question among all questions."""
    statistics: tuple[CorpusStatistics, ...]
    """One for each metric; its rows are in the order of `positions`."""


def is_scored(question: Question) -> bool:
    """Return whether a question is prose with a reference."""
    return question.kind is QuestionKind.PROSE and question.target is not None


def collect_statistics(
    questions: Sequence[Question], results: Sequence[QuestionResult]
) -> ScoredAnswers | None:
    """Return the statistics of the answers that are scored; None if none is.

    An answer that is missing scores 0. Raises ConfigError if a package is missing.
    """
    positions = [at for at, question in enumerate(questions) if is_scored(question)]
    if not positions:
        return None
    pairs = [
        ProsePair(results[at].answer or "", questions[at].targets) for at in positions
    ]
    return ScoredAnswers(positions, open_scorer().corpus_statistics(pairs))


def score_answers(
    answers: ScoredAnswers, among: Sequence[int] | None = None
) -> tuple[CorpusScore, ...]:
    """Score the answers with their bootstrap intervals, in the order of the metrics.

    `among` holds the positions of the questions to score, by default all. Empty if none
    of them is scored.
    """
    wanted = None if among is None else set(among)
    rows = [
        row
        for row, position in enumerate(answers.positions)
        if wanted is None or position in wanted
    ]
    if not rows:
        return ()
    return tuple(_score(one, rows) for one in answers.statistics)


def _score(statistics: CorpusStatistics, rows: Sequence[int]) -> CorpusScore:
    statistics_QK = np.array([statistics.rows[row] for row in rows], dtype=np.float64)
    scorer, metric = open_scorer(), statistics.metric
    resampled_R = corpus_scores(scorer, metric, resample_sums(statistics_QK))
    low_K, high_K = percentile_interval(resampled_R[:, None])
    return CorpusScore(
        metric=metric,
        signature=statistics.signature,
        num_questions=len(rows),
        value=scorer.corpus_score(metric, statistics_QK.sum(axis=0).tolist()),
        low=float(low_K[0]),
        high=float(high_K[0]),
    )


def corpus_scores(scorer: ProseScorer, metric: ProseMetric, sums_RK: Floats) -> Floats:
    """Return the score of each corpus from the sums of its statistics."""
    scores = [scorer.corpus_score(metric, sums) for sums in sums_RK.tolist()]
    return np.array(scores, dtype=np.float64)
