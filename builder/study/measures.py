"""A metric of a study: how it is computed from cells and compared.

Accuracies and probabilities are means over questions; macro-F1 and the scores of prose
are functions of sums over questions, and need resamples of the questions. Studies of
format version 1 are compared by `statistics` and `sample_statistics`, later ones by
`two_way`. Pure.

Dimensions: Q questions, K statistics of a question, S seeds, R resamples.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.sample_statistics import (
    RecipeSamples,
    compare_samples,
    question_variance,
    score_samples,
)
from cotbuild.builder.study.statistics import Floats, compare, recipe_accuracy
from cotbuild.builder.study.target_probability import target_probability_of
from cotbuild.builder.study.two_way import (
    TwoWayVariance,
    resampled_variance,
    table_variance,
)
from cotbuild.schemas.answers.prose_scores import PROSE_METRICS, open_scorer
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Choice
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import Measurement, QuestionSet
from cotbuild.schemas.study.results import Comparison, RecipeAccuracy
from cotbuild.student.evaluation.bootstrap import resample_sums
from cotbuild.student.evaluation.classification import (
    NO_CLASS,
    class_indices,
    class_statistics,
    macro_f1,
)
from cotbuild.student.evaluation.prose_metrics import corpus_scores

OPTION_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""The character of each option, by its position, in `AnswerString.choice`."""

ROUNDING = 1e-12
"""Weighted sums of values from 0 to 1 that are nearer to 0 count as 0."""

Measurements = Sequence[Measurement]
"""Of one recipe, one for each seed, on the same questions."""


class Gain(NamedTuple):
    """The difference between a trained recipe and the untrained student, points."""

    difference: float
    standard_error: float


class Contrast(NamedTuple):
    """A weighted sum of the means of several recipes, as fractions of 1."""

    mean: float
    variance: TwoWayVariance


Weighted = tuple[float, Measurements]
"""A recipe with its weight in a contrast."""


class Measure(ABC):
    """A metric of students, on a scale from 0 to 100."""

    @abstractmethod
    def value(self, measured: Measurement) -> float:
        """Return the metric of one student."""

    @abstractmethod
    def score(self, measured: Measurements) -> RecipeAccuracy:
        """Return the metric of a recipe over its seeds."""

    @abstractmethod
    def compare(self, a: Measurements, b: Measurements, *, paired: bool) -> Comparison:
        """Compare two recipes of at least two seeds."""

    @abstractmethod
    def contrast(self, recipes: Sequence[Weighted]) -> Contrast:
        """Return the weighted sum of recipes, each with the same seeds in order.

        There are at least one recipe and two seeds.
        """

    @abstractmethod
    def gain(self, trained: Measurements, untrained: Measurement) -> Gain:
        """Compare a recipe with the untrained student.

        With one seed the spread between runs is unknown, and the standard error is that
        over questions alone.
        """


class MeanMeasure(Measure):
    """A mean over questions of a value between 0 and 1, such as an accuracy."""

    def __init__(self, values_of: Callable[[Measurement], Floats]) -> None:
        """`values_of` gives (Q,), from 0 to 1."""
        self._compute = values_of
        self._known: dict[int, tuple[Measurement, Floats]] = {}

    def _values_of(self, measured: Measurement) -> Floats:
        """Return the values of one student, which are computed once."""
        known = self._known.get(id(measured))
        if known is None:
            # The measurement is kept, so that no other one gets its id.
            known = measured, self._compute(measured)
            self._known[id(measured)] = known
        return known[1]

    def _values_SQ(self, measured: Measurements) -> Floats:
        return np.stack([self._values_of(one) for one in measured])

    def value(self, measured: Measurement) -> float:
        return 100 * float(self._values_of(measured).mean())

    def score(self, measured: Measurements) -> RecipeAccuracy:
        return recipe_accuracy(self._values_SQ(measured))

    def compare(self, a: Measurements, b: Measurements, *, paired: bool) -> Comparison:
        return compare(self._values_SQ(a), self._values_SQ(b), paired=paired)

    def contrast(self, recipes: Sequence[Weighted]) -> Contrast:
        first_weight, first = recipes[0]
        values_SQ = first_weight * self._values_SQ(first)
        for weight, measured in recipes[1:]:
            values_SQ = values_SQ + weight * self._values_SQ(measured)
        values_SQ = _without_rounding(values_SQ)
        return Contrast(float(values_SQ.mean()), table_variance(values_SQ))

    def gain(self, trained: Measurements, untrained: Measurement) -> Gain:
        a_SQ = self._values_SQ(trained)
        b_Q = self._values_of(untrained)
        difference_Q = a_SQ.mean(0) - b_Q
        if len(a_SQ) > 1:
            b_SQ = np.tile(b_Q, (len(a_SQ), 1))
            error = compare(a_SQ, b_SQ, paired=True).standard_error
        else:
            error = 100 * float(difference_Q.std(ddof=1)) / len(b_Q) ** 0.5
        return Gain(100 * float(difference_Q.mean()), error)


class SumMeasure(Measure):
    """A function of sums over questions."""

    def __init__(
        self,
        statistics_of: Callable[[Measurement], Floats],
        value_of: Callable[[Floats], Floats],
    ) -> None:
        """`statistics_of` gives (Q, K); `value_of` fractions of 1 from sums (R, K)."""
        self._statistics_of = statistics_of
        self._value_of = value_of
        self._known: dict[int, tuple[Measurement, RecipeSamples]] = {}

    def value(self, measured: Measurement) -> float:
        sums_K = self._statistics_of(measured).sum(axis=0)
        return 100 * float(self._value_of(sums_K[None])[0])

    def score(self, measured: Measurements) -> RecipeAccuracy:
        return score_samples(self._samples(measured))

    def compare(self, a: Measurements, b: Measurements, *, paired: bool) -> Comparison:
        return compare_samples(self._samples(a), self._samples(b), paired=paired)

    def contrast(self, recipes: Sequence[Weighted]) -> Contrast:
        samples = [(weight, self._samples(measured)) for weight, measured in recipes]
        first = samples[0][1]
        value_S = np.zeros_like(first.value_S)
        resampled_SR = np.zeros_like(first.resampled_SR)
        for weight, one in samples:
            value_S += weight * one.value_S
            resampled_SR += weight * one.resampled_SR
        value_S = _without_rounding(value_S)
        resampled_SR = _without_rounding(resampled_SR)
        variance = resampled_variance(value_S, resampled_SR, first.num_questions)
        return Contrast(float(value_S.mean()), variance)

    def gain(self, trained: Measurements, untrained: Measurement) -> Gain:
        a = self._samples(trained)
        b = self._samples([untrained] * len(trained))
        if len(trained) > 1:
            error = compare_samples(a, b, paired=True).standard_error
        else:
            error = 100 * question_variance(a, b) ** 0.5
        return Gain(100 * float(a.value_S.mean() - b.value_S.mean()), error)

    def _samples(self, measured: Measurements) -> RecipeSamples:
        each = [self._samples_of(one) for one in measured]
        return RecipeSamples(
            value_S=np.concatenate([one.value_S for one in each]),
            resampled_SR=np.concatenate([one.resampled_SR for one in each]),
            num_questions=each[0].num_questions,
        )

    def _samples_of(self, measured: Measurement) -> RecipeSamples:
        """Return the samples of one student, which are computed once."""
        known = self._known.get(id(measured))
        if known is not None:
            return known[1]
        statistics_QK = self._statistics_of(measured)
        samples = RecipeSamples(
            value_S=self._value_of(statistics_QK.sum(axis=0)[None]),
            resampled_SR=self._value_of(resample_sums(statistics_QK))[None],
            num_questions=len(statistics_QK),
        )
        # The measurement is kept, so that no other one gets its id.
        self._known[id(measured)] = measured, samples
        return samples


def _without_rounding(values: Floats) -> Floats:
    """Return weighted sums of values from 0 to 1 with what only rounding left as 0.

    1 - 0.7 - 0.3 is 6e-17. Of students with the same answers the error is as small, so
    that it would be significant.
    """
    return np.where(np.abs(values) < ROUNDING, 0.0, values)


def make_measure(metric: StudyMetric, questions: QuestionSet) -> Measure:
    """Return the measure of a metric on the dev or the test questions.

    Raises DataError if macro-F1 is asked of questions that do not share their options,
    ConfigError if a package that scores prose is missing.
    """
    if metric is StudyMetric.TARGET_PROBABILITY:
        return MeanMeasure(target_probability_of)
    if metric.is_accuracy:
        return MeanMeasure(partial(_correct_answers, metric))
    if metric.is_macro_f1:
        need_classes(questions, metric)
        if metric is StudyMetric.MACRO_F1:
            return SumMeasure(partial(choice_statistics, questions), macro_f1)
        return SumMeasure(partial(free_answer_statistics, questions), macro_f1)
    position = PROSE_METRICS.index(metric.value)
    scorer, name = open_scorer(), PROSE_METRICS[position]
    return SumMeasure(
        partial(_prose_statistics, metric=name),
        lambda sums_RK: corpus_scores(scorer, name, sums_RK) / 100,
    )


def _correct_answers(metric: StudyMetric, measured: Measurement) -> Floats:
    return np.array(measured.answers.correct_by(metric))


def need_classes(questions: QuestionSet, metric: StudyMetric) -> tuple[Choice, ...]:
    """Return the classes of the questions; raises DataError if there are none."""
    if questions.classes is None:
        raise DataError(
            f"metric {metric.value}: the questions do not all have the same options, at "
            f"most {len(OPTION_DIGITS)}, so they have no classes. Use accuracy."
        )
    return questions.classes


def class_positions(digits: str) -> list[int]:
    """Return the position of each option digit; `NO_CLASS` for none."""
    return [OPTION_DIGITS.find(digit) if digit != "-" else NO_CLASS for digit in digits]


def choice_statistics(questions: QuestionSet, measured: Measurement) -> Floats:
    """Return `class_statistics` of the forced choices; the questions have classes."""
    return _class_statistics(questions, measured.answers.choice)


def free_answer_statistics(questions: QuestionSet, measured: Measurement) -> Floats:
    """Return `class_statistics` of the free answers; the questions have classes.

    Raises DataError if the cell is from before they were recorded.
    """
    if not measured.answers.answered:
        raise DataError(
            f"metric {StudyMetric.FREE_MACRO_F1.value}: a cell of variant "
            f"{measured.evaluated.variant} does not record which option each free answer "
            "names. Move its file away to run it again."
        )
    return _class_statistics(questions, measured.answers.answered)


def _class_statistics(questions: QuestionSet, digits: str) -> Floats:
    classes = questions.classes or ()
    answer_Q = np.array(class_positions(digits), dtype=np.int64)
    target_Q = class_indices(questions.targets, classes)
    return class_statistics(target_Q, answer_Q, len(classes))


def _prose_statistics(measured: Measurement, metric: str) -> Floats:
    for stored in measured.prose:
        if stored.metric == metric:
            return np.array(stored.rows, dtype=np.float64)
    raise DataError(
        f"metric {metric}: a cell of variant {measured.evaluated.variant} holds no "
        "answers in prose. Move its file away to run it again."
    )
