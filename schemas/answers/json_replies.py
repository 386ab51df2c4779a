"""Read what one JSON object says: the fields of its answer and of its rationale.

An object may be no JSON as a whole, since a comma or a quote is missing, or since it was
cut short. Pure.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cotbuild.schemas.answers.compare import answers_differ
from cotbuild.schemas.answers.json_fields import (
    ANSWER_FIELDS,
    CONTAINERS,
    OTHER_ANSWER_FIELDS,
    SIDE_FIELDS,
    fold_name,
    is_answer_name,
    is_rationale_name,
)
from cotbuild.schemas.answers.json_objects import (
    JsonList,
    JsonObject,
    JsonText,
    JsonValue,
    find_objects,
    make_text,
    may_hold_object,
    unescape,
)
from cotbuild.schemas.answers.json_values import FieldAnswer, read_field
from cotbuild.schemas.question import Question

# The last field of an object that is no JSON as a whole: a comma or a quote is missing.
_CLOSING_FIELD = re.compile(
    r"""["'](?P<name>[\w -]{1,30})["']\s*+:\s*+"""
    r"""(?:(?:"(?P<double>(?>(?:[^"\\\n]++|\\.)*))"|'(?P<single>(?>(?:[^'\\\n]++|\\.)*))')"""
    r"""\s*+,?\s*+(?:\}|```|\Z)|(?P<bare>[-+\w./%]++)\s*+,?\s*+(?:\}|```))"""
)
_OBJECT_START = re.compile(r"""\{\s*+["'][\w -]{1,30}["']\s*+:\s*+["']?+""")

# The fields of an object that is cut short.
_FIELD = re.compile(
    r'"(?P<name>[\w -]{1,30})"\s*+:\s*+'
    r'(?:"(?P<string>(?>(?:[^"\\]|\\.)*))(?P<closing>"?)|(?P<bare>[-+\w.]++)(?=\s*[,}]))',
    re.DOTALL,
)
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_OPENED = re.compile(
    r'\s*+(?:```(?:json)?\s*+)?(?=\{\s*+(?:"|\Z))', re.IGNORECASE
)  # cut before its first value


class Reply(NamedTuple):
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


# --- a whole object ---


def read_reply(found: JsonObject, question: Question) -> Reply | None:
    """Read the fields of an object; None if it has none of an answer or rationale."""
    fields = {fold_name(name): value for name, value in found.fields}
    answers = [read_field(value, question) for value in _answer_values(found, fields)]
    rationale = "\n\n".join(_rationale_texts(found))
    has_rationale = any(map(is_rationale_name, fields))
    if not answers and (inner := _read_contained(fields, question)):
        rationale = rationale or inner.rationale or ""
        answers = [] if inner.answer is None else [inner.answer]
        has_rationale = True
    if not answers and not has_rationale:
        return None
    answer = answers[0] if answers else None
    if answer is not None and answers_differ((a.answer for a in answers), question):
        answer = answer._replace(contradicts=True)
    return Reply(answer, rationale or None, found.start, found.end, complete=True)


def _read_contained(fields: dict[str, JsonValue], question: Question) -> Reply | None:
    """Read the object in a field such as `response`, or in the only field."""
    names = fields if len(fields) == 1 else CONTAINERS
    for name in names:
        inner = fields.get(name)
        if isinstance(inner, JsonObject):
            return read_reply(inner, question)
        if name in CONTAINERS and isinstance(inner, JsonText):
            return _read_written(inner, question)
    return None


def _read_written(value: JsonText, question: Question) -> Reply | None:
    """Read the object that a string holds, written as JSON."""
    objects = find_objects(value.text)
    reply = read_reply(objects[-1], question) if objects else None
    if reply is None or reply.answer is None:
        return None
    # Its places are those in the string, so the whole string stands for the answer.
    answer = reply.answer._replace(start=value.start, end=value.end)
    return reply._replace(answer=answer)


def _answer_values(found: JsonObject, fields: dict[str, JsonValue]) -> list[JsonValue]:
    """Return the values of the answer's fields, that which counts first."""
    names = [name for name in ANSWER_FIELDS if name in fields]
    names = names or [name for name in fields if is_answer_name(name)]
    if not names and all(map(_is_known_name, fields)):
        names = [name for name in OTHER_ANSWER_FIELDS if name in fields]
    values: list[JsonValue] = []
    for wanted in names:
        same_name = [value for name, value in found.fields if fold_name(name) == wanted]
        if wanted in CONTAINERS:
            same_name = [value for value in same_name if not _holds_object(value)]
        values += reversed(same_name)
    return values


def _is_known_name(name: str) -> bool:
    is_other = name in OTHER_ANSWER_FIELDS or name in SIDE_FIELDS
    return is_other or is_rationale_name(name)


def _holds_object(value: JsonValue) -> bool:
    if isinstance(value, JsonText):
        return may_hold_object(value.text)
    return isinstance(value, JsonObject)


def _rationale_texts(found: JsonObject) -> Iterator[str]:
    for name, value in found.fields:
        if is_rationale_name(fold_name(name)):
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


# --- an object that is no JSON as a whole ---


def read_closing_field(text: str, question: Question) -> Reply | None:
    """Read the last field of an object, where what comes before it is no JSON."""
    opened = _OBJECT_START.search(text)
    if opened is None:
        return None
    closing = None
    for found in _CLOSING_FIELD.finditer(text, opened.start()):
        if is_answer_name(fold_name(found["name"])):
            closing = found
    if closing is None:
        return None
    group = next(
        name for name in ("double", "single", "bare") if closing[name] is not None
    )
    value = make_text(closing[group], closing.start(group), is_string=group != "bare")
    rationale = text[opened.end() : closing.start()].strip(" \n\t\r,`\"'")
    return Reply(
        answer=read_field(value, question),
        rationale=unescape(rationale) or None,
        start=opened.start(),
        end=closing.end(),
        complete=True,
    )


def read_cut_object(text: str, question: Question) -> Reply | None:
    """Find the fields of an object that is cut short.

    A rationale counts even if it was cut, an answer only if its string was closed.
    """
    answers: dict[str, JsonText] = {}
    rationale: JsonText | None = None
    start, end = -1, len(text)
    for found in _FIELD.finditer(text):
        name, end = fold_name(found["name"]), found.end()
        if start < 0 and (is_answer_name(name) or is_rationale_name(name)):
            start = max(0, text.rfind("{", 0, found.start()))
        if is_answer_name(name):
            if not _is_cut(found):
                answers.setdefault(name, _read_cut_value(found))
        elif rationale is None and is_rationale_name(name) and found["bare"] is None:
            rationale = _read_cut_value(found)
    if start < 0 and (opened := _OPENED.match(text)):
        start = opened.end()
    if start < 0:
        return None
    names = [name for name in ANSWER_FIELDS if name in answers] or list(answers)
    return Reply(
        answer=read_field(answers[names[0]], question) if names else None,
        rationale=None if rationale is None else rationale.text,
        start=start,
        end=end,
        complete=False,
    )


def _is_cut(field: re.Match[str]) -> bool:
    """Return whether the string of a field is not closed."""
    return field["bare"] is None and not field["closing"]


def _read_cut_value(field: re.Match[str]) -> JsonText:
    if field["bare"] is not None:
        return make_text(field["bare"], field.start("bare"), is_string=False)
    written = field["string"]
    content = unescape(_CUT_ESCAPE.sub("", written))
    is_verbatim = content == written
    return JsonText(content, *field.span("string"), True, is_verbatim)
