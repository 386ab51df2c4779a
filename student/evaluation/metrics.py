"""From results to figures. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from cotbuild.schemas.evaluation import (
    FORCED_CHOICE,
    FREE_ANSWER,
    MajorityBaseline,
    Proportion,
    QuestionResult,
    StudentMetrics,
    wilson_interval,
)


def make_proportion(found: Iterable[bool]) -> Proportion | None:
    """With Wilson's interval; None: there is nothing to count."""
    values = list(found)
    if not values:
        return None
    count, of = sum(values), len(values)
    low, high = wilson_interval(count, of)
    return Proportion(count=count, of=of, share=count / of, low=low, high=high)


def compute_metrics(
    results: Sequence[QuestionResult], *, label_first: bool
) -> StudentMetrics:
    """Of one student; `results` holds at least one."""
    seconds = sum(result.seconds for result in results)
    failures = make_proportion(result.answer is None for result in results)
    assert failures is not None, "at least one result"
    seen = sum(result.seen for result in results)
    generated = [result.rationale_tokens + result.answer_tokens for result in results]
    return StudentMetrics(
        accuracy=_of_known(result.correct for result in results),
        normalised=_of_known(result.correct_normalised for result in results),
        free=_of_known(result.correct_free for result in results),
        unseen=_of_known(result.correct for result in results if not result.seen)
        if seen
        else None,
        forced=None
        if label_first
        else make_proportion(result.forced for result in results),
        parse_failures=failures,
        seen=seen,
        tokens_per_question=sum(generated) / len(results),
        rationale_tokens_per_question=sum(result.rationale_tokens for result in results)
        / len(results),
        seconds=seconds,
        questions_per_s=len(results) / seconds if seconds else 0.0,
    )


def compute_majority_baseline(
    results: Sequence[QuestionResult],
) -> MajorityBaseline | None:
    """The most frequent target, the first by name of equally frequent ones, on the same
    questions.
    """
    targets = Counter(result.target for result in results if result.target is not None)
    if not targets:
        return None
    best = min(targets, key=lambda target: (-targets[target], target))
    accuracy = make_proportion(
        _has(result, best) for result in results if result.target is not None
    )
    assert accuracy is not None, "targets are not empty"
    return MajorityBaseline(target=best, accuracy=accuracy)


def _has(result: QuestionResult, answer: str) -> bool:
    named = [option for option in result.options if option.name == answer]
    return named[0].correct if named else result.target == answer


def compute_chance_accuracy(results: Sequence[QuestionResult]) -> float | None:
    """What guessing among the options comes to; None where some question with a target
    has no options.
    """
    known = [result for result in results if result.target is not None]
    if not known or not all(result.options for result in known):
        return None
    return sum(
        sum(o.correct for o in result.options) / len(result.options) for result in known
    ) / len(known)


def name_primary_metric(results: Sequence[QuestionResult]) -> str:
    """The name of the primary metric of these questions."""
    names = {
        bool(result.options): FORCED_CHOICE if result.options else FREE_ANSWER
        for result in results
    }
    return "; without options: ".join(names[key] for key in sorted(names, reverse=True))


def _of_known(values: Iterable[bool | None]) -> Proportion | None:
    return make_proportion(value for value in values if value is not None)
