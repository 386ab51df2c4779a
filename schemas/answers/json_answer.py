"""Read the answer and the rationale that a JSON object in a text holds.

An object counts that has a field for the answer. Where one was asked for, it may stand
anywhere in the text, and may be cut short; elsewhere it has to end the text, or to begin
a line with nothing stated behind it. The last of several objects counts, but objects
that follow each other directly and differ name no single answer. Pure.
"""

import re

from cotbuild.schemas.answers.compare import answers_differ, casefold_text
from cotbuild.schemas.answers.extract import Extraction, extract_answer
from cotbuild.schemas.answers.flags import is_refusal
from cotbuild.schemas.answers.folding import fold
from cotbuild.schemas.answers.json_fields import QUESTION_FIELDS, fold_name
from cotbuild.schemas.answers.json_objects import (
    JsonObject,
    JsonText,
    find_objects,
    may_hold_object,
)
from cotbuild.schemas.answers.json_replies import (
    Reply,
    read_closing_field,
    read_cut_object,
    read_reply,
)
from cotbuild.schemas.answers.json_values import FieldAnswer
from cotbuild.schemas.answers.turn import find_turn_end, split_reasoning
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag

JSON_RULE = "json_field"
"""Id of the rule that reads the answer of an object."""

_TITLE_CHARS = 40
"""Characters of a question that are compared with the one asked."""
_OPENING_FENCE = re.compile(
    r"(?:```[a-z]{0,8}|<[a-z_]{1,20}>|(?:\A|(?<=\n))json)\s*+\Z", re.IGNORECASE
)
_TAG = re.compile(r"</?[a-z_]{1,20}>|<\|[a-z_]{1,20}\|>", re.IGNORECASE)
_INTRODUCTION = re.compile(r"(?:\A|(?<=\n))[^\n:]{0,80}:\s*+\Z")
_LINE_START = re.compile(r"(?:\A|\n)[ \t>*]*+(?:```[a-z]{0,8}\s*+|json\s*+)?\Z")
_LINE_START_CHARS = 40


def read_json_object(text: str, question: Question) -> Extraction | None:
    """Extract answer and rationale from the object that was asked for; never raises.

    None if there is no object with a field for either. If the object holds only an
    answer, the text before it is the rationale.
    """
    objects = find_objects(text)
    read = [read_reply(found, question) for found in objects]
    replies = [reply for reply in read if reply is not None]
    with_answer = [reply for reply in replies if reply.answer is not None]
    if replies:
        return _extract(text, with_answer or replies[:1], "", question)
    if closing := read_closing_field(text, question):
        return _extract(text, [closing], "", question)
    cut = read_cut_object(text, question)
    if cut is None or (objects and cut.is_empty):
        return None
    return _extract(text, [cut], "", question)


def find_json_answer(text: str, question: Question) -> Extraction | None:
    """Extract answer and rationale from an object in free text; never raises.

    None if there is no object with a field for the answer, or other text states the
    answer behind it.
    """
    if not may_hold_object(text):
        return None
    turn = text[: find_turn_end(fold(text).lower(), question)]
    replies: list[Reply] = []
    for found in find_objects(turn):
        if _is_about_another(found, question):
            before = turn[: found.start]
            if replies or extract_answer(before, question).answer_rule is not None:
                turn = before
                break
        reply = read_reply(found, question)
        if reply is not None and reply.answer is not None:
            replies.append(reply)
    if not replies:
        broken = read_closing_field(turn, question) or _read_cut(turn, question)
        replies = [] if broken is None else [broken]
    if not replies or not _ends_text(turn, replies[-1], question):
        return None
    before = _text_before(turn, replies)
    extraction = _extract(turn, replies, before, question)
    if len(turn) == len(text):
        return extraction
    flags = tuple(sorted({*extraction.flags, Flag.RUN_ON}))
    return extraction.model_copy(update={"flags": flags})


def read_json_answer(text: str, question: Question) -> str | None:
    """Return the answer of a constrained choice, {"answer": "B"}.

    Free text, from a server that ignores the response format, is read by
    `extract_answer`. None if there is no single answer.
    """
    own_text = split_reasoning(text).own_text
    extraction = read_json_object(own_text, question)
    return (extraction or extract_answer(own_text, question)).answer


# --- which objects count ---


def _read_cut(text: str, question: Question) -> Reply | None:
    """Read an object that begins a line and is cut short behind its answer."""
    cut = read_cut_object(text, question)
    if cut is None or cut.answer is None or not _begins_line(text, cut):
        return None
    return None if _has_words(text[cut.end :]) else cut


def _is_about_another(found: JsonObject, question: Question) -> bool:
    """Return whether an object holds a question that is not the one asked.

    A model that goes on after its answer invents the next item in the form of the last.
    """
    title = casefold_text(question.text)[:_TITLE_CHARS]
    for name, value in found.fields:
        if fold_name(name) in QUESTION_FIELDS and isinstance(value, JsonText):
            stated = casefold_text(value.text)[:_TITLE_CHARS]
            return not (stated.startswith(title) or title.startswith(stated))
    return False


def _ends_text(text: str, reply: Reply, question: Question) -> bool:
    """Return whether an object ends a text, or begins a line with nothing stated behind.

    Prose behind it is no answer to a text question.
    """
    rest = text[reply.end :]
    if not _has_words(rest):
        return True
    if not _begins_line(text, reply):
        return False
    if question.kind is QuestionKind.TEXT:
        # "The answer is the string of all names." only describes it.
        return True
    return extract_answer(rest, question, given=True).answer_rule is None


def _begins_line(text: str, reply: Reply) -> bool:
    before = text[max(0, reply.start - _LINE_START_CHARS) : reply.start]
    return _LINE_START.search(before) is not None


def _has_words(text: str) -> bool:
    return any(char.isalnum() for char in _TAG.sub("", text))


# --- the extraction ---


def _extract(
    text: str, replies: list[Reply], reasoning: str, question: Question
) -> Extraction:
    """Return what the last of several objects says.

    `reasoning` comes before the rationale of the object.
    """
    last = replies[-1]
    stated = last.answer
    answer, start, end = None, None, None
    has_one = not _are_alternatives(text, replies, question)
    if has_one and stated is not None and stated.answer is not None:
        answer, start, end = stated.answer, stated.start, stated.end
    parts = [part for part in (reasoning, last.rationale) if part]
    rationale = "\n\n".join(parts) or _text_around(text, replies)
    # The answer of the object counts; that of the rationale can only contradict it.
    inner = extract_answer(rationale, question, given=True)
    return Extraction(
        answer=answer,
        rationale=inner.rationale,
        flags=_find_flags(inner, replies, question),
        complete=last.complete or answer is not None,
        answer_rule=None if stated is None else JSON_RULE,
        answer_start=start,
        answer_end=end,
    )


def _find_flags(
    inner: Extraction, replies: list[Reply], question: Question
) -> tuple[Flag, ...]:
    """Return the flags of a rationale and of the objects, sorted."""
    flags = set(inner.flags)
    answers = [reply.answer for reply in replies if reply.answer is not None]
    stated = replies[-1].answer
    if stated is not None and stated.contradicts:
        flags.add(Flag.CONTRADICTS)
    if answers_differ((inner.answer, *(one.answer for one in answers)), question):
        flags.add(Flag.CONTRADICTS)
    if stated is not None and stated.answer is None and _declines(stated, question):
        flags.add(Flag.REFUSAL)
    return tuple(sorted(flags))


def _text_around(text: str, replies: list[Reply]) -> str:
    """Return the text before the objects; if there is none, that behind them."""
    before = _text_before(text, replies)
    if before or not replies[-1].complete:
        return before
    return text[replies[-1].end :].strip("` \n")


def _text_before(text: str, replies: list[Reply]) -> str:
    """Return the text before the last object, without the others and introductions."""
    parts = []
    end = 0
    for reply in replies:
        part = _OPENING_FENCE.sub("", text[end : reply.start])
        parts.append(_INTRODUCTION.sub("", part).strip("` \n"))
        end = reply.end
    return "\n\n".join(part for part in parts if part)


def _declines(stated: FieldAnswer, question: Question) -> bool:
    return is_refusal(fold(f"answer: {stated.text}").lower(), question)


def _are_alternatives(text: str, replies: list[Reply], question: Question) -> bool:
    """Return whether the last two objects follow each other directly and differ."""
    if len(replies) < 2:
        return False
    between = text[replies[-2].end : replies[-1].start]
    answers = [reply.answer for reply in replies[-2:] if reply.answer is not None]
    return not between.strip(" \n\t\r,") and answers_differ(
        (answer.answer for answer in answers), question
    )
