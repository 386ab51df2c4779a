"""Which questions two students have both answered. Pure."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from cotbuild.builder.compare.answers import (
    AnsweredQuestion,
    StudentAnswers,
    Writer,
)
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.record import short_repr


@dataclass(frozen=True)
class AnsweredPair:
    """A question with the answers of both students."""

    name: str
    a: AnsweredQuestion
    b: AnsweredQuestion

    @property
    def has_other_id(self) -> bool:
        """Whether both have an id in their dataset, and not the same."""
        ids = (self.a.id, self.b.id)
        return None not in ids and self.a.id != self.b.id

    def describe_difference(self) -> str:
        """Return the name with what differs: the ids in the dataset, or the targets."""
        name, of_a, of_b = self.name, self.a.target, self.b.target
        if self.has_other_id:
            name, of_a, of_b = f"doc_id {self.a.doc_id}", self.a.id, self.b.id
        return f"{short_repr(name)} ({short_repr(of_a)} in A, {short_repr(of_b)} in B)"


@dataclass(frozen=True)
class MatchedQuestions:
    """The questions of two students, by who has answered them."""

    pairs: tuple[AnsweredPair, ...]
    """Answered by both, in the order of A."""
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    changed: tuple[AnsweredPair, ...]
    """Same id, but another target or another row of the dataset."""
    is_same_writer: bool
    """Whether one program wrote both, so that targets and answers have one form."""

    @property
    def num_left_out(self) -> int:
        """Number of questions that are not compared."""
        return len(self.only_a) + len(self.only_b) + len(self.changed)

    def check_same(self) -> None:
        """Raise DataError unless both answered the same questions, by id and target."""
        if not self.num_left_out:
            return
        parts = []
        for names, which in ((self.only_a, "A"), (self.only_b, "B")):
            if names:
                example = short_repr(names[0])
                parts.append(f"{len(names)} by {which} alone, such as {example}")
        if self.changed:
            first = self.changed[0]
            parts.append(
                f"{len(self.changed)} with another target or row, such as "
                f"{first.describe_difference()}"
            )
        raise DataError(
            f"A and B answered different questions: {'; '.join(parts)}. "
            f"{self._describe_remedy()}"
        )

    def _describe_remedy(self) -> str:
        if len(self.pairs) < 2:
            return "Evaluate both on the same questions."
        return (
            f"Evaluate both on the same questions, or pass --shared to compare the "
            f"{len(self.pairs)} that both answered."
        )


def match_questions(
    a: StudentAnswers, b: StudentAnswers, *, by_order: bool = False
) -> MatchedQuestions:
    """Match the questions of two students.

    Two files of lm-evaluation-harness are matched by doc_id, others by the id that a
    question has in its dataset; with `by_order` the n-th question of A is the n-th of B.
    Targets are compared where one program wrote both, and the ids of the dataset where
    both files have them.

    Raises ConfigError if questions have no id, or with `by_order` differ in number or,
    where one program wrote both, in their ids; DataError if an id occurs twice.
    """
    is_same_writer = a.writer is b.writer
    if by_order:
        _check_equally_many(a, b)
        if is_same_writer:
            _check_same_ids(a, b)
    is_by_doc_id = is_same_writer and a.writer is Writer.LM_EVAL
    of_a = _index(a, by_order, is_by_doc_id)
    of_b = _index(b, by_order, is_by_doc_id)
    pairs: list[AnsweredPair] = []
    changed: list[AnsweredPair] = []
    for key, question in of_a.items():
        if key not in of_b:
            continue
        pair = AnsweredPair(_name(key, question), question, of_b[key])
        is_same = not is_same_writer or _is_same_question(pair)
        (pairs if is_same else changed).append(pair)
    return MatchedQuestions(
        pairs=tuple(pairs),
        only_a=tuple(_name(key, of_a[key]) for key in of_a if key not in of_b),
        only_b=tuple(_name(key, of_b[key]) for key in of_b if key not in of_a),
        changed=tuple(changed),
        is_same_writer=is_same_writer,
    )


def _check_equally_many(a: StudentAnswers, b: StudentAnswers) -> None:
    if len(a.questions) != len(b.questions):
        raise ConfigError(
            f"--by-order: A has {len(a.questions)} questions, B {len(b.questions)}. It is "
            "for two evaluations of a whole split in the same order."
        )


def _check_same_ids(a: StudentAnswers, b: StudentAnswers) -> None:
    """Raise ConfigError if two questions with ids meet that are not the same."""
    pairs = zip(a.questions, b.questions, strict=True)
    for position, (of_a, of_b) in enumerate(pairs):
        if of_a.id is not None and of_b.id is not None and of_a.id != of_b.id:
            raise ConfigError(
                f"--by-order: question {position} (from 0) is {short_repr(of_a.id)} in A "
                f"and {short_repr(of_b.id)} in B. Leave it out to match them by id."
            )


def _index(
    answers: StudentAnswers, by_order: bool, by_doc_id: bool
) -> Mapping[Hashable, AnsweredQuestion]:
    """Return the questions by what they are matched by."""
    found: dict[Hashable, AnsweredQuestion] = {}
    for position, question in enumerate(answers.questions):
        key: Hashable = position
        if not by_order:
            key = question.doc_id if by_doc_id else question.id
        if key is None:
            raise ConfigError(
                f"{answers.place}: question {position} (from 0) has no id in its dataset "
                "(doc.id), so it cannot be found in the other file. Pass --by-order if both "
                "are evaluations of the same split in the same order."
            )
        if key in found:
            raise DataError(
                f"{answers.place}: two questions have the id {short_repr(key)}. Give each "
                "an id of its own, or pass --by-order."
            )
        found[key] = question
    return found


def _name(key: Hashable, question: AnsweredQuestion) -> str:
    return str(key) if question.id is None else question.id


def _is_same_question(pair: AnsweredPair) -> bool:
    """Whether both are one question, as far as the files tell.

    Not every version of lm-evaluation-harness writes a digest of the dataset's row.
    """
    a, b = pair.a, pair.b
    if pair.has_other_id:
        return False
    if a.doc_hash is not None and b.doc_hash is not None:
        return a.doc_hash == b.doc_hash
    return a.target == b.target
