"""From the results of a student's questions to its metrics. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from cotbuild.schemas.evaluation import (
    FORCED_CHOICE,
    FREE_ANSWER,
    Classification,
    MajorityBaseline,
    Proportion,
    QuestionResult,
    StudentMetrics,
    wilson_interval,
)
from cotbuild.schemas.question import Question
from cotbuild.student.evaluation.classification import classify, shared_classes


def make_proportion(values: Iterable[bool]) -> Proportion | None:
    """Return the share of true values with its interval; None if there are no values."""
    counted = list(values)
    return _proportion(counted) if counted else None


def _proportion(values: Sequence[bool]) -> Proportion:
    """Return the share of true values, of at least one value."""
    count, of = sum(values), len(values)
    low, high = wilson_interval(count, of)
    return Proportion(count=count, of=of, share=count / of, low=low, high=high)


def _proportion_of_known(values: Iterable[bool | None]) -> Proportion | None:
    return make_proportion(value for value in values if value is not None)


def compute_metrics(
    results: Sequence[QuestionResult],
    *,
    label_first: bool,
    questions: Sequence[Question] = (),
) -> StudentMetrics:
    """Compute the metrics of one student from its results, of which there is one or more.

    `label_first` is whether the student says the label before the rationale, so that
    no rationale was generated for it. `questions` are those of the results, in the same
    order; without them, metrics that depend on more than the results are left out.
    """
    num = len(results)
    seconds = sum(result.seconds for result in results)
    seen = sum(result.seen for result in results)
    rationale_tokens = sum(result.rationale_tokens for result in results)
    answer_tokens = sum(result.answer_tokens for result in results)
    unseen = forced = None
    if seen:
        unseen = _proportion_of_known(r.correct for r in results if not r.seen)
    if not label_first:
        forced = make_proportion(result.forced for result in results)
    return StudentMetrics(
        accuracy=_proportion_of_known(result.correct for result in results),
        normalised=_proportion_of_known(r.correct_normalised for r in results),
        free=_proportion_of_known(result.correct_free for result in results),
        unseen=unseen,
        forced=forced,
        parse_failures=_proportion([result.answer is None for result in results]),
        seen=seen,
        tokens_per_question=(rationale_tokens + answer_tokens) / num,
        rationale_tokens_per_question=rationale_tokens / num,
        seconds=seconds,
        questions_per_s=num / seconds if seconds else 0.0,
        classification=_classify(questions, results, [one.choice for one in results]),
        free_classification=_classify(
            questions, results, [one.answer for one in results]
        ),
    )


def _classify(
    questions: Sequence[Question],
    results: Sequence[QuestionResult],
    answers: Sequence[str | None],
) -> Classification | None:
    """Compare answers with the targets as classes; None unless the questions share them.

    Questions without a target are left out.
    """
    classes = shared_classes(questions)
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


def compute_majority_baseline(
    results: Sequence[QuestionResult],
) -> MajorityBaseline | None:
    """Answer every question with the most frequent target of the same questions.

    Of equally frequent targets it is the first by name. None if no question has a
    target.
    """
    with_target = [result for result in results if result.target is not None]
    counts = Counter(str(result.target) for result in with_target)
    if not counts:
        return None
    target = min(counts, key=lambda name: (-counts[name], name))
    correct = [_is_correct_answer(result, target) for result in with_target]
    return MajorityBaseline(target=target, accuracy=_proportion(correct))


def _is_correct_answer(result: QuestionResult, answer: str) -> bool:
    for option in result.options:
        if option.name == answer:
            return option.correct
    return result.target == answer


def compute_chance_accuracy(results: Sequence[QuestionResult]) -> float | None:
    """Return the accuracy to expect of guessing among the options.

    None if no question has a target, or one with a target has no options.
    """
    shares = []
    for result in results:
        if result.target is None:
            continue
        if not result.options:
            return None
        num_correct = sum(option.correct for option in result.options)
        shares.append(num_correct / len(result.options))
    return sum(shares) / len(shares) if shares else None


def name_primary_metric(results: Sequence[QuestionResult]) -> str:
    """Return the name of the metric that `accuracy` is of, for these questions."""
    with_options = {bool(result.options) for result in results}
    names = []
    if True in with_options:
        names.append(FORCED_CHOICE)
    if False in with_options:
        names.append(FREE_ANSWER)
    return "; without options: ".join(names)
