"""How much results vary over seeds, questions and single answers, for planning. Pure.

The parts are those of `two_way`, each as covariances between the variants, so that the
variance of any contrast of them follows. They are estimated from cells that are there
already, a pilot's or an earlier study's, and are rough: of S seeds, a variance between
seeds has S - 1 degrees of freedom.

Dimensions: V variants, S seeds, Q questions.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.measures import Measure
from cotbuild.builder.study.two_way import Floats, TwoWayVariance
from cotbuild.schemas.study.record import Measurement


class ContrastParts(NamedTuple):
    """The parts of the variance of a contrast, points²."""

    seed: float
    question: float
    error: float

    def expected(self, num_seeds: int, num_questions: int) -> TwoWayVariance:
        """Return what a study of this size would estimate on average."""
        of_error = self.error / (num_seeds * num_questions)
        return TwoWayVariance(
            of_seeds=self.seed / num_seeds + of_error,
            of_questions=self.question / num_questions + of_error,
            of_error=of_error,
            num_seeds=num_seeds,
            num_questions=num_questions,
        )


class VarianceComponents(NamedTuple):
    """Covariances between variants of the results of a seed, a question and an answer.

    They are in points²; none has a negative eigenvalue.
    """

    variants: tuple[str, ...]
    seed_VV: Floats
    question_VV: Floats
    error_VV: Floats

    def of_contrast(self, weight_V: Floats) -> ContrastParts:
        """Return the parts of the variance of a weighted sum of the variants."""
        seed, question, error = (
            max(float(weight_V @ covariance_VV @ weight_V), 0.0)
            for covariance_VV in (self.seed_VV, self.question_VV, self.error_VV)
        )
        return ContrastParts(seed, question, error)

    def of_variants(self, variants: Sequence[str]) -> "VarianceComponents":
        """Return the components of other variants, in their order.

        A variant that is not known is taken to be like those that are named like it:
        of a known `post_cot` and `post_cot_tfidf_15`, `post_cot_attributed_15` gets the
        mean variance and the mean covariances; without such names, of all.
        """
        return VarianceComponents(
            tuple(variants),
            *(
                _covariance_of(variants, self.variants, covariance_VV)
                for covariance_VV in (self.seed_VV, self.question_VV, self.error_VV)
            ),
        )


def estimate_components(
    variants: Sequence[str],
    variance_of: Callable[[Mapping[str, float]], TwoWayVariance],
) -> VarianceComponents:
    """Return the components of variants whose cells exist, at least two seeds of each.

    `variance_of` gives the parts of the variance of a contrast, in points²: variant to
    weight. A covariance is a quarter of the variance of the sum minus that of the
    difference.
    """
    num_variants = len(variants)
    parts = np.zeros((3, num_variants, num_variants))
    for row, a in enumerate(variants):
        parts[:, row, row] = _estimate_parts(variance_of({a: 1.0}))
        for column, b in enumerate(variants[:row]):
            of_sum = _estimate_parts(variance_of({a: 1.0, b: 1.0}))
            of_difference = _estimate_parts(variance_of({a: 1.0, b: -1.0}))
            covariance = (of_sum - of_difference) / 4
            parts[:, row, column] = parts[:, column, row] = covariance
    seed_VV, question_VV, error_VV = (_without_negative(one) for one in parts)
    return VarianceComponents(tuple(variants), seed_VV, question_VV, error_VV)


def components_of_cells(
    measure: Measure, runs: Mapping[str, Mapping[int, Measurement]]
) -> VarianceComponents:
    """Return the components of variants by their cells: variant to seed to answers.

    Two variants are compared on the seeds that they share, at least two.
    """

    def variance_of(weights: Mapping[str, float]) -> TwoWayVariance:
        seeds = sorted(set.intersection(*(set(runs[name]) for name in weights)))
        found = measure.contrast(
            [
                (100 * weight, [runs[name][seed] for seed in seeds])
                for name, weight in weights.items()
            ]
        )
        return found.variance

    return estimate_components(list(runs), variance_of)


def _estimate_parts(variance: TwoWayVariance) -> Floats:
    """Return σ²_seed, σ²_question and σ²_error; the first two can be below 0."""
    num_seeds, num_questions = variance.num_seeds, variance.num_questions
    return np.array(
        [
            (variance.of_seeds - variance.of_error) * num_seeds,
            (variance.of_questions - variance.of_error) * num_questions,
            variance.of_error * num_seeds * num_questions,
        ]
    )


def _without_negative(covariance_VV: Floats) -> Floats:
    """Return the nearest matrix without negative eigenvalues, as covariances have."""
    values_V, vectors_VV = np.linalg.eigh(covariance_VV)
    nearest: Floats = (vectors_VV * np.maximum(values_V, 0.0)) @ vectors_VV.T
    return nearest


def _covariance_of(
    variants: Sequence[str], known: Sequence[str], known_VV: Floats
) -> Floats:
    groups = [_similar_variants(variant, known) for variant in variants]
    covariance_VV = np.empty((len(variants), len(variants)))
    for row, of_a in enumerate(groups):
        covariance_VV[row, row] = known_VV[of_a, of_a].mean()
        for column, of_b in enumerate(groups[:row]):
            covariance = _mean_covariance(known_VV, of_a, of_b)
            covariance_VV[row, column] = covariance_VV[column, row] = covariance
    return _without_negative(covariance_VV)


def _similar_variants(variant: str, known: Sequence[str]) -> list[int]:
    """Return the positions of the known variants that tell of a variant, at least one."""
    if variant in known:
        return [known.index(variant)]
    roots = [name for name in known if variant.startswith(f"{name}_")]
    root = max(roots, key=len, default="")
    return [at for at, name in enumerate(known) if name.startswith(root)]


def _mean_covariance(
    known_VV: Floats, of_a: Sequence[int], of_b: Sequence[int]
) -> float:
    """Return the mean covariance of different variants, one of A's and one of B's."""
    pairs = [(a, b) for a in of_a for b in of_b if a != b]
    if not pairs:
        num_known = len(known_VV)
        pairs = [(a, b) for a in range(num_known) for b in range(num_known) if a != b]
    if not pairs:  # One variant is known, so nothing is known of a covariance.
        return 0.0
    return float(np.mean([known_VV[a, b] for a, b in pairs]))
