"""The classes of questions that share their options, over the seeds of a recipe. Pure."""

from collections.abc import Sequence

import numpy as np

from cotbuild.builder.study.measures import (
    class_positions,
    make_class_measure,
    make_measure,
)
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import Measurement, QuestionSet
from cotbuild.schemas.study.results import RecipeClass, RecipeClasses
from cotbuild.student.evaluation.classification import class_indices, count_confusion


def recipe_classes(
    measured: Sequence[Measurement], questions: QuestionSet
) -> RecipeClasses | None:
    """Return the metrics of each class over the seeds of one recipe.

    None if the questions do not share their options.
    """
    if questions.classes is None:
        return None
    macro = make_measure(StudyMetric.MACRO_F1, questions)
    return RecipeClasses(
        macro_f1=macro.score(measured),
        classes=tuple(_class_results(measured, questions)),
        confusion=_confusion(measured, questions),
    )


def _class_results(
    measured: Sequence[Measurement], questions: QuestionSet
) -> list[RecipeClass]:
    classes = []
    for position, one in enumerate(questions.classes or ()):
        support = questions.targets.count(one.label)
        if support:
            f1 = make_class_measure(questions, position).score(measured)
            classes.append(
                RecipeClass(label=one.label, text=one.text, support=support, f1=f1)
            )
    return classes


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
