"""Chains as far as they are answered: from the first request to what follows. Pure."""

from collections.abc import Callable, Iterable, Iterator

from cotbuild.builder.generate.attempts import AttemptedQuestion
from cotbuild.builder.generate.chains import (
    AnsweredStep,
    Chain,
    ChainRules,
    next_step,
)
from cotbuild.schemas.answers.prose_scores import check_scorers
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.record import short_repr

AnswerLookup = Callable[[str], Answer | None]
"""Returns the stored answer to a request_key; None where there is none."""


def start_chain(rules: ChainRules, question: Question, sample_index: int) -> Chain:
    """Return a chain before its first answer.

    Raises ConfigError if an answer in prose is to be chosen, or to be scored and the
    packages are not installed.
    """
    if question.kind is QuestionKind.PROSE:
        _check_prose(rules, question)
    first = next_step(rules, question, sample_index, ())
    return Chain(question, sample_index, (), first)


def _check_prose(rules: ChainRules, question: Question) -> None:
    if rules.config.decode == "choice":
        raise ConfigError(
            f"question {short_repr(question.id)} is answered in prose, and --decode choice "
            "asks for a short answer. Use --decode free or json."
        )
    if rules.grading.prose_scorer is not None:
        check_scorers()


def extend_chain(rules: ChainRules, chain: Chain, answer: Answer) -> Chain:
    """Return the chain with its open step answered.

    Raises ValueError where it is finished.
    """
    if chain.open_step is None:
        raise ValueError(f"the chain of question {chain.question.id!r} is finished")
    answered = (*chain.answered, AnsweredStep(chain.open_step, answer))
    following = next_step(rules, chain.question, chain.sample_index, answered)
    return chain._replace(answered=answered, next=following)


def follow_chain(
    rules: ChainRules, question: Question, sample_index: int, lookup: AnswerLookup
) -> Chain:
    """Return a chain as far as `lookup` has answers."""
    chain = start_chain(rules, question, sample_index)
    while chain.open_step is not None:
        answer = lookup(chain.open_step.request.request_key)
        if answer is None:
            break
        chain = extend_chain(rules, chain, answer)
    return chain


def follow_chains(
    rules: ChainRules, questions: Iterable[Question], lookup: AnswerLookup
) -> Iterator[Chain]:
    """Yield every chain of a build in plan order: by question, then by sample."""
    for question in questions:
        for sample_index in range(rules.config.samples):
            yield follow_chain(rules, question, sample_index, lookup)


def follow_attempts(
    rules: ChainRules, attempted: Iterable[AttemptedQuestion], lookup: AnswerLookup
) -> Iterator[Chain]:
    """Yield every chain about an attempt: by question, by attempt, then by sample."""
    num_samples = rules.config.samples
    for question, number in attempted:
        for sample in range(num_samples):
            sample_index = number * num_samples + sample
            yield follow_chain(rules, question, sample_index, lookup)
