"""Read the answer and the rationale that a JSON object in a text holds.

An object counts that has a field for the answer. Where one was asked for, it may stand
anywhere in the text, and may be cut short; elsewhere it has to end the text, or to begin
a line with nothing stated behind it. The last of several objects counts, but objects
that follow each other directly and differ name no single answer. Pure.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import answers_differ, casefold_text
from cotbuild.schemas.answers.extract import Extraction, extract_answer
from cotbuild.schemas.answers.flags import is_refusal
from cotbuild.schemas.answers.folding import fold
from cotbuild.schemas.answers.json_objects import (
    JsonList,
    JsonObject,
    JsonText,
    JsonValue,
    find_objects,
    unescape,
)
from cotbuild.schemas.answers.json_values import FieldAnswer, read_field
from cotbuild.schemas.answers.turn import find_turn_end, split_reasoning
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Flag

JSON_RULE = "json_field"
"""Id of the rule that reads the answer of an object."""

ANSWER_FIELDS = (
    "finalanswer", "answer", "correctanswer", "predictedanswer", "selectedanswer",
    "chosenanswer", "answerchoice", "answeroption", "answerlabel", "answerletter",
)  # fmt: skip
"""Names of the answer's field, the first that there is counts. Names are compared in
lower case without white space, `_` and `-`.
"""
OTHER_ANSWER_FIELDS = (
    "finalchoice", "correctchoice", "selectedchoice", "choice", "correctoption",
    "selectedoption", "option", "predictedlabel", "label", "prediction", "finalresult",
    "result", "output", "response",
)  # fmt: skip
"""Names that often mean something else. They count in an object that has no field of
another meaning.
"""
RATIONALE_FIELDS = (
    "rationale", "reasoning", "explanation", "thought", "thoughts", "thinking", "cot",
    "chainofthought", "solution", "analysis", "steps", "reasoningsteps", "stepbystep",
    "justification", "reason", "thoughtprocess",
)  # fmt: skip
"""Names of the rationale's field; the texts of several are joined."""
_CONTAINERS = ("response", "result", "output", "arguments", "parameters", "data")
"""Names of fields whose object may hold the answer's field."""
_SIDE_FIELDS = frozenset({"confidence", "certainty", "probability", "type", "id"})
_QUESTION_FIELDS = frozenset({"question", "problem", "premise", "query"})
_TITLE_CHARS = 40
"""Characters of a question by which it is told from another."""

_OPENING_FENCE = re.compile(
    r"(?:```[a-z]{0,8}|<[a-z]{1,12}>|(?:\A|(?<=\n))json)\s*+\Z", re.IGNORECASE
)
_INTRODUCTION = re.compile(r"(?:\A|(?<=\n))[^\n:]{0,80}:\s*+\Z")
_LINE_START = re.compile(r"(?:\A|\n)[ \t>*]*+(?:```[a-z]{0,8}\s*+|json\s*+)?\Z")
_LINE_START_CHARS = 40

# The fields of an object that was asked for, and whose text is no JSON as a whole.
_FIELD = re.compile(
    r'"(rationale|answer)"\s*+:\s*+(?:"((?>(?:[^"\\]|\\.)*))("?)|([-+\w.]++)(?=\s*[,}]))',
    re.DOTALL,
)
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_OPENED = re.compile(
    r'\s*+(?:```(?:json)?\s*+)?(?=\{\s*+(?:"|\Z))', re.IGNORECASE
)  # cut before its first value


class _Reply(NamedTuple):
    """What could be read of one object."""

    answer: FieldAnswer | None
    """None: it has no field for the answer."""
    rationale: str | None
    """None: it has no text of a rationale."""
    start: int
    end: int
    complete: bool
    """Whether it was read to its closing brace."""

    @property
    def is_empty(self) -> bool:
        """Whether it was cut before its first value."""
        return self.answer is None and self.rationale is None


def read_json_object(text: str, question: Question) -> Extraction | None:
    """Extract answer and rationale from the object that was asked for; never raises.

    None if there is no object with a field for either. If the object holds only an
    answer, the text before it is the rationale.
    """
    objects = find_objects(text)
    read = [_read_reply(found, question) for found in objects]
    replies = [reply for reply in read if reply is not None]
    with_answer = [reply for reply in replies if reply.answer is not None]
    if replies:
        return _extract(text, with_answer or replies[:1], "", question)
    cut = _read_cut_object(text, question)
    if cut is None or (objects and cut.is_empty):
        return None
    return _extract(text, [cut], "", question)


def find_json_answer(text: str, question: Question) -> Extraction | None:
    """Extract answer and rationale from an object in free text; never raises.

    None if there is no object with a field for the answer, or other text states the
    answer behind it.
    """
    if "{" not in text:
        return None
    turn = text[: find_turn_end(fold(text).lower(), question)]
    replies = []
    for found in find_objects(turn):
        if _is_about_another(found, question):
            turn = turn[: found.start]
            break
        reply = _read_reply(found, question)
        if reply is not None and reply.answer is not None:
            replies.append(reply)
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


def _is_about_another(found: JsonObject, question: Question) -> bool:
    """Return whether an object holds a question that is not the one asked.

    A model that goes on after its answer invents the next item in the form of the last.
    """
    asked = casefold_text(question.text)[:_TITLE_CHARS]
    for name, value in found.fields:
        if _fold_name(name) in _QUESTION_FIELDS and isinstance(value, JsonText):
            stated = casefold_text(value.text)[:_TITLE_CHARS]
            return not (stated.startswith(asked) or asked.startswith(stated))
    return False


def _ends_text(text: str, reply: _Reply, question: Question) -> bool:
    """Return whether an object ends a text, or begins a line with nothing stated behind."""
    rest = p.TAG.sub("", text[reply.end :])
    if not any(char.isalnum() for char in rest):
        return True
    before = text[max(0, reply.start - _LINE_START_CHARS) : reply.start]
    if not _LINE_START.search(before):
        return False
    return extract_answer(rest, question, given=True).answer_rule is None


# --- one object ---


def _read_reply(found: JsonObject, question: Question) -> _Reply | None:
    """Read the fields of an object; None if it has none of an answer or rationale."""
    fields = {_fold_name(name): value for name, value in found.fields}
    answers = [read_field(value, question) for value in _answer_values(found, fields)]
    rationale = "\n\n".join(_rationale_texts(found))
    has_rationale = not fields.keys().isdisjoint(RATIONALE_FIELDS)
    if not answers and (inner := _read_contained(fields, question)):
        rationale = rationale or inner.rationale or ""
        answers = [] if inner.answer is None else [inner.answer]
        has_rationale = True
    if not answers and not has_rationale:
        return None
    answer = answers[0] if answers else None
    if answer is not None and _differ(answers, question):
        answer = answer._replace(contradicts=True)
    return _Reply(answer, rationale or None, found.start, found.end, complete=True)


def _read_contained(fields: dict[str, JsonValue], question: Question) -> _Reply | None:
    """Read the object of a field such as `response`, if it holds an answer."""
    for name in _CONTAINERS:
        inner = fields.get(name)
        if isinstance(inner, JsonObject):
            return _read_reply(inner, question)
    return None


def _answer_values(found: JsonObject, fields: dict[str, JsonValue]) -> list[JsonValue]:
    """Return the values of the answer's fields, that which counts first."""
    names = [name for name in ANSWER_FIELDS if name in fields]
    if not names:
        known = {*OTHER_ANSWER_FIELDS, *RATIONALE_FIELDS, *_SIDE_FIELDS}
        if fields.keys() <= known:
            names = [name for name in OTHER_ANSWER_FIELDS if name in fields]
    values: list[JsonValue] = []
    for wanted in names:
        same_name = [
            value for name, value in found.fields if _fold_name(name) == wanted
        ]
        if wanted in _CONTAINERS:
            same_name = [v for v in same_name if not isinstance(v, JsonObject)]
        values += reversed(same_name)
    return values


def _rationale_texts(found: JsonObject) -> Iterator[str]:
    for name, value in found.fields:
        if _fold_name(name) in RATIONALE_FIELDS:
            text = "\n".join(_texts_in(value)).strip()
            if text:
                yield text


def _texts_in(value: JsonValue) -> Iterator[str]:
    """Yield the strings of a value in order, such as those of a list of steps."""
    match value:
        case JsonText():
            if value.is_string:
                yield value.text
        case JsonList():
            for item in value.items:
                yield from _texts_in(item)
        case JsonObject():
            for _, inner in value.fields:
                yield from _texts_in(inner)


def _fold_name(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


# --- the extraction ---


def _extract(
    text: str, replies: list[_Reply], reasoning: str, question: Question
) -> Extraction:
    """Return what the last of several objects says.

    `reasoning` comes before the rationale of the object.
    """
    last = replies[-1]
    stated = last.answer
    answer = None if stated is None else stated.answer
    parts = [part for part in (reasoning, last.rationale) if part]
    rationale = "\n\n".join(parts) or _text_around(text, replies)
    # The answer of the object counts; that of the rationale can only contradict it.
    inner = extract_answer(rationale, question, given=True)
    others = [reply.answer.answer for reply in replies if reply.answer is not None]
    flags = set(inner.flags)
    if stated is not None and stated.contradicts:
        flags.add(Flag.CONTRADICTS)
    if answers_differ((inner.answer, *others), question):
        flags.add(Flag.CONTRADICTS)
    if stated is not None and answer is None and _declines(stated, question):
        flags.add(Flag.REFUSAL)
    if _are_alternatives(text, replies, question):
        answer = None
    has_span = answer is not None and stated is not None
    return Extraction(
        answer=answer,
        rationale=inner.rationale,
        flags=tuple(sorted(flags)),
        complete=last.complete or answer is not None,
        answer_rule=None if stated is None else JSON_RULE,
        answer_start=stated.start if has_span and stated is not None else None,
        answer_end=stated.end if has_span and stated is not None else None,
    )


def _text_around(text: str, replies: list[_Reply]) -> str:
    """Return the text before the objects; if there is none, that behind them."""
    before = _text_before(text, replies)
    if before or not replies[-1].complete:
        return before
    return text[replies[-1].end :].strip("` \n")


def _text_before(text: str, replies: list[_Reply]) -> str:
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


def _are_alternatives(text: str, replies: list[_Reply], question: Question) -> bool:
    """Return whether the last two objects follow each other directly and differ."""
    if len(replies) < 2:
        return False
    between = text[replies[-2].end : replies[-1].start]
    answers = [reply.answer for reply in replies[-2:] if reply.answer is not None]
    return not between.strip(" \n\t\r,") and _differ(answers, question)


def _differ(answers: list[FieldAnswer], question: Question) -> bool:
    return answers_differ((answer.answer for answer in answers), question)


# --- an object that is cut short ---


def _read_cut_object(text: str, question: Question) -> _Reply | None:
    """Find the fields by a pattern, where an object is no JSON as a whole.

    A rationale counts even if it was cut, an answer only if its string was closed.
    """
    values: dict[str, JsonText] = {}
    start = -1
    for found in _FIELD.finditer(text):
        name, string, closing_quote, bare = found.groups()
        if start < 0:
            start = max(0, text.rfind("{", 0, found.start()))
        if bare is not None:
            values.setdefault(name, JsonText(bare, *found.span(4), False, True))
        elif closing_quote or name == "rationale":
            content = unescape(_CUT_ESCAPE.sub("", string))
            is_verbatim = content == string
            value = JsonText(content, *found.span(2), True, is_verbatim)
            values.setdefault(name, value)
    if start < 0 and (opened := _OPENED.match(text)):
        start = opened.end()
    if start < 0:
        return None
    answer, rationale = values.get("answer"), values.get("rationale")
    return _Reply(
        answer=None if answer is None else read_field(answer, question),
        rationale=rationale.text if rationale and rationale.is_string else None,
        start=start,
        end=len(text),
        complete=False,
    )
