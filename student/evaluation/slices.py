"""Metrics of the questions with the same value of a tag, such as a subject. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from cotbuild.schemas.evaluation import CorpusScore, QuestionResult, SliceMetrics
from cotbuild.schemas.question import Question
from cotbuild.student.evaluation.classification import (
    classify_answers,
    shared_classes,
)
from cotbuild.student.evaluation.proportions import proportion_of_known
from cotbuild.student.evaluation.prose_metrics import ScoredAnswers, score_answers

MAX_VALUES = 20
"""Values of a tag that are reported, the most frequent ones; the others together."""

PICTURE = "picture"
"""Tag of whether a question is asked with a picture, unless it has such a tag."""


class Answered(NamedTuple):
    """Questions with their results, in the same order."""

    questions: Sequence[Question]
    results: Sequence[QuestionResult]
    scored: ScoredAnswers | None
    """The answers that are scored against references."""


def compute_slices(answered: Answered) -> tuple[SliceMetrics, ...]:
    """Compute the metrics of each value of each tag, tags in order of appearance.

    A tag that has one value for all questions is left out.
    """
    num_questions = len(answered.questions)
    slices: list[SliceMetrics] = []
    for tag, values in _tag_values(answered.questions).items():
        counts = Counter(values.values())
        if len(counts) == 1 and len(values) == num_questions:
            continue
        for part in _split_by_value(values, counts):
            slices.append(_slice_metrics(answered, tag, part))
    return tuple(slices)


def _tag_values(questions: Sequence[Question]) -> dict[str, dict[int, str]]:
    """Return the value of each tag, by name of the tag and position of the question."""
    found: dict[str, dict[int, str]] = {}
    for position, question in enumerate(questions):
        for tag in question.tags:
            found.setdefault(tag.name, {})[position] = tag.value
    if any(question.images for question in questions):
        pictures = {
            position: "yes" if question.images else "no"
            for position, question in enumerate(questions)
        }
        found.setdefault(PICTURE, pictures)
    return found


class _Part(NamedTuple):
    """The questions with one value of a tag, or with any of the rarer values."""

    value: str | None
    """None: several values."""
    num_values: int
    positions: list[int]


def _split_by_value(
    values: Mapping[int, str], counts: Mapping[str, int]
) -> Iterator[_Part]:
    """Yield the questions of each value, the most frequent first, then of all others."""
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    positions: dict[str, list[int]] = {value: [] for value in ordered}
    for position, value in values.items():
        positions[value].append(position)
    for value in ordered[:MAX_VALUES]:
        yield _Part(value, 1, positions[value])
    others = ordered[MAX_VALUES:]
    if others:
        of_others = [position for value in others for position in positions[value]]
        yield _Part(None, len(others), sorted(of_others))


def _slice_metrics(answered: Answered, tag: str, part: _Part) -> SliceMetrics:
    results = [answered.results[position] for position in part.positions]
    choices = [result.choice for result in results]
    classes = shared_classes(answered.questions)
    found = classify_answers(classes, results, choices)
    scores: tuple[CorpusScore, ...] = ()
    if answered.scored is not None:
        scores = score_answers(answered.scored, part.positions)
    return SliceMetrics(
        tag=tag,
        value=part.value,
        num_values=part.num_values,
        num_questions=len(results),
        accuracy=proportion_of_known(result.correct for result in results),
        macro_f1=found.macro_f1 if found else None,
        scores=scores,
    )
