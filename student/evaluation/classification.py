"""Answers as a classification: F1 of each class, macro-F1, the confusion matrix. Pure.

Questions with the same options in the same order, such as the sentiments of a text,
share their classes. Questions whose options have only their letters in common do not.

Dimensions: Q questions, C classes, R resamples.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cotbuild.schemas.evaluation import (
    Classification,
    ClassResult,
    Estimate,
    QuestionResult,
)
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.student.evaluation.bootstrap import (
    Floats,
    make_estimates,
    resample_sums,
)
from cotbuild.student.evaluation.plan import YES_NO

MAX_CLASSES = 100
"""More options than these are reported by accuracy alone."""

NO_CLASS = -1
"""Index of the class of an answer that names none."""


def shared_classes(questions: Sequence[Question]) -> tuple[Choice, ...] | None:
    """Return the options that all questions share, in order, as label and text.

    None if they differ in an option or its place, if they have none, or if there are
    more than `MAX_CLASSES`.
    """
    found = {_classes_of(question) for question in questions}
    if len(found) != 1:
        return None
    classes = found.pop()
    return classes if 2 <= len(classes) <= MAX_CLASSES else None


def _classes_of(question: Question) -> tuple[Choice, ...]:
    if question.kind is QuestionKind.YES_NO:
        return tuple(Choice(label=name, text=name) for name in YES_NO)
    return question.choices


def class_indices(
    names: Sequence[str | None], classes: Sequence[Choice]
) -> NDArray[np.int64]:
    """Return the index of each named class, `NO_CLASS` for None."""
    positions = {one.label: position for position, one in enumerate(classes)}
    indices = [NO_CLASS if name is None else positions[name] for name in names]
    return np.array(indices, dtype=np.int64)


def classify_answers(
    classes: Sequence[Choice] | None,
    results: Sequence[QuestionResult],
    answers: Sequence[str | None],
) -> Classification | None:
    """Compare answers, in the order of the results, with the targets that are published.

    None without classes or without a target.
    """
    if classes is None:
        return None
    graded = [
        (result.target, answer)
        for result, answer in zip(results, answers, strict=True)
        if result.target is not None
    ]
    if not graded:
        return None
    targets, given = zip(*graded, strict=True)
    return classify(targets, given, classes)


def classify(
    targets: Sequence[str], answers: Sequence[str | None], classes: Sequence[Choice]
) -> Classification:
    """Compare answers with targets, both as labels of classes.

    There is at least one target; an answer of None names no class. The intervals are
    those of a bootstrap over questions.
    """
    target_Q, answer_Q = (
        class_indices(targets, classes),
        class_indices(answers, classes),
    )
    statistics = class_statistics(target_Q, answer_Q, len(classes))
    sums = statistics.sum(axis=0)
    resampled = resample_sums(statistics)
    macro = make_estimates(macro_f1(sums[None]), macro_f1(resampled)[:, None])[0]
    assert macro is not None, "there is a target"
    return Classification(
        macro_f1=macro,
        classes=_class_results(classes, sums, resampled),
        confusion=count_confusion(target_Q, answer_Q, len(classes)),
    )


def class_statistics(
    target_Q: NDArray[np.int64], answer_Q: NDArray[np.int64], num_classes: int
) -> Floats:
    """Return 1 or 0 for each question and class, (Q, 3 × C): target, answer, both."""
    class_C = np.arange(num_classes)
    is_target_QC = target_Q[:, None] == class_C
    is_answer_QC = answer_Q[:, None] == class_C
    parts = [is_target_QC, is_answer_QC, is_target_QC & is_answer_QC]
    statistics_QK: Floats = np.concatenate(parts, axis=1).astype(np.float64)
    return statistics_QK


def macro_f1(sums_RK: Floats) -> Floats:
    """Return the mean F1 of the classes that have a target, from sums of `class_statistics`.

    A resample without a question of some class has one class fewer.
    """
    support_RC, _, _ = np.split(sums_RK, 3, axis=1)
    has_target_RC = support_RC > 0
    f1_RC = np.where(has_target_RC, class_f1(sums_RK), 0.0)
    mean_R: Floats = f1_RC.sum(axis=1) / has_target_RC.sum(axis=1)
    return mean_R


def class_f1(sums_RK: Floats) -> Floats:
    """Return the F1 of each class, (R, C); nan where it has neither target nor answer."""
    support_RC, answered_RC, correct_RC = np.split(sums_RK, 3, axis=1)
    return _divide(2 * correct_RC, support_RC + answered_RC)


def _divide(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, nan where whole is 0."""
    undefined = np.full_like(part, np.nan)
    quotient: Floats = np.divide(part, whole, out=undefined, where=whole > 0)
    return quotient


def _class_results(
    classes: Sequence[Choice], sums_K: Floats, resampled_RK: Floats
) -> tuple[ClassResult, ...]:
    precisions = _estimate_ratios(sums_K, resampled_RK, whole=1)
    recalls = _estimate_ratios(sums_K, resampled_RK, whole=0)
    f1s = make_estimates(class_f1(sums_K[None])[0], class_f1(resampled_RK))
    support_C, answered_C, _ = np.split(sums_K, 3)
    return tuple(
        ClassResult(
            label=one.label,
            text=one.text,
            support=int(support_C[position]),
            answered=int(answered_C[position]),
            precision=precisions[position],
            recall=recalls[position],
            f1=f1s[position],
        )
        for position, one in enumerate(classes)
    )


def _estimate_ratios(
    sums_K: Floats, resampled_RK: Floats, whole: int
) -> list[Estimate | None]:
    """Estimate correct / whole of each class; `whole` 0 is its targets, 1 its answers."""
    parts, parts_R = np.split(sums_K, 3), np.split(resampled_RK, 3, axis=1)
    return make_estimates(
        _divide(parts[2], parts[whole]), _divide(parts_R[2], parts_R[whole])
    )


def count_confusion(
    target_Q: NDArray[np.int64], answer_Q: NDArray[np.int64], num_classes: int
) -> tuple[tuple[int, ...], ...]:
    """Count the questions by target and answer; no answer is the last column."""
    columns_Q = np.where(answer_Q == NO_CLASS, num_classes, answer_Q)
    counts = np.zeros((num_classes, num_classes + 1), dtype=np.int64)
    np.add.at(counts, (target_Q, columns_Q), 1)
    return tuple(tuple(int(count) for count in row) for row in counts)
