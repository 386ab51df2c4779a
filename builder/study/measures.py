"""The primary metric of a study: how it is computed from cells and compared.

Accuracies are means over questions, and compared by `statistics`. Macro-F1 and the
scores of prose are functions of sums over questions, and compared by
`sample_statistics`. Pure.

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

Measurements = Sequence[Measurement]
"""Of one recipe, one for each seed, on the same questions."""


class Gain(NamedTuple):
    """The difference between a trained recipe and the untrained student, points."""

    difference: float
    standard_error: float


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
    def gain(self, trained: Measurements, untrained: Measurement) -> Gain:
        """Compare a recipe with the untrained student.

        With one seed the spread between runs is unknown, and the standard error is that
        over questions alone.
        """


class AccuracyMeasure(Measure):
    """A fraction of correct answers."""

    def __init__(self, metric: StudyMetric) -> None:
        self._metric = metric

    def _correct_SQ(self, measured: Measurements) -> list[list[float]]:
        return [one.answers.correct_by(self._metric) for one in measured]

    def value(self, measured: Measurement) -> float:
        return measured.answers.percent_correct(self._metric)

    def score(self, measured: Measurements) -> RecipeAccuracy:
        return recipe_accuracy(self._correct_SQ(measured))

    def compare(self, a: Measurements, b: Measurements, *, paired: bool) -> Comparison:
        return compare(self._correct_SQ(a), self._correct_SQ(b), paired=paired)

    def gain(self, trained: Measurements, untrained: Measurement) -> Gain:
        a_SQ = np.array(self._correct_SQ(trained))
        b_Q = np.array(untrained.answers.correct_by(self._metric))
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


def make_measure(metric: StudyMetric, questions: QuestionSet) -> Measure:
    """Return the measure of a metric on the dev or the test questions.

    Raises DataError if macro-F1 is asked of questions that do not share their options,
    ConfigError if a package that scores prose is missing.
    """
    if metric.is_accuracy:
        return AccuracyMeasure(metric)
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
