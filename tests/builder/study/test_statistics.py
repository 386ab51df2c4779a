"""The statistics of a study: against values worked out by hand, scipy, a real
bootstrap, and simulated studies.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from cotbuild.builder.study.statistics import (
    compare,
    compare_checkpoints,
    decide,
    equivalent,
    holm,
    recipe_accuracy,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.evaluation import wilson_interval
from cotbuild.schemas.study.declaration import Claim
from cotbuild.schemas.study.results import ClaimOutcome, Comparison
from tests.support.simulated_studies import (
    compare_all,
    covers,
    draw,
    mcnemar_rejects,
    rejects,
    world,
)

Table = NDArray[np.int64]

# Means of seeds 3/4, 1/2; of questions 1, 1/2, 1, 0. And 1/4, 1/4; 1/2, 0, 1/2, 0.
A = np.array([[1, 1, 1, 0], [1, 0, 1, 0]])
B = np.array([[1, 0, 0, 0], [0, 0, 1, 0]])


def comparison(difference: float, interval_90: tuple[float, float]) -> Comparison:
    """What claims are judged by; the rest is of no account."""
    return Comparison(
        num_seeds=(3, 3),
        num_questions=500,
        paired=False,
        difference=difference,
        standard_error=1.0,
        df=4.0,
        interval_95=(-50.0, 50.0),
        interval_90=interval_90,
        p=0.5,
        smallest_difference=5.0,
    )


@st.composite
def pairs(draw_: st.DrawFn, same_seeds: bool = False) -> tuple[Table, Table]:
    """Two recipes on the same questions."""
    questions = draw_(st.integers(2, 12))
    seeds_a = draw_(st.integers(2, 5))
    seeds_b = seeds_a if same_seeds else draw_(st.integers(2, 5))
    rng = np.random.default_rng(draw_(st.integers(0, 10**6)))
    return rng.integers(0, 2, (seeds_a, questions)), rng.integers(
        0, 2, (seeds_b, questions)
    )


class TestCompare:
    @pytest.mark.parametrize(
        ("paired", "of_seeds"),
        [
            # Differences of the seeds: 1/2, 1/4; s² = 1/32; /2.
            (True, [(1 / 64, 1)]),
            # Seeds of A: 3/4, 1/2; of B: 1/4, 1/4, s² = 0.
            (False, [(1 / 64, 1), (0.0, 1)]),
        ],
    )
    def test_agrees_with_what_was_worked_out_by_hand(
        self, paired: bool, of_seeds: list[tuple[float, int]]
    ) -> None:
        found = compare(A, B, paired=paired)
        # Differences of the questions: 1/2, 1/2, 1/2, 0; s² = 1/16; /4.
        terms = [*of_seeds, (1 / 64, 3)]
        variance = sum(term for term, _ in terms)
        df = variance**2 / sum(term**2 / free for term, free in terms)
        t = stats.t(df)
        error = 100 * variance**0.5
        assert found.difference == pytest.approx(37.5)
        assert found.standard_error == pytest.approx(error)
        assert found.df == pytest.approx(df)
        assert found.interval_95 == pytest.approx(
            (37.5 - t.ppf(0.975) * error, 37.5 + t.ppf(0.975) * error)
        )
        assert found.interval_90 == pytest.approx(
            (37.5 - t.ppf(0.95) * error, 37.5 + t.ppf(0.95) * error)
        )
        assert found.p == pytest.approx(2 * t.sf(37.5 / error))
        assert found.smallest_difference == pytest.approx(
            (t.ppf(0.975) + t.ppf(0.8)) * error
        )
        assert (found.num_seeds, found.num_questions, found.paired) == (
            (2, 2),
            4,
            paired,
        )

    def test_seeds_alone_give_the_paired_t_test(self) -> None:
        """Where all questions differ alike only seeds are left, and scipy's t-test is
        the answer.
        """
        counts_a, counts_b = [4, 3, 4], [1, 2, 2]
        a = np.array(
            [np.roll([1] * n + [0] * (6 - n), 2 * at) for at, n in enumerate(counts_a)]
        )
        b = np.array(
            [np.roll([1] * n + [0] * (6 - n), 2 * at) for at, n in enumerate(counts_b)]
        )
        many = compare(np.tile(a, 20_000), np.tile(b, 20_000), paired=True)
        assert many.p == pytest.approx(
            stats.ttest_rel(a.mean(1), b.mean(1)).pvalue, rel=1e-3
        )

    def test_questions_alone_give_the_one_sample_t_test(self) -> None:
        """Where all seeds are the same only questions are left."""
        rng = np.random.default_rng(5)
        a, b = rng.integers(0, 2, 50), rng.integers(0, 2, 50)
        found = compare([a, a, a], [b, b, b], paired=True)
        assert found.p == pytest.approx(stats.ttest_1samp(a - b, 0).pvalue)
        assert found.df == pytest.approx(49)

    @pytest.mark.parametrize("paired", [True, False])
    def test_the_error_is_that_of_the_bootstraps_over_seeds_and_over_questions(
        self, paired: bool
    ) -> None:
        rng = np.random.default_rng(11)
        a_1, b_1 = draw(world(60, 0.5, 0.1, 0), rng, 1, 4, 0.2)
        a, b = a_1[0].astype(float), b_1[0].astype(float)
        by_seed_a = rng.multinomial(3, [1 / 4] * 4, 40_000) / 3
        by_seed_b = by_seed_a if paired else rng.multinomial(3, [1 / 4] * 4, 40_000) / 3
        by_question = rng.multinomial(60, [1 / 60] * 60, 40_000) / 60
        of_seeds = by_seed_a @ a.mean(1) - by_seed_b @ b.mean(1)
        of_questions = by_question @ (a.mean(0) - b.mean(0))
        spread = 100 * (of_seeds.var() + of_questions.var() * 60 / 59) ** 0.5
        assert compare(a, b, paired=paired).standard_error == pytest.approx(
            spread, rel=0.02
        )

    @given(pairs(), st.booleans())
    def test_b_against_a_is_the_negative(
        self, tables: tuple[Table, Table], paired: bool
    ) -> None:
        a, b = tables
        paired = paired and len(a) == len(b)
        one, other = compare(a, b, paired=paired), compare(b, a, paired=paired)
        assert other.difference == -one.difference
        assert other.interval_95 == (-one.interval_95[1], -one.interval_95[0])
        assert other.interval_90 == (-one.interval_90[1], -one.interval_90[0])
        assert (other.p, other.df, other.standard_error) == (
            one.p,
            one.df,
            one.standard_error,
        )

    @given(pairs(same_seeds=True), st.booleans(), st.integers(0, 1000))
    def test_the_order_of_questions_and_of_seeds_does_not_matter(
        self, tables: tuple[Table, Table], paired: bool, seed: int
    ) -> None:
        a, b = tables
        rng = np.random.default_rng(seed)
        questions, seeds = rng.permutation(a.shape[1]), rng.permutation(len(a))
        one = compare(a, b, paired=paired)
        other = compare(a[seeds][:, questions], b[seeds][:, questions], paired=paired)
        assert other.difference == pytest.approx(one.difference)
        assert other.standard_error == pytest.approx(one.standard_error)
        assert other.p == pytest.approx(one.p)

    @given(pairs(), st.booleans())
    def test_a_recipe_does_not_differ_from_itself(
        self, tables: tuple[Table, Table], paired: bool
    ) -> None:
        found = compare(tables[0], tables[0], paired=paired)
        assert (found.difference, found.p) == (0, 1)

    @given(pairs(), st.booleans())
    def test_the_interval_holds_nothing_exactly_where_p_is_above_the_level(
        self, tables: tuple[Table, Table], paired: bool
    ) -> None:
        a, b = tables
        found = compare(a, b, paired=paired and len(a) == len(b))
        same = found.difference == found.standard_error == 0
        assert (found.p > 0.05) == (
            found.interval_95[0] < 0 < found.interval_95[1] or same
        )
        assert (
            found.interval_95[0]
            <= found.interval_90[0]
            <= found.difference
            <= found.interval_90[1]
        )

    def test_a_difference_without_any_spread_is_certain(self) -> None:
        found = compare(np.ones((2, 5)), np.zeros((3, 5)), paired=False)
        assert (found.difference, found.p, found.interval_95) == (100, 0, (100, 100))

    def test_a_student_without_seeds_goes_in_as_the_same_row_for_each(self) -> None:
        untrained = np.array([1, 0, 0, 0])
        found = compare(A, np.broadcast_to(untrained, A.shape), paired=True)
        seeds, questions = (
            A.mean(1).var(ddof=1) / 2,
            (A.mean(0) - untrained).var(ddof=1) / 4,
        )
        assert found.standard_error == pytest.approx(100 * (seeds + questions) ** 0.5)

    def test_is_kept_as_json(self) -> None:
        found = compare(A, B, paired=True)
        assert Comparison.model_validate_json(found.model_dump_json()) == found

    @pytest.mark.parametrize(
        ("a", "b", "paired", "said"),
        [
            (
                A,
                B[:, :3],
                True,
                "comparison: A answered 4 questions, B 3. Both need the same questions",
            ),
            (
                A[:1],
                B,
                False,
                "recipe A: 1 seed. One run each compares two checkpoints, not two recipes",
            ),
            (A, B[:1], False, "recipe B: 1 seed."),
            (
                A,
                np.tile(B, (2, 1)),
                True,
                "paired seeds: 2 of A, 4 of B. Leave out the seeds",
            ),
            (
                A * 2,
                B,
                True,
                "recipe A: 2.0 for a question, expected a number from 0",
            ),
            (A, np.where(B, np.nan, 0), True, "recipe B: nan for a question."),
            (A[0], B, True, r"recipe A: shape \(4,\). It must be \(seeds, questions\)"),
            (A[:, :1], B[:, :1], True, r"recipe A: shape \(2, 1\)."),
            ([[1, 0], [1]], B, True, "recipe A: .* Pass a table"),
        ],
    )
    def test_says_what_cannot_be_compared(
        self, a: Table, b: Table, paired: bool, said: str
    ) -> None:
        with pytest.raises(DataError, match=said):
            compare(a, b, paired=paired)


class TestRecipeAccuracy:
    def test_agrees_with_what_was_worked_out_by_hand(self) -> None:
        found = recipe_accuracy(np.repeat(A, 100, axis=1))
        seeds, questions = (1 / 32) / 2, 400 / 399 * (11 / 64) / 400
        df = (seeds + questions) ** 2 / (seeds**2 + questions**2 / 399)
        half = 100 * stats.t(df).ppf(0.975) * (seeds + questions) ** 0.5
        assert found.per_seed == (75, 50)
        assert found.mean == 62.5
        assert found.interval_95 == pytest.approx(
            (max(62.5 - half, 0), min(62.5 + half, 100))
        )

    def test_one_seed_has_no_interval(self) -> None:
        assert recipe_accuracy(A[:1]).interval_95 is None


class TestHolm:
    @pytest.mark.parametrize(
        ("ps", "corrected"),
        [
            ([], []),
            ([0.04], [0.04]),
            ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
            ([0.01, 0.013], [0.02, 0.02]),
            ([0.9, 0.8], [1.0, 1.0]),
            ([0.0, 1.0, 0.0], [0.0, 1.0, 0.0]),
        ],
    )
    def test_agrees_with_what_was_worked_out_by_hand(
        self, ps: list[float], corrected: list[float]
    ) -> None:
        assert holm(ps) == pytest.approx(corrected)

    @given(st.lists(st.floats(0, 1), max_size=8))
    def test_is_never_smaller_keeps_the_order_and_never_exceeds_bonferroni(
        self, ps: list[float]
    ) -> None:
        found = holm(ps)
        for p, corrected in zip(ps, found, strict=True):
            assert p <= corrected <= min(1, p * len(ps))
        assert [found[at] for at in np.argsort(ps, kind="stable")] == sorted(found)

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
    def test_rejects_what_the_step_down_procedure_rejects(
        self, ps: list[float]
    ) -> None:
        """Holm's own wording: from the smallest on, while p is at most 0.05 / those
        left.
        """
        rejected: set[int] = set()
        for step, at in enumerate(np.argsort(ps, kind="stable")):
            if ps[at] * (len(ps) - step) > 0.05:
                break
            rejected.add(int(at))
        assert {at for at, p in enumerate(holm(ps)) if p <= 0.05} == rejected

    @pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
    def test_refuses_what_is_no_p_value(self, p: float) -> None:
        with pytest.raises(DataError, match="p-value 1 of the family is"):
            holm([0.5, p])


class TestClaims:
    @pytest.mark.parametrize(
        ("interval", "margin", "same"),
        [
            ((-1.9, 1.9), 2.0, True),
            ((0.5, 1.9), 2.0, True),
            ((-2.0, 1.0), 2.0, False),
            ((-1.0, 2.0), 2.0, False),
            ((-1.0, 2.0), 3.0, True),
            ((-9.0, 9.0), 2.0, False),
        ],
    )
    def test_equivalent_is_the_whole_interval_within(
        self, interval: tuple[float, float], margin: float, same: bool
    ) -> None:
        assert equivalent(comparison(0, interval), margin) is same

    @pytest.mark.parametrize(
        ("difference", "interval", "p", "beats", "as_good"),
        [
            (5.0, (3.0, 7.0), 0.01, ClaimOutcome.SUPPORTED, ClaimOutcome.SUPPORTED),
            (
                -5.0,
                (-7.0, -3.0),
                0.01,
                ClaimOutcome.CONTRADICTED,
                ClaimOutcome.CONTRADICTED,
            ),
            (1.0, (0.2, 1.8), 0.05, ClaimOutcome.SUPPORTED, ClaimOutcome.SUPPORTED),
            (
                -1.0,
                (-1.8, -0.2),
                0.05,
                ClaimOutcome.CONTRADICTED,
                ClaimOutcome.SUPPORTED,
            ),
            (0.1, (-1.8, 1.9), 0.9, ClaimOutcome.CONTRADICTED, ClaimOutcome.SUPPORTED),
            (5.0, (1.0, 9.0), 0.06, ClaimOutcome.UNDECIDED, ClaimOutcome.UNDECIDED),
            (-5.0, (-9.0, -1.0), 0.06, ClaimOutcome.UNDECIDED, ClaimOutcome.UNDECIDED),
            (0.0, (-4.0, 4.0), 1.0, ClaimOutcome.UNDECIDED, ClaimOutcome.UNDECIDED),
        ],
    )
    def test_ends_by_the_rules(
        self,
        difference: float,
        interval: tuple[float, float],
        p: float,
        beats: ClaimOutcome,
        as_good: ClaimOutcome,
    ) -> None:
        found = comparison(difference, interval)
        assert (decide(Claim.BEATS, found, p), decide(Claim.AS_GOOD, found, p)) == (
            beats,
            as_good,
        )


class TestCheckpoints:
    @pytest.mark.parametrize(
        ("only_a", "only_b", "p"),
        [
            (0, 0, 1.0),
            (5, 0, 2 / 32),
            (0, 5, 2 / 32),
            (8, 2, 2 * (1 + 10 + 45) / 1024),
            (3, 3, 1.0),
        ],
    )
    def test_mcnemar_is_exact(self, only_a: int, only_b: int, p: float) -> None:
        a = [1] * only_a + [0] * only_b + [1, 1, 0]
        b = [0] * only_a + [1] * only_b + [1, 1, 0]
        found = compare_checkpoints(a, b)
        assert (found.only_a, found.only_b) == (only_a, only_b)
        assert found.p == pytest.approx(p)
        assert found.difference == pytest.approx(100 * (only_a - only_b) / len(a))

    @pytest.mark.parametrize(
        ("only_a", "only_b", "num_questions"),
        [(1, 7, 21), (3, 8, 50), (0, 0, 100), (143, 122, 1221)],
    )
    def test_the_interval_is_walds_with_a_question_added_to_either_side(
        self, only_a: int, only_b: int, num_questions: int
    ) -> None:
        both = num_questions - only_a - only_b
        a = [1] * only_a + [0] * only_b + [1] * both
        b = [0] * only_a + [1] * only_b + [1] * both
        low, high = compare_checkpoints(a, b).interval_95
        difference_Q = np.array([1] * (only_a + 1) + [-1] * (only_b + 1) + [0] * both)
        half = stats.norm.ppf(0.975) * difference_Q.std() / len(difference_Q) ** 0.5
        centre = difference_Q.mean()
        expected = (100 * (centre - half), 100 * (centre + half))
        assert (low, high) == pytest.approx(expected)

    def test_the_interval_ends_at_all_questions(self) -> None:
        low, high = compare_checkpoints([1, 1], [0, 0]).interval_95
        assert low < 0 < high == 100

    @pytest.mark.parametrize(
        ("a", "b", "said"),
        [
            ([1, 0, 1], [1, 0], "A answered 3 questions, B 2"),
            ([[1, 0], [1, 1]], [1, 0], "checkpoint A: shape"),
            ([1, 0], [1, 3], "checkpoint B: 3.0"),
        ],
    )
    def test_says_what_cannot_be_compared(
        self, a: list[int], b: list[int], said: str
    ) -> None:
        with pytest.raises(DataError, match=said):
            compare_checkpoints(a, b)

    @pytest.mark.parametrize(
        ("right", "asked"), [(0, 10), (1, 4), (175, 500), (500, 500)]
    )
    def test_wilson_is_where_the_score_test_stands_at_its_limit(
        self, right: int, asked: int
    ) -> None:
        z = stats.norm.ppf(0.975)
        for p in wilson_interval(right, asked):
            assert abs(right / asked - p) == pytest.approx(
                z * (p * (1 - p) / asked) ** 0.5, abs=1e-9
            )


class TestSimulation:
    """The table of tests/bench/study_simulation_v1.py in small: seeds are fixed, so these
    numbers do not change.
    """

    @pytest.mark.parametrize("seeds", [3, 5])
    @pytest.mark.parametrize("paired", [True, False])
    @pytest.mark.parametrize("run_share", [0.4, 0.9])
    def test_holds_its_level_where_mcnemar_does_not(
        self, seeds: int, paired: bool, run_share: float
    ) -> None:
        rng = np.random.default_rng(seeds)
        here = world(500, run_share, 0.05, 0)
        a, b = draw(here, rng, 300, seeds, 0)
        found = compare_all(a, b, paired)
        assert rejects(found) <= 0.07
        assert covers(found, 0) >= 0.93
        pooled, any_seed = mcnemar_rejects(a, b)
        assert pooled > 0.08
        assert any_seed > 0.15

    @pytest.mark.parametrize("run_share", [0.0, 0.5])
    def test_the_world_has_the_runs_it_says(self, run_share: float) -> None:
        a, _ = draw(world(500, run_share, 0, 0), np.random.default_rng(2), 400, 5, 0)
        means_NS = a.mean(2)
        assert means_NS.mean() == pytest.approx(0.35, abs=0.003)
        assert means_NS.var(axis=1, ddof=1).mean() ** 0.5 == pytest.approx(
            0.017, rel=0.06
        )
