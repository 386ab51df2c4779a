"""Comparing two recipes by a few seeds on the same questions, as format version 1 does.

Pure. Studies of version 2 have the error of `two_way` and the claims of `decisions`.

A *cell* is one trained student: right (1) or wrong (0) on each of Q questions. A
*recipe* is S cells that differ in their seed alone: correct_SQ. Columns are questions,
the same ones in the same order wherever two tables meet; which order does not matter.

**The standard error** is that of a bootstrap over seeds and over questions, in closed
form: for a mean, what infinitely many resamples give is known, so none are drawn and
nothing depends on a generator. Two variances are added:

- of seeds: s² of the seeds' means / S. Paired, of the S differences; else of A and of
  B, added. This is the bootstrap that draws S - 1 of S seeds (McCarthy and Snowden
  1985); drawing S would give a third too little at S = 3.
- of questions: s² of the questions' means over seeds (of their differences) / Q. The
  same questions for both recipes.

What is particular to one seed on one question is in both. Cameron, Gelbach and Miller
(2011) subtract it once; here it stays, so that the error is too large rather than too
small. Seeds are few, so quantiles are Student's t with Satterthwaite's degrees of
freedom (1946), from S - 1 where runs differ most to Q - 1 where questions do.

**What was measured** (tests/bench/study_simulation_v1.py): runs 1.7 points apart (sd),
35 % right, S = 3 and 5, paired and not, with more or less that a run shifts in all
questions together, and that recipes differ on single ones. Percent of the studies,
lowest to highest over the settings; Monte-Carlo standard error at 5 %: 0.5 points
(1,221 questions: 0.7).

| | 500 questions, 32 settings | 1,221 questions, runs' shift large, 24 settings |
|---|---|---|
| rejects with no true effect | 0.6-5.9 | 1.8-6.7 |
| same, percentile bootstrap of both (Owen 2007) | 0.2-8.7 | 1.5-13.0 |
| same, McNemar pooled; on any seed | 4-38; 10-87 | 12-53; 32-98 |
| 95 % interval holds 5 points | 94.6-99.4 | 92.5-98.4 |
| equivalent, true difference = margin | 0-3.9 | 0.1-4.5 |
| equivalent, no difference, S = 3; 5 | 0-16; 0-32 | 0-20; 0-37 |
| finds 5 points, S = 3; 5 | 56-79; 72-99 | 59-83; 86-99 |
| finds `smallest_difference`, meant: 80 | 74-87 | 70-83 |
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.study.declaration import Claim
from cotbuild.schemas.study.results import (
    CheckpointComparison,
    ClaimOutcome,
    Comparison,
    Interval,
    RecipeAccuracy,
)

Floats = NDArray[np.float64]

MARGIN = 2.0
"""Points within which two recipes count as equally good, where the study file names no
other margin.
"""

LEVEL = 0.05
"""Of tests, two-sided; equivalence is two one-sided tests at this level (Schuirmann
1987), hence the 90 % interval.
"""

POWER = 0.8
"""Chance to find the smallest difference that a design is said to be able to show."""


def compare(a_SQ: ArrayLike, b_SQ: ArrayLike, *, paired: bool) -> Comparison:
    """Recipe A against recipe B on the same questions; see the module for how.

    `paired`: row n of both was trained with the same seed, so on the same questions in
    the same order. It helps where runs of one seed are alike and costs degrees of
    freedom where they are not: decide it before the first cell. A student that has no
    seeds, such as one that was not trained, goes in paired, its one row repeated.

    Raises DataError where a recipe has one seed, the questions differ in number, or a
    value is not between 0 and 1.
    """
    a, b = _recipe(a_SQ, "recipe A"), _recipe(b_SQ, "recipe B")
    _check_pair(a, b, paired)
    difference = float(a.mean() - b.mean())
    error, df = _error([a - b] if paired else [a, b], a.mean(0) - b.mean(0))
    return make_comparison((len(a), len(b)), a.shape[1], paired, difference, error, df)


def recipe_accuracy(correct_SQ: ArrayLike) -> RecipeAccuracy:
    """Percent right of each seed, their mean and its 95 % interval over other seeds and
    other questions.

    Intervals of two recipes may overlap where the recipes differ: their questions are
    the same. Use `compare`.
    """
    recipe = _recipe(correct_SQ, "recipe")
    mean, interval = float(recipe.mean()), None
    if len(recipe) > 1:
        low, high = interval_of(mean, *_error([recipe], recipe.mean(0)), 0.95)
        interval = (max(low, 0.0), min(high, 100.0))
    return RecipeAccuracy(
        per_seed=tuple(100 * float(one) for one in recipe.mean(1)),
        mean=100 * mean,
        interval_95=interval,
    )


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): p-values to be read at the level of the whole
    family, in the same order.
    """
    for at, p in enumerate(ps):
        if not 0 <= p <= 1:
            raise DataError(
                f"p-value {at} of the family is {p!r}, not between 0 and 1."
            )
    order = np.argsort(ps, kind="stable")
    stepped = np.maximum.accumulate(
        np.asarray(ps, dtype=float)[order] * np.arange(len(ps), 0, -1)
    )
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(stepped, 1)
    return [float(p) for p in corrected]


def equivalent(comparison: Comparison, margin: float = MARGIN) -> bool:
    """Whether the whole 90 % interval lies within ± `margin` points: TOST at 5 % a side
    (Schuirmann 1987).
    """
    low, high = comparison.interval_90
    return -margin < low and high < margin


def decide(
    claim: Claim, comparison: Comparison, p_holm: float, margin: float = MARGIN
) -> ClaimOutcome:
    """How a claim on recipes A and B ends.

    A *wins* where the difference is above 0 and `p_holm`, its p-value after `holm` over
    all comparisons that the study named beforehand, is at most 5 %; B likewise below 0.
    The margin is not corrected for the size of the family.

    | claim | supported | contradicted | undecided |
    |---|---|---|---|
    | A beats B | A wins | B wins, or equivalent | else |
    | A is as good as B | equivalent, or A wins | B wins and not equivalent | else |

    So a difference that is certain and smaller than the margin supports both. That
    nobody wins supports nothing.
    """
    wins = p_holm <= LEVEL and comparison.difference > 0
    loses = p_holm <= LEVEL and comparison.difference < 0
    same = equivalent(comparison, margin)
    if wins or (same and claim is Claim.AS_GOOD):
        return ClaimOutcome.SUPPORTED
    return ClaimOutcome.CONTRADICTED if loses or same else ClaimOutcome.UNDECIDED


def compare_checkpoints(a_Q: ArrayLike, b_Q: ArrayLike) -> CheckpointComparison:
    """One run against one run: McNemar's exact test (1947), a sign test of the
    questions that one alone got right, and an interval of the difference.

    The interval is the adjusted Wald interval of Bonett and Price (2012). Computed over
    all outcomes, it holds the true difference in 95.0 % or more: 20 to 3,000 questions,
    0.1 to 50 % of which one student alone gets right.

    It knows no spread between runs, so it says nothing of recipes: with no true effect
    and several seeds, pooling them into one such test or taking the best of them
    rejects far too often (module docstring).
    """
    a, b = _checkpoint(a_Q, "checkpoint A"), _checkpoint(b_Q, "checkpoint B")
    _check_questions(len(a), len(b))
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    p = (
        float(stats.binomtest(only_a, only_a + only_b).pvalue)
        if only_a + only_b
        else 1.0
    )
    return CheckpointComparison(
        num_questions=len(a),
        difference=100 * float(a.mean() - b.mean()),
        interval_95=_paired_interval(only_a, only_b, len(a)),
        only_a=only_a,
        only_b=only_b,
        p=p,
    )


def _paired_interval(only_a: int, only_b: int, num_questions: int) -> Interval:
    """Return the 95 % interval of a difference of paired proportions, in points.

    `only_a` and `only_b` count the questions that A alone and B alone got right. One
    question is added to either (Bonett and Price 2012).
    """
    total = num_questions + 2
    share_a, share_b = (only_a + 1) / total, (only_b + 1) / total
    centre = share_a - share_b
    error = ((share_a + share_b - centre**2) / total) ** 0.5
    half = error * float(special.ndtri(0.975))
    return (100 * max(centre - half, -1.0), 100 * min(centre + half, 1.0))


def _error(parts: Sequence[Floats], question_Q: Floats) -> tuple[float, float]:
    """Standard error and degrees of freedom of a mean: `parts`, tables (S, Q) of
    independent seeds; question means.
    """
    terms = [(part.mean(1).var(ddof=1) / len(part), len(part) - 1) for part in parts]
    of_questions = float(question_Q.var(ddof=1) / len(question_Q))
    return combine_variances(terms, of_questions, len(question_Q))


def make_comparison(
    num_seeds: tuple[int, int],
    num_questions: int,
    paired: bool,
    difference: float,
    error: float,
    df: float,
) -> Comparison:
    """Return the comparison of two recipes by a difference and its standard error.

    Both are fractions of 1; `df` are the degrees of freedom of the standard error.
    """
    return Comparison(
        num_seeds=num_seeds,
        num_questions=num_questions,
        paired=paired,
        difference=100 * difference,
        standard_error=100 * error,
        df=df,
        interval_95=interval_of(difference, error, df, 0.95),
        interval_90=interval_of(difference, error, df, 0.90),
        p=two_sided(difference, error, df),
        smallest_difference=100
        * error
        * float(special.stdtrit(df, 1 - LEVEL / 2) + special.stdtrit(df, POWER)),
    )


def combine_variances(
    of_seeds: Sequence[tuple[float, int]], of_questions: float, num_questions: int
) -> tuple[float, float]:
    """Return the standard error of the sum of variances, and its degrees of freedom.

    `of_seeds` holds variances with their degrees of freedom; that of the questions has
    one less than there are questions. The degrees are Satterthwaite's.
    """
    terms = [*of_seeds, (of_questions, num_questions - 1)]
    variance = float(sum(term for term, _ in terms))
    if variance == 0:
        return 0.0, float(num_questions - 1)
    return variance**0.5, variance**2 / float(sum(term**2 / df for term, df in terms))


def interval_of(centre: float, error: float, df: float, level: float) -> Interval:
    """Return the interval of a level around a fraction of 1, in points."""
    half = error * float(special.stdtrit(df, (1 + level) / 2))
    return (100 * (centre - half), 100 * (centre + half))


def two_sided(difference: float, error: float, df: float) -> float:
    """Return the two-sided p-value of a difference from 0, by Student's t."""
    if error == 0:  # every seed and every question says the same
        return float(difference == 0)
    return float(2 * special.stdtr(df, -abs(difference) / error))


def _recipe(correct_SQ: ArrayLike, where: str) -> Floats:
    """The table as floats, checked."""
    try:
        table = np.asarray(correct_SQ, dtype=float)
    except (TypeError, ValueError) as error:  # rows of several lengths, or no numbers
        raise DataError(
            f"{where}: {error}. Pass a table (seeds, questions) of 0 and 1."
        ) from error
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2:
        raise DataError(
            f"{where}: shape {table.shape}. It must be (seeds, questions), with at least 1 "
            "seed and 2 questions."
        )
    wrong = table[~((table >= 0) & (table <= 1))]
    if wrong.size:
        raise DataError(
            f"{where}: {short_repr(float(wrong[0]))} for a question, expected a number "
            "from 0 (wrong) to 1 (right)."
        )
    return table


def _checkpoint(correct_Q: ArrayLike, where: str) -> Floats:
    one: Floats = _recipe(np.expand_dims(np.asarray(correct_Q), 0), where)[0]
    partly = one[(one != 0) & (one != 1)]
    if partly.size:
        raise DataError(
            f"{where}: {short_repr(float(partly[0]))} for a question, which is neither 1 "
            "(right) nor 0 (wrong)."
        )
    return one


def _check_pair(a: Floats, b: Floats, paired: bool) -> None:
    _check_questions(a.shape[1], b.shape[1])
    check_seeds(len(a), len(b), paired)


def check_seeds(num_a: int, num_b: int, paired: bool) -> None:
    """Raise DataError unless A and B have seeds enough, equally many if paired."""
    for name, seeds in (("A", num_a), ("B", num_b)):
        if seeds < 2:
            raise DataError(
                f"recipe {name}: {seeds} seed. One run each compares two checkpoints, not two "
                "recipes, since it does not show how much runs differ. Train at least 2 "
                "seeds, or use compare_checkpoints."
            )
    if paired and num_a != num_b:
        raise DataError(
            f"paired seeds: {num_a} of A, {num_b} of B. Leave out the "
            "seeds that only one of them has, or compare unpaired."
        )


def _check_questions(a: int, b: int) -> None:
    if a != b:
        raise DataError(
            f"comparison: A answered {a} questions, B {b}. Both need the same questions in "
            "the same order."
        )
