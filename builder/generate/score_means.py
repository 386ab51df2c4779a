"""The means of the scores of answers in prose, over the rows of a build. Pure."""

from dataclasses import dataclass, field

from cotbuild.schemas.answers.prose_scores import (
    PROSE_METRICS,
    SCORE_DIGITS,
    ProseMetric,
    prose_settings,
)
from cotbuild.schemas.answers.prose_words import Tokenizer, find_tokenizer
from cotbuild.schemas.manifest import ScoreSummary
from cotbuild.schemas.rationale import Rationale

_UNIT = int(10**SCORE_DIGITS)
"""Sums are in this fraction of a point, so that their order makes no difference."""


@dataclass
class _Sum:
    num_rows: int = 0
    total: int = 0
    """In units of 1 / _UNIT."""
    reference_counts: set[int] = field(default_factory=set)
    """Different numbers of references."""

    def mean(self) -> float:
        mean = self.total / (self.num_rows * _UNIT)
        return round(mean, SCORE_DIGITS)


@dataclass
class ScoreMeans:
    """Means by metric and tokenizer, filled as rows pass by."""

    sums: dict[tuple[ProseMetric, Tokenizer], _Sum] = field(default_factory=dict)

    def add(self, row: Rationale) -> None:
        """Take the scores of a row; most rows have none."""
        if not row.scores:
            return
        targets = row.question_record().targets
        tokenizer = find_tokenizer(targets)
        values = {score.metric: score.value for score in row.scores}
        for metric in PROSE_METRICS:
            if metric in values:
                # The tokenizer makes a difference to BLEU alone.
                key = (metric, tokenizer if metric == "bleu" else "13a")
                one = self.sums.setdefault(key, _Sum())
                one.num_rows += 1
                one.total += round(values[metric] * _UNIT)
                one.reference_counts.add(len(targets))

    def merge(self, later: "ScoreMeans") -> None:
        """Take the scores of other rows."""
        for key, other in later.sums.items():
            one = self.sums.setdefault(key, _Sum())
            one.num_rows += other.num_rows
            one.total += other.total
            one.reference_counts |= other.reference_counts

    def summaries(self) -> tuple[ScoreSummary, ...]:
        """Return the mean of each metric, in the order of PROSE_METRICS."""
        keys = sorted(self.sums, key=lambda key: (PROSE_METRICS.index(key[0]), key[1]))
        return tuple(self._summarise(*key) for key in keys)

    def _summarise(self, metric: ProseMetric, tokenizer: Tokenizer) -> ScoreSummary:
        one = self.sums[metric, tokenizer]
        counts = one.reference_counts
        return ScoreSummary(
            metric=metric,
            settings=prose_settings(
                metric,
                tokenizer,
                min(counts) if len(counts) == 1 else None,
                for_sentences=True,
            ),
            num_rows=one.num_rows,
            mean=one.mean(),
        )
