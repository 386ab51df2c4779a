"""The classes of an evaluation as lines of a terminal: F1 and confusion. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.evaluation.columns import (
    align,
    format_estimate,
    format_estimate_interval,
    format_name,
)
from cotbuild.schemas.evaluation import Classification, ClassResult, StudentMetrics

MAX_CLASSES = 20
"""Classes of a table; evaluation.json has all of them."""
MAX_CONFUSION_CLASSES = 8
"""Classes up to which the confusion matrix fits beside them."""

_FIGURES = ("questions", "precision", "recall", "F1", "95 %")


def class_lines(metrics: StudentMetrics) -> Iterator[str]:
    """Yield the classes of a student's forced choices, then of its free answers.

    Nothing unless all questions have the same options.
    """
    for name, found in (
        ("forced choice", metrics.classification),
        ("free answer", metrics.free_classification),
    ):
        if found is not None:
            yield from _classification_lines(name, found)


def _classification_lines(name: str, found: Classification) -> Iterator[str]:
    shown = found.classes[:MAX_CLASSES]
    with_confusion = len(found.classes) <= MAX_CONFUSION_CLASSES
    header: tuple[str, ...] = (f"{name}, by target", *_FIGURES)
    if with_confusion:
        header = (*header, *_answer_columns(found))
    rows = [header]
    for position, one in enumerate(shown):
        row = _class_row(one)
        if with_confusion:
            row = (*row, *map(str, found.confusion[position]))
        rows.append(row)
    yield from align(rows)
    num_left_out = len(found.classes) - len(shown)
    if num_left_out:
        yield f"and {num_left_out} more in evaluation.json"


def _answer_columns(found: Classification) -> Sequence[str]:
    """Return the heads of the columns of the confusion matrix."""
    return [*(f"→ {class_name(one)}" for one in found.classes), "no answer"]


def _class_row(one: ClassResult) -> tuple[str, ...]:
    return (
        class_name(one),
        str(one.support),
        format_estimate(one.precision),
        format_estimate(one.recall),
        format_estimate(one.f1),
        format_estimate_interval(one.f1),
    )


def class_name(one: ClassResult) -> str:
    """Return the text of a class, behind its label if that differs."""
    text = format_name(one.text)
    return text if one.label == one.text else f"{format_name(one.label)} {text}"
