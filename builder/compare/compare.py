"""Two students compared on the questions that both have answered. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cotbuild.builder.compare.answers import GradedAnswer, StudentAnswers
from cotbuild.builder.compare.match import AnsweredPair, MatchedQuestions
from cotbuild.builder.study.statistics import compare_checkpoints
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.study.results import CheckpointComparison


@dataclass(frozen=True)
class MetricComparison:
    """Two students compared by one metric."""

    metric: str
    accuracy_a: float
    """Percent correct of A, of the questions that are graded in both."""
    accuracy_b: float
    num_ungraded: int
    """Questions that both answered and that are not graded in one of them."""
    result: CheckpointComparison


@dataclass(frozen=True)
class ChangedQuestion:
    """A question to which two students gave different answers, by one metric."""

    name: str
    target: str | None
    a: GradedAnswer
    b: GradedAnswer

    @property
    def is_decided(self) -> bool:
        """Whether one student alone is right."""
        grades = {self.a.correct, self.b.correct}
        return grades == {True, False}


def compare_students(
    a: StudentAnswers, b: StudentAnswers, matched: MatchedQuestions
) -> list[MetricComparison]:
    """Compare two students by every metric that grades both, the primary one first.

    Raises DataError if no metric grades two questions in both.
    """
    shared = [metric for metric in a.metrics if metric in b.metrics]
    found = [
        comparison
        for metric in shared
        if (comparison := _compare(matched.pairs, metric)) is not None
    ]
    if not found:
        raise DataError(
            "no metric grades two questions or more in both. A has "
            f"{_list_metrics(a)}; B has {_list_metrics(b)}."
        )
    return found


def _list_metrics(answers: StudentAnswers) -> str:
    graded = ", ".join(answers.metrics) or "none that grades answers"
    if not answers.left_out:
        return graded
    return f"{graded} (others: {', '.join(answers.left_out)})"


def _compare(pairs: Sequence[AnsweredPair], metric: str) -> MetricComparison | None:
    """Compare by one metric; None if it grades less than two questions in both."""
    graded = [
        (answers_a.correct, answers_b.correct)
        for answers_a, answers_b in _answers_of(pairs, metric)
        if answers_a.correct is not None and answers_b.correct is not None
    ]
    if len(graded) < 2:
        return None
    correct_a, correct_b = zip(*graded, strict=True)
    return MetricComparison(
        metric=metric,
        accuracy_a=100 * sum(correct_a) / len(graded),
        accuracy_b=100 * sum(correct_b) / len(graded),
        num_ungraded=len(pairs) - len(graded),
        result=compare_checkpoints(correct_a, correct_b),
    )


def choose_metric(comparisons: Sequence[MetricComparison], name: str | None) -> str:
    """Return the metric by which changed questions are listed.

    None stands for the primary one. Raises ConfigError if it is not among those that
    were compared.
    """
    names = [comparison.metric for comparison in comparisons]
    if name is None:
        return names[0]
    if name not in names:
        raise ConfigError(
            f"--metric {name!r} was not compared. Pass one of {', '.join(names)}."
        )
    return name


def find_changes(matched: MatchedQuestions, metric: str) -> Iterator[ChangedQuestion]:
    """Yield the questions that one student alone got right, or with different answers.

    Answers of two programs differ in form, so there only the former.
    """
    answers = _answers_of(matched.pairs, metric)
    for pair, (answer_a, answer_b) in zip(matched.pairs, answers, strict=True):
        change = ChangedQuestion(pair.name, pair.a.target, answer_a, answer_b)
        has_other_answer = matched.is_same_writer and answer_a.answer != answer_b.answer
        if change.is_decided or has_other_answer:
            yield change


def _answers_of(
    pairs: Sequence[AnsweredPair], metric: str
) -> Iterator[tuple[GradedAnswer, GradedAnswer]]:
    none = GradedAnswer(None, None)
    for pair in pairs:
        yield pair.a.answers.get(metric, none), pair.b.answers.get(metric, none)
