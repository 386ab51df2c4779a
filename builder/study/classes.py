"""The classes of questions that share their options, over the seeds of a recipe. Pure."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Self

import numpy as np

from cotbuild.builder.study.measures import choice_statistics, class_positions
from cotbuild.builder.study.sample_statistics import RecipeSamples
from cotbuild.builder.study.statistics import Floats
from cotbuild.schemas.study.record import Measurement, QuestionSet
from cotbuild.schemas.study.results import (
    RecipeAccuracy,
    RecipeClass,
    RecipeClasses,
)
from cotbuild.student.evaluation.bootstrap import resample_sums
from cotbuild.student.evaluation.classification import (
    class_f1,
    class_indices,
    count_confusion,
    macro_f1,
)

ScoreSamples = Callable[[RecipeSamples], RecipeAccuracy]


def recipe_classes(
    measured: Sequence[Measurement], questions: QuestionSet, score: ScoreSamples
) -> RecipeClasses | None:
    """Return the metrics of each class over the seeds of one recipe.

    `score` gives a metric with the interval of the study's format version. None if the
    questions do not share their options.
    """
    if questions.classes is None:
        return None
    sums = _SeedSums.of(measured, questions)
    return RecipeClasses(
        macro_f1=score(sums.samples(macro_f1)),
        classes=tuple(_class_results(sums, questions, score)),
        confusion=_confusion(measured, questions),
    )


class _SeedSums(NamedTuple):
    """Sums of `class_statistics` of each seed: S seeds, R resamples, K statistics."""

    sums_SK: Floats
    resampled_SRK: Floats
    num_questions: int

    @classmethod
    def of(cls, measured: Sequence[Measurement], questions: QuestionSet) -> Self:
        statistics = [choice_statistics(questions, one) for one in measured]
        return cls(
            sums_SK=np.array([one_QK.sum(axis=0) for one_QK in statistics]),
            resampled_SRK=np.array([resample_sums(one_QK) for one_QK in statistics]),
            num_questions=len(questions.targets),
        )

    def samples(self, value_of: Callable[[Floats], Floats]) -> RecipeSamples:
        """Return the samples of a function of sums (R, K)."""
        return RecipeSamples(
            value_S=value_of(self.sums_SK),
            resampled_SR=np.array(
                [value_of(sums_RK) for sums_RK in self.resampled_SRK]
            ),
            num_questions=self.num_questions,
        )


def _class_results(
    sums: _SeedSums, questions: QuestionSet, score: ScoreSamples
) -> Iterator[RecipeClass]:
    for position, one in enumerate(questions.classes or ()):
        support = questions.targets.count(one.label)
        if support:
            f1 = score(sums.samples(partial(_f1_of_class, position=position)))
            yield RecipeClass(label=one.label, text=one.text, support=support, f1=f1)


def _f1_of_class(sums_RK: Floats, position: int) -> Floats:
    """Return the F1 of one class; 0 where a resample has neither targets nor answers."""
    f1_R: Floats = np.nan_to_num(class_f1(sums_RK)[:, position])
    return f1_R


def _confusion(
    measured: Sequence[Measurement], questions: QuestionSet
) -> tuple[tuple[int, ...], ...]:
    """Count the questions by target and forced choice, over all seeds."""
    classes = questions.classes or ()
    targets = class_indices(questions.targets, classes)
    choices = [class_positions(one.answers.choice) for one in measured]
    return count_confusion(
        np.tile(targets, len(measured)),
        np.array(choices, dtype=np.int64).reshape(-1),
        len(classes),
    )
