"""Read the JSON object {"rationale": …, "answer": …} that a teacher was asked for.

It may be complete, fenced, or cut short. Pure.
"""

import json
import re
from typing import Any, NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import answers_differ, casefold_text
from cotbuild.schemas.answers.extract import Extraction, extract_answer
from cotbuild.schemas.answers.flags import is_refusal
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.answers.turn import split_reasoning
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag

_FIELDS = ("rationale", "answer")
# Numbers stay text: 1.10 keeps its digits, and 5,000 of them raise nothing.
# strict=False allows raw line breaks in strings.
_DECODER = json.JSONDecoder(
    strict=False, parse_int=str, parse_float=str, parse_constant=str
)
_FIELD = re.compile(
    r'"(rationale|answer)"\s*+:\s*+(?:"((?>(?:[^"\\]|\\.)*))("?)|([-+\w.]++)(?=\s*[,}]))',
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]|(?:u[0-9a-fA-F]{0,3})?\Z)')
_SHORT_ESCAPES = {
    r"\"": '"', r"\\": "\\", r"\/": "/", r"\b": "\b",
    r"\f": "\f", r"\n": "\n", r"\r": "\r", r"\t": "\t",
}  # fmt: skip
_OPENED = re.compile(
    r'\s*+(?:```(?:json)?\s*+)?(?=\{\s*+(?:"|\Z))', re.IGNORECASE
)  # cut before its first value
_FENCE = re.compile(r"```(?:json)?\s*\Z", re.IGNORECASE)
_LITERALS = {"true": True, "false": False, "null": None}


class JsonObject(NamedTuple):
    """The fields that could be read of an object."""

    fields: dict[str, Any]
    start: int
    """Its offset in the text."""
    complete: bool
    """Whether it was read to its closing brace."""


def read_json_object(text: str, question: Question) -> Extraction | None:
    """Extract answer and rationale from the object in `text`; never raises.

    None if there is no object with a `rationale` or an `answer`. If the object holds
    only an answer, the text before it is the rationale.
    """
    found = _decode(text)
    if found is None:
        return None
    rationale = found.fields.get("rationale")
    if not isinstance(rationale, str):
        rationale = _FENCE.sub("", text[: found.start])
    stated = found.fields.get("answer")
    answer = _read_field(stated, question)
    # The answer of the object counts; that of the rationale can only contradict it.
    inner = extract_answer(rationale, question, given=True)
    flags = set(inner.flags)
    if answer is None and isinstance(stated, str):
        as_statement = p.fold(f"answer: {stated}").lower()
        if is_refusal(as_statement, question):
            flags.add(Flag.REFUSAL)
    if answers_differ((inner.answer, answer), question):
        flags.add(Flag.CONTRADICTS)
    return Extraction(
        answer=answer,
        rationale=inner.rationale,
        flags=tuple(sorted(flags)),
        complete=found.complete or answer is not None,
    )


def read_json_answer(text: str, question: Question) -> str | None:
    """Return the answer of a constrained choice, {"answer": "B"}.

    Free text, from a server that ignores the response format, is read by
    `extract_answer`. None if there is no single answer.
    """
    own_text = split_reasoning(text).own_text
    extraction = read_json_object(own_text, question)
    return (extraction or extract_answer(own_text, question)).answer


def _decode(text: str) -> JsonObject | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        # No JSON from here on: cut, badly escaped, or after a brace of prose.
        return _decode_fields(text)
    fields = {
        name: _replace_surrogates(value[name]) for name in _FIELDS if name in value
    }
    return JsonObject(fields, start, complete=True) if fields else None


def _decode_fields(text: str) -> JsonObject | None:
    """Find the fields by a pattern, where the object is no JSON as a whole.

    A rationale counts even if it was cut, an answer only if its string was closed.
    """
    fields: dict[str, Any] = {}
    start = -1
    for found in _FIELD.finditer(text):
        name, string, closing_quote, bare = found.groups()
        if start < 0:
            start = max(0, text.rfind("{", 0, found.start()))
        if bare is not None:
            fields.setdefault(name, _LITERALS.get(bare, bare))
        elif closing_quote or name == "rationale":
            value = _replace_surrogates(_ESCAPE.sub(_unescape, string))
            fields.setdefault(name, value)
    if start < 0 and (opened := _OPENED.match(text)):
        start = opened.end()
    return JsonObject(fields, start, complete=False) if start >= 0 else None


def _unescape(escape: re.Match[str]) -> str:
    if escape[0] in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[escape[0]]
    is_complete = len(escape[0]) == len("\\u0000")
    return chr(int(escape[0][2:], base=16)) if is_complete else ""


def _replace_surrogates(value: object) -> object:
    """Replace lone surrogates of a string, which no file can hold."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _read_field(value: object, question: Question) -> str | None:
    """Return the `answer` of an object in the form of the target; None: no single one."""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if not isinstance(value, str) or not value.strip():
        return None
    stated = value.strip()
    if question.kind is QuestionKind.TEXT:
        return None if p.NO_SINGLE.match(stated) else stated
    if label := _match_choice(stated, question):
        return label
    read = READERS[question.kind](stated, question)
    return read.answer if read else extract_answer(stated, question).answer


def _match_choice(stated: str, question: Question) -> str | None:
    """Return the label of the choice whose label, else whose text, is `stated`."""
    folded = casefold_text(stated)
    for choice in question.choices:
        if casefold_text(choice.label) == folded:
            return choice.label
    for choice in question.choices:
        if casefold_text(choice.text) == folded:
            return choice.label
    return None
