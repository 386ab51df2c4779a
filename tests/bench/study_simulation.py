"""Do the statistics of a study of format version 2 hold? Simulated studies in which the
truth is known, whose answers vary as those of the first study do.

    PYTHONPATH=tests/.ns python -m tests.bench.study_simulation [--studies 1000]     # from the root

Students answer as in tests/support/fitted_studies.py: variances of questions and of
single answers are those of docs/studies/palm-csqa. What seeds move in all questions
together is either shared by the variants (sd 1.7 points, the same for both), as fitted,
or unshared (sd 1.7 points each, independent).

**Mean squares**: two variants with no true difference, drawn as normal values have
them: rejected at 5, 1 and 0.5 %, by the error of format version 1, paired, and by that of
version 2 (`two-way`), which is the same below 5 seeds. 100,000 studies for each of four
pairs and each number of questions; lowest to highest.

**Pairs**: right and wrong answers of two variants with no true difference, in percent of the studies.
- `v1`, `v1 pair`: rejected at 5 % by the error of format version 1, unpaired and paired;
- `two-way`: by that of version 2;
- `covers`: 95 % intervals of version 2 that hold a true difference of 2 points;
- `SE`: mean standard error of version 2 over the true standard deviation;
- below them: 5 % at each of 3, 5, 7 and 10 seeds, and O'Brien-Fleming at 6 and 12.

**Macro-F1** of three classes in the same way, by resamples of the questions.

**Whole studies**: six variants, looks at 6 and 12 seeds, tier 1 `after` (post > pre) and
`help` (post > none), tier 2 `half_shuffled` and `half_key` (each keeps more than half of
the gain), opened by `help`. How often each claim is supported, and any that is false.

docs/studies/statistics.md holds the figures.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter
from scipy import special

from cotbuild.builder.study.claim_tests import ContrastTest, claim_tests
from cotbuild.builder.study.decisions import PlannedTier, decide_tiers
from cotbuild.builder.study.evidence import weigh_claim
from cotbuild.builder.study.first_study import FIRST_STUDY
from cotbuild.builder.study.looks import look_fractions, look_p_values, normal_scores
from cotbuild.builder.study.power import simulate_decisions
from cotbuild.builder.study.two_way import (
    Floats,
    StandardError,
    TwoWayVariance,
    combine_parts,
    resampled_variance,
    standard_error,
    table_variance,
)
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.student.evaluation.bootstrap import resample_sums
from cotbuild.student.evaluation.classification import class_statistics, macro_f1
from tests.support.fitted_studies import FittedWorld, draw_answers, fit_world

VARIANTS = FIRST_STUDY.variants
LABEL, PRE, POST, SHUFFLED, KEY, RANDOM = VARIANTS
SEED_SD = 1.7
SEEDS = (3, 5, 8, 12)
MEAN_SQUARE_SEEDS = (2, 3, 4, 5, 6, 8, 12)
LEVELS = (0.05, 0.01, 0.005)
EFFECT = 2.0


def seed_parts() -> dict[str, Floats]:
    """What seeds move in all questions together, points²."""
    number = len(VARIANTS)
    return {
        "shared": np.full((number, number), SEED_SD**2),
        "fitted": FIRST_STUDY.seed_VV,
        "unshared": np.eye(number) * SEED_SD**2,
    }


def world_of(seed_part: str, gains: Mapping[str, float]) -> FittedWorld:
    """The world with these gains in points, 0 for variants that are not named."""
    gain_V = [gains.get(name, 0.0) for name in VARIANTS]
    return fit_world(FIRST_STUDY, gain_V, seed_parts()[seed_part])


class Found(NamedTuple):
    """Estimates of one contrast in many studies, each (N,), points."""

    estimate: Floats
    error: Floats
    df: Floats

    @classmethod
    def of(cls, estimates: Sequence[float], errors: Sequence[StandardError]) -> "Found":
        return cls(
            np.array(estimates),
            np.array([one.error for one in errors]),
            np.array([one.df for one in errors]),
        )

    def p(self, truth: float = 0.0) -> Floats:
        """Two-sided p-values of the truth."""
        t = np.abs(self.estimate - truth) / np.maximum(self.error, 1e-12)
        found: Floats = 2 * special.stdtr(self.df, -t)
        return found

    def z(self, bar: float = 0.0) -> Floats:
        return normal_scores(self.estimate - bar, self.error, self.df)


def paired_v1(variance: TwoWayVariance) -> StandardError:
    """The error of version 1, paired: it holds that of single answers twice."""
    return standard_error(variance._replace(of_error=0.0))


def unpaired_v1(a_SQ: Floats, b_SQ: Floats, variance: TwoWayVariance) -> StandardError:
    """The error of version 1, unpaired; `variance` is that of A minus B."""
    num_seeds = variance.num_seeds
    terms = [
        (a_SQ.mean(axis=1).var(ddof=1) / num_seeds, num_seeds - 1),
        (b_SQ.mean(axis=1).var(ddof=1) / num_seeds, num_seeds - 1),
        (variance.of_questions, variance.num_questions - 1),
    ]
    total = sum(term for term, _ in terms)
    df = total**2 / sum(term**2 / free for term, free in terms)
    return StandardError(total**0.5, df, False)


# -- mean squares -----------------------------------------------------------------------


def simulate_mean_squares(
    pair: tuple[str, str], seed_part: str, num_questions: int, studies: int
) -> dict[tuple[int, str], Floats]:
    """How often studies reject at each of LEVELS, percent, by seeds and kind of error."""
    rng = np.random.default_rng(0)
    weight_V = np.zeros(len(VARIANTS))
    weight_V[VARIANTS.index(pair[0])], weight_V[VARIANTS.index(pair[1])] = 1.0, -1.0
    components = FIRST_STUDY._replace(seed_VV=seed_parts()[seed_part])
    parts = components.of_contrast(weight_V)
    rates = {}
    for num_seeds in MEAN_SQUARE_SEEDS:
        expected = parts.expected(num_seeds, num_questions)
        seed_df, question_df = num_seeds - 1, num_questions - 1

        def draw(mean: float, df: int) -> Floats:
            found: Floats = mean * rng.chisquare(df, studies) / df
            return found

        of_seeds = draw(expected.of_seeds, seed_df)
        of_questions = draw(expected.of_questions, question_df)
        of_error = draw(expected.of_error, seed_df * question_df)
        variance = expected.of_seeds + expected.of_questions - expected.of_error
        estimate = rng.normal(0, variance**0.5, studies)
        for name, without in (("v1", np.zeros(studies)), ("two-way", of_error)):
            error, df = combine_parts(
                of_seeds, of_questions, without, num_seeds, num_questions
            )
            p = Found(estimate, error, df).p()
            rates[num_seeds, name] = np.array(
                [100 * float((p <= level).mean()) for level in LEVELS]
            )
    return rates


def mean_square_lines(
    seed_part: str, pairs: Sequence[tuple[str, str]], questions: Sequence[int]
) -> list[str]:
    """One line for each number of seeds and error: the range of rates at each level."""
    every = [
        simulate_mean_squares(pair, seed_part, number, 100_000)
        for pair in pairs
        for number in questions
    ]
    lines = []
    for num_seeds, name in every[0]:
        rates_NL = np.stack([one[num_seeds, name] for one in every])
        ranges = [
            f"{low:.1f}-{high:.1f}"
            for low, high in zip(
                rates_NL.min(axis=0), rates_NL.max(axis=0), strict=True
            )
        ]
        lines.append(f"{seed_part}, S={num_seeds}, {name}: {'  '.join(ranges)}")
    return lines


# -- pairs ------------------------------------------------------------------------------


def simulate_pair(
    seed_part: str, pair: tuple[str, str], num_questions: int, studies: int
) -> str:
    """One line of the table of pairs."""
    rng = np.random.default_rng(0)
    at_a, at_b = VARIANTS.index(pair[0]), VARIANTS.index(pair[1])
    null, moved = world_of(seed_part, {}), world_of(seed_part, {pair[0]: EFFECT})
    looks = sorted({*SEEDS, 6, 7, 10})
    estimates: dict[int, list[float]] = {look: [] for look in looks}
    errors: dict[int, list[tuple[StandardError, ...]]] = {look: [] for look in looks}
    covered: dict[int, list[bool]] = {look: [] for look in SEEDS}
    for _ in range(studies):
        answers = draw_answers(only(null, at_a, at_b), rng, 12, num_questions)
        for look in looks:
            a_SQ, b_SQ = answers[0, :look], answers[1, :look]
            variance = table_variance(a_SQ - b_SQ)
            estimates[look].append(float((a_SQ - b_SQ).mean()))
            errors[look].append(
                (
                    unpaired_v1(a_SQ, b_SQ, variance),
                    paired_v1(variance),
                    standard_error(variance),
                )
            )
        answers = draw_answers(only(moved, at_a, at_b), rng, 12, num_questions)
        for look in SEEDS:
            difference_SQ = answers[0, :look] - answers[1, :look]
            standard = standard_error(table_variance(difference_SQ))
            half = standard.error * special.stdtrit(standard.df, 0.975)
            covered[look].append(bool(abs(difference_SQ.mean() - EFFECT) <= half))
    found = {
        look: [
            Found.of(estimates[look], [one[at] for one in errors[look]])
            for at in range(3)
        ]
        for look in looks
    }
    line = f"{pair[0]} − {pair[1]}, {num_questions}, {seed_part}"
    for look in SEEDS:
        rejects = [100 * float((one.p() <= 0.05).mean()) for one in found[look]]
        ratio = found[look][2].error.mean() / found[look][2].estimate.std()
        line += (
            f"\n    S={look:<3} v1 {rejects[0]:4.1f}  v1 pair {rejects[1]:4.1f}  two-way "
            f"{rejects[2]:4.1f}  covers {100 * np.mean(covered[look]):5.1f}  SE {ratio:4.2f}"
        )
    naive = np.min([found[look][2].p() for look in (3, 5, 7, 10)], axis=0) <= 0.05
    fractions = look_fractions((6, 12))
    z_NK = np.stack([found[look][2].z() for look in (6, 12)], axis=-1)
    planned = 2 * np.minimum(
        look_p_values(z_NK, fractions), look_p_values(-z_NK, fractions)
    )
    return (
        f"{line}\n    any of four looks {100 * naive.mean():.1f}  O'Brien-Fleming "
        f"{100 * (planned <= 0.05).mean():.1f}"
    )


def only(world: FittedWorld, at_a: int, at_b: int) -> FittedWorld:
    """The world of two variants."""
    kept = np.ix_([at_a, at_b], [at_a, at_b])
    return FittedWorld(
        world.question_VV[kept],
        world.seed_VV[kept],
        world.answer_VV[kept],
        world.threshold_V[[at_a, at_b]],
    )


# -- macro-F1 ---------------------------------------------------------------------------

CLASS_SHARES = (0.5, 0.3, 0.2)


class ClassTask(NamedTuple):
    """Questions of three classes, and what a wrong answer names instead."""

    target_Q: np.typing.NDArray[np.int64]
    counts_RQ: Floats
    """How often each resample holds each question."""

    @classmethod
    def make(cls, num_questions: int) -> "ClassTask":
        edges = np.cumsum(CLASS_SHARES) * num_questions
        target_Q = np.searchsorted(edges, np.arange(num_questions), side="right")
        counts_RQ = resample_sums(np.eye(num_questions))
        return cls(target_Q, counts_RQ)

    def scores(
        self, right_SQ: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Macro-F1 of each seed, (S,), and on each resample, (S, R), percent."""
        number = len(CLASS_SHARES)
        value_S, resampled_SR = [], []
        for right_Q in right_SQ:
            step_Q = rng.integers(1, number, len(right_Q))
            wrong_Q = (self.target_Q + step_Q) % number
            answer_Q = np.where(right_Q > 0, self.target_Q, wrong_Q)
            statistics_QK = class_statistics(self.target_Q, answer_Q, number)
            value_S.append(100 * macro_f1(statistics_QK.sum(axis=0)[None])[0])
            resampled_SR.append(100 * macro_f1(self.counts_RQ @ statistics_QK))
        return np.array(value_S), np.array(resampled_SR)


def simulate_macro_f1(seed_part: str, num_questions: int, studies: int) -> str:
    """One line of the table of macro-F1: post_cot against label_only, no difference."""
    rng = np.random.default_rng(0)
    task = ClassTask.make(num_questions)
    world = only(world_of(seed_part, {}), VARIANTS.index(POST), VARIANTS.index(LABEL))
    estimates: dict[int, list[float]] = {look: [] for look in SEEDS}
    errors: dict[int, list[tuple[StandardError, StandardError]]] = {
        look: [] for look in SEEDS
    }
    for _ in range(studies):
        answers = draw_answers(world, rng, 12, num_questions)
        a, b = (task.scores(one, rng) for one in answers)
        for look in SEEDS:
            value_S, resampled_SR = a[0][:look] - b[0][:look], a[1][:look] - b[1][:look]
            variance = resampled_variance(value_S, resampled_SR, num_questions)
            estimates[look].append(float(value_S.mean()))
            errors[look].append((paired_v1(variance), standard_error(variance)))
    line = f"macro-F1, {POST} − {LABEL}, {num_questions}, {seed_part}"
    for look in SEEDS:
        old, new = (
            Found.of(estimates[look], [one[at] for one in errors[look]])
            for at in range(2)
        )
        line += (
            f"\n    S={look:<3} v1 pair {100 * (old.p() <= 0.05).mean():4.1f}  two-way "
            f"{100 * (new.p() <= 0.05).mean():4.1f}  SE "
            f"{new.error.mean() / new.estimate.std():4.2f}"
        )
    return line


# -- whole studies ----------------------------------------------------------------------

LOOKS = (6, 12)
_CLAIMS: dict[str, dict[str, object]] = {
    "after": {"claim": "beats", "a": POST, "b": PRE},
    "help": {"claim": "beats", "a": POST, "b": LABEL},
    "half_shuffled": {
        "claim": "keeps", "a": SHUFFLED, "base": LABEL, "full": POST, "share": 0.5
    },
    "half_key": {
        "claim": "keeps", "a": KEY, "base": LABEL, "full": POST, "share": 0.5
    },
}  # fmt: skip
CLAIMS: dict[str, AnyClaim] = {
    name: TypeAdapter[AnyClaim](AnyClaim).validate_python(
        {"name": name, "says": name, **fields}
    )
    for name, fields in _CLAIMS.items()
}
TIERS = [
    PlannedTier(("after", "help"), ()),
    PlannedTier(("half_shuffled", "half_key"), ("help",)),
]


class Scenario(NamedTuple):
    """True gains, points, and the claims that are false with them."""

    name: str
    gains: dict[str, float]
    false: tuple[str, ...]


SCENARIOS = (
    Scenario("no effect at all", {}, tuple(CLAIMS)),
    Scenario(
        "rationales help, before as after, half is kept",
        {POST: 4.0, PRE: 4.0, SHUFFLED: 2.0, KEY: 2.0, RANDOM: 2.0},
        ("after", "half_shuffled", "half_key"),
    ),
    Scenario(
        "after beats before and none, half is kept",
        {POST: 4.0, PRE: -4.0, SHUFFLED: 2.0, KEY: 2.0, RANDOM: 2.0},
        ("half_shuffled", "half_key"),
    ),
    Scenario(
        "hoped for",
        {POST: 2.0, PRE: -2.0, SHUFFLED: 1.8, KEY: 1.8, RANDOM: 1.5},
        (),
    ),
)

Estimator = Callable[[Floats, dict[str, float]], tuple[float, TwoWayVariance]]
"""From values of all variants and seeds, and weights, to an estimate, points."""


def table_estimate(
    answers_VSQ: Floats, weights: dict[str, float]
) -> tuple[float, TwoWayVariance]:
    """Estimate a contrast of accuracies."""
    contrast_SQ = sum(
        weight * answers_VSQ[VARIANTS.index(name)] for name, weight in weights.items()
    )
    table_SQ = np.asarray(contrast_SQ, dtype=np.float64)
    return float(table_SQ.mean()), table_variance(table_SQ)


def simulate_whole(
    scenario: Scenario, seed_part: str, num_questions: int, studies: int
) -> str:
    """How often each claim of a study is supported, by accuracy."""
    rng = np.random.default_rng(0)
    world = world_of(seed_part, scenario.gains)
    tests = {name: claim_tests(claim, LABEL) for name, claim in CLAIMS.items()}
    needed = {
        tuple(sorted(test.weights.items())): test
        for one in tests.values()
        for test in (*one.shown, *one.must_hold)
    }
    found: dict[tuple[object, int], list[tuple[float, StandardError]]] = {}
    for _ in range(studies):
        answers_VSQ = draw_answers(world, rng, LOOKS[-1], num_questions)
        for key, test in needed.items():
            for look in LOOKS:
                estimate, variance = table_estimate(answers_VSQ[:, :look], test.weights)
                found.setdefault((key, look), []).append(
                    (estimate, standard_error(variance))
                )
    return decide_simulated(scenario, found, f"{num_questions} questions, {seed_part}")


def simulate_whole_macro_f1(
    scenario: Scenario, seed_part: str, num_questions: int, studies: int
) -> str:
    """The same by macro-F1."""
    rng = np.random.default_rng(0)
    world, task = world_of(seed_part, scenario.gains), ClassTask.make(num_questions)
    tests = {name: claim_tests(claim, LABEL) for name, claim in CLAIMS.items()}
    needed = {
        tuple(sorted(test.weights.items())): test
        for one in tests.values()
        for test in (*one.shown, *one.must_hold)
    }
    found: dict[tuple[object, int], list[tuple[float, StandardError]]] = {}
    for _ in range(studies):
        answers_VSQ = draw_answers(world, rng, LOOKS[-1], num_questions)
        scores = {
            name: task.scores(answers_SQ, rng)
            for name, answers_SQ in zip(VARIANTS, answers_VSQ, strict=True)
            if name != RANDOM
        }
        for key, test in needed.items():
            value_S = sum(w * scores[name][0] for name, w in test.weights.items())
            resampled_SR = sum(w * scores[name][1] for name, w in test.weights.items())
            for look in LOOKS:
                values = np.asarray(value_S)[:look]
                variance = resampled_variance(
                    values, np.asarray(resampled_SR)[:look], num_questions
                )
                found.setdefault((key, look), []).append(
                    (float(values.mean()), standard_error(variance))
                )
    where = f"macro-F1, {num_questions} questions, {seed_part}"
    return decide_simulated(scenario, found, where)


def decide_simulated(
    scenario: Scenario,
    found: Mapping[tuple[object, int], list[tuple[float, StandardError]]],
    where: str,
) -> str:
    """Decide simulated studies by the code that decides real ones."""
    fractions = look_fractions(LOOKS)

    def estimates(test: ContrastTest, look: int) -> Found:
        key, sign = tuple(sorted(test.weights.items())), 1.0
        if (key, look) not in found:
            key, sign = tuple(sorted(test.opposite.weights.items())), -1.0
        at_look = found[key, look]
        return Found.of(
            [sign * estimate for estimate, _ in at_look],
            [standard for _, standard in at_look],
        )

    def p_value_of(test: ContrastTest) -> Floats:
        scores = [estimates(test, look).z(test.bar) for look in LOOKS]
        return look_p_values(np.stack(scores, axis=-1), fractions)

    def above_bar_of(test: ContrastTest) -> Floats:
        return estimates(test, LOOKS[-1]).estimate - test.bar

    evidence = {
        name: weigh_claim(claim_tests(claim, LABEL), p_value_of, above_bar_of)
        for name, claim in CLAIMS.items()
    }
    decisions = decide_tiers(TIERS, evidence)
    supported = {name: one.is_supported for name, one in decisions.items()}
    return _whole_line(scenario, supported, where)


def simulate_whole_normal(scenario: Scenario, seed_part: str, studies: int) -> str:
    """How often each claim is supported, by the simulation of `--dry-run`."""
    study = StudyV2.model_validate(
        {
            "format_version": 2,
            "name": "Simulated",
            "source": "builds/simulated",
            "dev": {"split": "dev"},
            "test": {"split": "test"},
            "looks": LOOKS,
            "tiers": [
                {
                    "name": f"tier {number}",
                    "opens_with": tier.opens_with or None,
                    "claims": [
                        {"name": name, "says": name, **_CLAIMS[name]}
                        for name in tier.claims
                    ],
                }
                for number, tier in enumerate(TIERS)
            ],
            "stages": [
                {
                    "name": "all",
                    "variants": VARIANTS,
                    "seeds": range(LOOKS[-1]),
                    "rows": [1000],
                }
            ],
        },
        strict=False,
    )
    components = FIRST_STUDY._replace(seed_VV=seed_parts()[seed_part])
    known = components.of_variants(VARIANTS)
    decisions = simulate_decisions(study, 3000, known, scenario.gains, studies)
    supported = {name: one.is_supported for name, one in decisions.items()}
    return _whole_line(scenario, supported, f"normal, 3000 questions, {seed_part}")


def _whole_line(
    scenario: Scenario, supported: Mapping[str, np.typing.NDArray[np.bool_]], where: str
) -> str:
    line = f"{scenario.name} ({where}): " + ", ".join(
        f"{name} {100 * one.mean():.1f}" for name, one in supported.items()
    )
    if scenario.false:
        is_wrong = np.any([supported[name] for name in scenario.false], axis=0)
        line += f"; any false {100 * is_wrong.mean():.1f}"
    return line


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--questions", type=int, nargs="+", default=[800, 3000])
    args = parser.parse_args()
    studies: int = args.studies
    pairs = ((POST, LABEL), (POST, PRE), (SHUFFLED, POST), (KEY, RANDOM))
    print("mean squares, 100,000 studies each: rejected at 5, 1 and 0.5 %")
    for seed_part in seed_parts():
        for line in mean_square_lines(seed_part, pairs, args.questions):
            print(line, flush=True)
    for scenario in SCENARIOS:
        for seed_part in seed_parts():
            print(simulate_whole_normal(scenario, seed_part, 20_000), flush=True)
    error = 100 * (0.05 * 0.95 / studies) ** 0.5
    print(f"answers, {studies} studies: 5 % is known to ± {error:.1f} points")
    for seed_part in seed_parts():
        for pair in pairs[:3]:
            for questions in args.questions:
                print(simulate_pair(seed_part, pair, questions, studies), flush=True)
    for seed_part in seed_parts():
        print(simulate_macro_f1(seed_part, args.questions[0], studies), flush=True)
    for scenario in SCENARIOS:
        line = simulate_whole(scenario, "fitted", args.questions[0], studies)
        print(line, flush=True)
    for scenario in SCENARIOS[:3]:
        line = simulate_whole_macro_f1(scenario, "fitted", args.questions[0], studies)
        print(line, flush=True)


if __name__ == "__main__":
    main()
