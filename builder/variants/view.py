"""What the finders of mentions are asked about a Subject.

Transforms of one rationale share what was found.
"""

from functools import lru_cache
from typing import NamedTuple

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.schemas.answers.mentions import Mention, find_mentions
from cotbuild.schemas.answers.readers import options_of
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef

_NO_SOURCE = SourceRef(
    dataset="-", config_name=None, split="-", revision=None, row=0
)  # mentions ask for none


class Key(NamedTuple):
    """What of a Subject its question is made of: hashing the models themselves costs 20
    µs.
    """

    id: str
    kind: QuestionKind
    text: str
    choices: tuple[tuple[str, str], ...]
    target: str | None


def key_of(subject: RationaleExample) -> Key:
    """Equal for the rationales of one question."""
    choices = tuple((choice.label, choice.text) for choice in subject.choices)
    return Key(
        subject.question_id, subject.kind, subject.question, choices, subject.target
    )


def as_question(subject: RationaleExample) -> Question:
    """The subject's question, as `find_mentions` takes it; its source is not the real
    one.
    """
    return question_of(key_of(subject))


def is_target(mention: Mention, question: Question) -> bool:
    """Whether a mention names the target, under any letter that has its text."""
    if question.target is None or question.kind is not QuestionKind.CHOICE:
        return mention.label == question.target
    texts = options_of(question).texts
    return texts[mention.label] == texts[question.target]


@lru_cache(maxsize=64)
def question_of(key: Key) -> Question:
    """See `as_question`."""
    choices = tuple(Choice(label=label, text=text) for label, text in key.choices)
    return Question(
        id=key.id,
        kind=key.kind,
        text=key.text,
        choices=choices,
        target=key.target,
        other_targets=(),
        source=_NO_SOURCE,
    )


@lru_cache(maxsize=64)
def mentions_in(text: str, key: Key) -> tuple[Mention, ...]:
    """`find_mentions`, once for all transforms that ask about the same text one after
    the other.
    """
    return find_mentions(text, question_of(key))
