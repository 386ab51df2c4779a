"""How far two scores files agree on the words of the same rationales.

Both are taken word by word, as the transform `top` takes them: the score of a word is
the sum over the spans that overlap it. So scores of tokens and of words compare.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

from cotbuild.builder.study.report.csv_text import Row, format_csv
from cotbuild.builder.ui import pluralize
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import ScoresFile
from cotbuild.builder.variants.transforms.pick import word_scores
from cotbuild.builder.variants.units import word_spans

TOP_WORDS = (5, 15)
"""Numbers of words with the highest scores that are compared."""


class TopOverlap(NamedTuple):
    """The words that are among the k highest by both scores."""

    shared: float
    """Those in both, as a share of k."""
    by_chance: float
    """The same share expected of two random orders: k / words."""


class RowAgreement(NamedTuple):
    """The agreement on one rationale."""

    question_id: str
    sample_index: int
    num_words: int
    """Words that both files score."""
    rank_correlation: float | None
    """Spearman's over the words; None: all scores of one side are equal."""
    top: dict[int, TopOverlap]
    """By k; without those k that take all words."""


class ScoresAgreement(NamedTuple):
    """The agreement of two scores files."""

    methods: tuple[str, str]
    rows: Sequence[RowAgreement]
    """Of the rationales that both files score, in the order of the examples."""
    num_missing: tuple[int, int]
    """Rationales that a file does not have, or refused."""


def compare_scores(
    first: Path, second: Path, examples: Iterable[RationaleExample]
) -> ScoresAgreement:
    """Compare the scores of some rationales in two files.

    Raises DataError if one is not a scores file, or scored another text.
    """
    rows: list[RowAgreement] = []
    num_missing = [0, 0]
    with (
        closing(ScoresFile(first)) as first_file,
        closing(ScoresFile(second)) as second_file,
    ):
        files = (first_file, second_file)
        for example in examples:
            spans = [file.spans(example) for file in files]
            places = word_spans(example.rationale)
            scores = []
            for at, found in enumerate(spans):
                if found is None:
                    num_missing[at] += 1
                else:
                    scores.append(word_scores(places, found, "with"))
            if len(scores) == len(files):
                rows.append(_compare_words(example, scores[0], scores[1]))
        methods = (first_file.info.method, second_file.info.method)
    return ScoresAgreement(methods, rows, (num_missing[0], num_missing[1]))


def _compare_words(
    example: RationaleExample, first: dict[int, float], second: dict[int, float]
) -> RowAgreement:
    words = sorted(first.keys() & second.keys())
    overlaps = {
        k: _compare_top(k, words, first, second) for k in TOP_WORDS if k < len(words)
    }
    return RowAgreement(
        question_id=example.question_id,
        sample_index=example.sample_index,
        num_words=len(words),
        rank_correlation=_rank_correlation(
            [first[word] for word in words], [second[word] for word in words]
        ),
        top=overlaps,
    )


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(spearmanr(first, second).statistic)


def _compare_top(
    k: int, words: Sequence[int], first: dict[int, float], second: dict[int, float]
) -> TopOverlap:
    # Sorting is stable: of equal scores the earlier word comes first.
    best, other = (
        set(sorted(words, key=scores.__getitem__, reverse=True)[:k])
        for scores in (first, second)
    )
    return TopOverlap(len(best & other) / k, k / len(words))


def agreement_csv(rows: Iterable[RowAgreement], other: str) -> str:
    """Return a table with a line for each rationale; `other` names the second file."""
    header = [
        "compared_with",
        "question_id",
        "sample_index",
        "num_words",
        "rank_correlation",
    ]
    for k in TOP_WORDS:
        header += [f"top_{k}", f"top_{k}_by_chance"]
    table = ({"compared_with": other, **_table_row(row)} for row in rows)
    return format_csv(header, table)


def _table_row(row: RowAgreement) -> Row:
    values: dict[str, str | int | float | None] = {
        "question_id": row.question_id,
        "sample_index": row.sample_index,
        "num_words": row.num_words,
        "rank_correlation": row.rank_correlation,
    }
    for k in TOP_WORDS:
        overlap = row.top.get(k)
        values[f"top_{k}"] = None if overlap is None else overlap.shared
        values[f"top_{k}_by_chance"] = None if overlap is None else overlap.by_chance
    return values


def summarize_agreement(agreement: ScoresAgreement, other: str) -> Iterator[str]:
    """Yield lines on the agreement; `other` names the second file."""
    first, second = agreement.methods
    missing_first, missing_second = agreement.num_missing
    yield (
        f"agreement of {first} with {second} ({other}): "
        f"{pluralize(len(agreement.rows), 'rationale')} with both; without scores by "
        f"the first {missing_first}, by the second {missing_second}"
    )
    correlations = [
        row.rank_correlation
        for row in agreement.rows
        if row.rank_correlation is not None
    ]
    if correlations:
        low, median, high = np.percentile(correlations, [5, 50, 95])
        yield (
            f"rank correlation of words: median {median:.2f}, "
            f"from {low:.2f} to {high:.2f} (5th and 95th percentile)"
        )
    for k in TOP_WORDS:
        overlaps = [row.top[k] for row in agreement.rows if k in row.top]
        if overlaps:
            shared = np.mean([overlap.shared for overlap in overlaps])
            by_chance = np.mean([overlap.by_chance for overlap in overlaps])
            yield (
                f"top {k} words in both: {shared:.0%}, by chance {by_chance:.0%} "
                f"({pluralize(len(overlaps), 'rationale')} of more than {k} words)"
            )
