"""What the finders of mentions are asked about a Subject. Transforms of one rationale share what was found."""

from functools import lru_cache

from cotbuild.builder.variants.base import Subject
from cotbuild.schemas.mentions import Mention, find_mentions
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef
from cotbuild.schemas.reading import options_of

_NO_SOURCE = SourceRef(dataset="-", config_name=None, split="-", revision=None, row=0)  # mentions ask for none


def as_question(subject: Subject) -> Question:
    """The subject's question, as `find_mentions` takes it; its source is not the real one."""
    return _question(subject.question_id, subject.kind, subject.question, _pairs(subject), subject.target)


def mentions_in(text: str, subject: Subject) -> tuple[Mention, ...]:
    """`find_mentions`, once for all transforms that ask about the same text in a row."""
    return _mentions(text, subject.question_id, subject.kind, subject.question, _pairs(subject), subject.target)


def is_target(mention: Mention, question: Question) -> bool:
    """Whether a mention names the target, under any letter that has its text."""
    if question.target is None or question.kind is not QuestionKind.CHOICE:
        return mention.label == question.target
    texts = options_of(question).texts
    return texts[mention.label] == texts[question.target]


_Pairs = tuple[tuple[str, str], ...]


def _pairs(subject: Subject) -> _Pairs:
    """The choices as strings: hashing the models themselves costs 20 µs."""
    return tuple((choice.label, choice.text) for choice in subject.choices)


@lru_cache(maxsize=64)
def _question(id: str, kind: QuestionKind, text: str, choices: _Pairs, target: str | None) -> Question:
    return Question(
        id=id,
        kind=kind,
        text=text,
        choices=tuple(Choice(label=label, text=text) for label, text in choices),
        target=target,
        other_targets=(),
        source=_NO_SOURCE,
    )


@lru_cache(maxsize=64)
def _mentions(
    found_in: str, id: str, kind: QuestionKind, text: str, choices: _Pairs, target: str | None
) -> tuple[Mention, ...]:
    return find_mentions(found_in, _question(id, kind, text, choices, target))
