"""From the results of a student's questions to its metrics. Pure."""

from collections import Counter
from collections.abc import Sequence

from cotbuild.schemas.evaluation import (
    FORCED_CHOICE,
    FREE_ANSWER,
    PROSE_SCORES,
    MajorityBaseline,
    QuestionResult,
    StudentMetrics,
)
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.student.evaluation.classification import (
    classify_answers,
    shared_classes,
)
from cotbuild.student.evaluation.proportions import (
    count_proportion,
    make_proportion,
    proportion_of_known,
)
from cotbuild.student.evaluation.prose_metrics import (
    collect_statistics,
    score_answers,
)
from cotbuild.student.evaluation.slices import Answered, compute_slices


def compute_metrics(
    results: Sequence[QuestionResult], *, label_first: bool
) -> StudentMetrics:
    """Compute the metrics of one student from its results, of which there is one or more.

    `label_first` is whether the student says the label before the rationale, so that
    no rationale was generated for it. See `add_breakdown` for the other metrics.
    """
    num = len(results)
    seconds = sum(result.seconds for result in results)
    seen = sum(result.seen for result in results)
    rationale_tokens = sum(result.rationale_tokens for result in results)
    answer_tokens = [r.answer_tokens for r in results if r.answer_tokens]
    tokens_per_answer = sum(answer_tokens) / max(1, len(answer_tokens))
    cut = make_proportion(r.cut for r in results if r.kind is QuestionKind.PROSE)
    unseen = forced = None
    if seen:
        unseen = proportion_of_known(r.correct for r in results if not r.seen)
    if not label_first:
        forced = make_proportion(result.forced for result in results)
    return StudentMetrics(
        accuracy=proportion_of_known(result.correct for result in results),
        normalised=proportion_of_known(r.correct_normalised for r in results),
        free=proportion_of_known(result.correct_free for result in results),
        unseen=unseen,
        forced=forced,
        parse_failures=make_proportion(
            result.answer is None for result in results if result.answer_tokens
        ),
        seen=seen,
        tokens_per_question=rationale_tokens / num + tokens_per_answer,
        rationale_tokens_per_question=rationale_tokens / num,
        cut=cut,
        seconds=seconds,
        questions_per_s=num / seconds if seconds else 0.0,
    )


def add_breakdown(
    metrics: StudentMetrics,
    questions: Sequence[Question],
    results: Sequence[QuestionResult],
) -> StudentMetrics:
    """Add the metrics that depend on more than the results.

    They are those of classes, of answers in prose, and of the values of each tag.
    `results` are in the order of the questions. Raises ConfigError if a package that
    scores prose is missing.
    """
    classes = shared_classes(questions)
    choices = [result.choice for result in results]
    answered_freely = [one for one in results if one.correct_free is not None]
    answers = [one.answer for one in answered_freely]
    scored = collect_statistics(questions, results)
    return metrics.model_copy(
        update={
            "classification": classify_answers(classes, results, choices),
            "free_classification": classify_answers(classes, answered_freely, answers),
            "scores": score_answers(scored) if scored else (),
            "slices": compute_slices(Answered(questions, results, scored)),
        }
    )


def compute_majority_baseline(
    results: Sequence[QuestionResult],
) -> MajorityBaseline | None:
    """Answer every question with the most frequent target of the same questions.

    Of equally frequent targets it is the first by name. None if no question is graded:
    without a target, or in prose.
    """
    with_target = [result for result in results if _is_graded(result)]
    counts = Counter(str(result.target) for result in with_target)
    if not counts:
        return None
    target = min(counts, key=lambda name: (-counts[name], name))
    correct = [_is_correct_answer(result, target) for result in with_target]
    return MajorityBaseline(
        target=target, accuracy=count_proportion(sum(correct), len(correct))
    )


def _is_graded(result: QuestionResult) -> bool:
    """Return whether the answer is right or wrong, which no answer in prose is."""
    return result.target is not None and result.kind is not QuestionKind.PROSE


def _is_correct_answer(result: QuestionResult, answer: str) -> bool:
    for option in result.options:
        if option.name == answer:
            return option.correct
    return result.target == answer


def compute_chance_accuracy(results: Sequence[QuestionResult]) -> float | None:
    """Return the accuracy to expect of guessing among the options.

    None if no question is graded, or one that is has no options.
    """
    shares = []
    for result in results:
        if not _is_graded(result):
            continue
        if not result.options:
            return None
        num_correct = sum(option.correct for option in result.options)
        shares.append(num_correct / len(result.options))
    return sum(shares) / len(shares) if shares else None


def name_primary_metric(results: Sequence[QuestionResult]) -> str:
    """Return the name of the metric that `accuracy` is of, for these questions.

    Prose has scores in place of an accuracy.
    """
    others = [result for result in results if result.kind is not QuestionKind.PROSE]
    if not others:
        return PROSE_SCORES
    with_options = {bool(result.options) for result in others}
    names = []
    if True in with_options:
        names.append(FORCED_CHOICE)
    if False in with_options:
        names.append(FREE_ANSWER)
    return "; without options: ".join(names)
