"""Questions of the training split that a study holds out, as its dev and test questions.

They are taken by a digest of their ids, whatever the teacher said on them: first the
test questions, then the dev questions. Rationales of the others are what cells train on.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from cotbuild.builder.sources.splits import canonical_split
from cotbuild.prompts.student import question_digest
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.study.declaration import HeldOutQuestions, Study


class QuestionSource(Protocol):
    """A rationale, as far as its question is needed."""

    def question_record(self) -> Question:
        """Return the question."""


class RationaleSource(Protocol):
    """A build, as far as the questions of its rationales are held out."""

    @property
    def split(self) -> str:
        """The split of the rationales."""

    def rationales(self) -> Iterable[QuestionSource]:
        """Return the rationales in the order of the build."""


class HeldOutSplit(NamedTuple):
    """The questions that are held out as dev and as test; empty if others are used."""

    dev: list[Question]
    test: list[Question]


def hold_out(
    study: Study, build: RationaleSource, others: Iterable[Question] = ()
) -> HeldOutSplit:
    """Take the questions that the study holds out.

    `others` are its questions of evaluation splits; one with the text of such a question
    is not taken. Raises ConfigError if they are of another split than the rationales, or
    there are too few.
    """
    test_count = _count_held_out("test", study.test, build)
    dev_count = _count_held_out("dev", study.dev, build)
    if test_count + dev_count == 0:
        return HeldOutSplit([], [])
    every = (rationale.question_record() for rationale in build.rationales())
    texts = {question_digest(other.full_text) for other in others}
    candidates = [
        question
        for question in order_by_digest(every)
        if question_digest(question.full_text) not in texts
    ]
    if len(candidates) <= test_count + dev_count:
        raise ConfigError(
            f"dev and test hold out {test_count + dev_count} questions of {build.split}, "
            f"which has {len(candidates)} with a target and different texts, so nothing "
            "is left to train on. Lower `count` in STUDY.yaml."
        )
    end = test_count + dev_count
    return HeldOutSplit(dev=candidates[test_count:end], test=candidates[:test_count])


def _count_held_out(name: str, wanted: object, build: RationaleSource) -> int:
    if not isinstance(wanted, HeldOutQuestions):
        return 0
    if canonical_split(wanted.split) != build.split:
        raise ConfigError(
            f"{name}: unseen questions of {wanted.split!r}, and the build has rationales "
            f"of {build.split!r}. Name that split, or leave `unseen` and `count` out."
        )
    return wanted.count


def order_by_digest(questions: Iterable[Question]) -> list[Question]:
    """Return the questions with a target by a digest of their ids, each text once."""
    by_id = {question.id: question for question in _with_target(questions)}
    ranked = sorted(by_id, key=lambda one: digest("held-out question/1", one))
    by_text: dict[str, Question] = {}
    for question_id in ranked:
        question = by_id[question_id]
        by_text.setdefault(question_digest(question.full_text), question)
    return list(by_text.values())


def _with_target(questions: Iterable[Question]) -> Iterator[Question]:
    return (question for question in questions if question.target is not None)
