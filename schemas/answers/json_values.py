"""Read the value of a JSON field as the answer to a question. Pure."""

import re
from collections.abc import Callable
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import (
    answers_differ,
    casefold_text,
    is_correct,
    option_table,
)
from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.json_objects import (
    JsonList,
    JsonObject,
    JsonText,
    JsonValue,
)
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.answers.stated_numbers import read_bounded_stated_number
from cotbuild.schemas.question import Question, QuestionKind

_PARTS = ("label", "letter", "choice", "option", "answer", "value", "text")
"""Names of the fields of an answer that is an object of its own."""
_TRUTH = {"true": ("yes", "true"), "false": ("no", "false")}
_NOTHING = frozenset({"null", "none", "nan"})
_BLANK = re.compile(r"_{2,}+|\.{2,}+|…|\?++")
"""What stands for an answer that is not given."""
_SENTENCE = re.compile(
    r"(?:(?:so|therefore|thus|hence),? )?(?:(?:the|my) )?(?:(?:final|correct|best) )?"
    r"answer(?: is\b|:)",
    re.IGNORECASE,
)
"""A text answer that is a statement of its own."""
_COLLECTIVE = re.compile(
    r"(?:both|neither|all of|none of|any of|one of|nothing) ?+[^\W_]", re.IGNORECASE
)
"""What is no single answer behind "The answer is", but names one as a whole value."""
_EDGE_MARKS = " .!"


class FieldAnswer(NamedTuple):
    """What a field says of the answer."""

    answer: str | None
    """In the form of the target; None: no single one."""
    text: str
    """The value as a text."""
    start: int
    """Offset of the answer in the text that holds the object."""
    end: int
    contradicts: bool = False
    """Whether another field of the object gives another answer."""


def read_field(value: JsonValue, question: Question) -> FieldAnswer:
    """Read the value of an answer's field."""
    match value:
        case JsonText():
            return (
                _read_string(value, question)
                if value.is_string
                else _read_bare(value, question)
            )
        case JsonList():
            return _read_list(value, question)
        case JsonObject():
            return _read_parts(value, question)


def _read_list(value: JsonList, question: Question) -> FieldAnswer:
    """Read a list: its one item, or several as one text of a text question."""
    if len(value.items) == 1:
        return read_field(value.items[0], question)
    texts = [item.text for item in value.items if isinstance(item, JsonText)]
    joined = ", ".join(texts)
    is_text = question.kind in (QuestionKind.TEXT, QuestionKind.PROSE)
    is_text = is_text and len(texts) == len(value.items)
    answer = joined if is_text and joined else None
    return FieldAnswer(answer, joined, value.start, value.end)


def _read_parts(value: JsonObject, question: Question) -> FieldAnswer:
    """Read an object such as {"label": "B", "text": "granite"}, whose parts agree."""
    fields = {name.casefold(): part for name, part in value.fields}
    read = [read_field(fields[name], question) for name in _PARTS if name in fields]
    stated = [part for part in read if part.answer is not None]
    none = FieldAnswer(None, "", value.start, value.end)
    if not stated or answers_differ((part.answer for part in stated), question):
        return none
    return stated[0]


def _read_bare(value: JsonText, question: Question) -> FieldAnswer:
    """Read a number, true, false, null or another bare word."""
    word = value.text.casefold()
    none = FieldAnswer(None, value.text, value.start, value.end)
    if word in _NOTHING:
        return none
    if word not in _TRUTH:
        return _read_string(value, question)
    yes_or_no = _TRUTH[word][0]
    if question.kind in (QuestionKind.YES_NO, QuestionKind.TEXT):
        return none._replace(answer=yes_or_no)
    if question.kind is QuestionKind.CHOICE:
        labels = {_match_choice(name, question) for name in _TRUTH[word]} - {None}
        return none._replace(answer=labels.pop() if len(labels) == 1 else None)
    return none


def _read_string(value: JsonText, question: Question) -> FieldAnswer:
    stated = value.text.strip()
    if not stated:
        return FieldAnswer(None, stated, value.start, value.end)
    offset = len(value.text) - len(value.text.lstrip()) if value.is_verbatim else 0
    start = value.start + offset
    end = start + len(stated) if value.is_verbatim else value.end
    whole = FieldAnswer(None, stated, start, end)
    answer = _READERS[question.kind](stated, question)
    if answer is not None:
        return whole._replace(answer=answer)
    return _read_sentence(stated, whole, value.is_verbatim, question)


def _read_choice(stated: str, question: Question) -> str | None:
    return _match_choice(stated, question) or _read_whole(stated, question)


def _read_whole(stated: str, question: Question) -> str | None:
    """Return the answer that the reader of the kind reads, if nothing follows it."""
    read = READERS[question.kind](stated, question)
    if read is None or stated[read.end :].strip(p.EDGE + _EDGE_MARKS):
        return None
    return read.answer


def _read_number(stated: str, question: Question) -> str | None:  # noqa: ARG001
    read = read_bounded_stated_number(stated)
    return None if read is None else read.answer


def _read_text(stated: str, question: Question) -> str | None:
    """Return the whole value, unless it is a sentence or says that there is no answer."""
    if is_correct(stated, question):
        return stated
    if _BLANK.fullmatch(stated) or _SENTENCE.match(stated):
        return None
    no_single = p.NO_SINGLE.match(stated)
    if no_single and not _COLLECTIVE.match(stated):
        return None
    return stated


_READERS: dict[QuestionKind, Callable[[str, Question], str | None]] = {
    QuestionKind.CHOICE: _read_choice,
    QuestionKind.YES_NO: _read_whole,
    QuestionKind.NUMBER: _read_number,
    QuestionKind.TEXT: _read_text,
    QuestionKind.PROSE: lambda stated, _: stated,
}


def _read_sentence(
    stated: str, whole: FieldAnswer, is_verbatim: bool, question: Question
) -> FieldAnswer:
    """Read what a sentence in the field states, such as "The answer is (B)."."""
    if question.kind is QuestionKind.TEXT and not _SENTENCE.match(stated):
        return whole
    sentence = extract_answer(stated, question)
    start, end = sentence.answer_start, sentence.answer_end
    if start is None or end is None:
        return whole
    if question.kind is QuestionKind.NUMBER and not _has_letters(stated[:start]):
        return whole  # a number of a longer expression
    if is_verbatim:
        whole = whole._replace(start=whole.start + start, end=whole.start + end)
    return whole._replace(answer=sentence.answer)


def _has_letters(text: str) -> bool:
    """Return whether words introduce an answer, which else is no sentence."""
    return any(char.isalpha() for char in text)


def _match_choice(stated: str, question: Question) -> str | None:
    """Return the label of the choice whose label, else whose text, is `stated`."""
    folded = casefold_text(stated)
    for choice in question.choices:
        if casefold_text(choice.label) == folded:
            return choice.label
    for label, text in option_table(question).texts.items():
        if text == folded:
            return label
    return None
