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
    answers = _answer_columns(found) if with_confusion else []
    rows: list[tuple[str, ...]] = [(f"{name}, by target", *_FIGURES, *answers)]
    for position, one in enumerate(shown):
        counts = found.confusion[position][: len(answers)]
        rows.append((*_class_row(one), *map(str, counts)))
    yield from align(rows)
    num_left_out = len(found.classes) - len(shown)
    if num_left_out:
        yield f"and {num_left_out} more in evaluation.json"


def _answer_columns(found: Classification) -> Sequence[str]:
    """Return the heads of the columns of the confusion matrix.

    The last one, of questions without an answer, is left out if there are none.
    """
    columns = [f"→ {class_name(one)}" for one in found.classes]
    if any(counts[-1] for counts in found.confusion):
        columns.append("no answer")
    return columns


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
