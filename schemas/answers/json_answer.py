"""Reading the JSON object a teacher was asked for, {"rationale": …, "answer": …}:
whole, fenced, or cut short. Pure.
"""

import json
import re
from typing import Any, NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import compared
from cotbuild.schemas.answers.extract import Extraction, extract
from cotbuild.schemas.answers.flags import refuses
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.answers.statements import differ, split_thought
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import Flag

# Numbers stay text: 1.10 keeps its digits, and 5,000 of them raise nothing.
# strict=False: raw newlines in strings.
_DECODER = json.JSONDecoder(
    strict=False, parse_int=str, parse_float=str, parse_constant=str
)
_FIELD = re.compile(
    r'"(rationale|answer)"\s*+:\s*+(?:"((?>(?:[^"\\]|\\.)*))("?)|([-+\w.]++)(?=\s*[,}]))',
    re.DOTALL,
)
_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]|(?:u[0-9a-fA-F]{0,3})?\Z)')
_OPENED = re.compile(
    r'\s*+(?:```(?:json)?\s*+)?(?=\{\s*+(?:"|\Z))', re.IGNORECASE
)  # cut before its first value
_FENCE = re.compile(r"```(?:json)?\s*\Z", re.IGNORECASE)
_LITERALS = {"true": True, "false": False, "null": None}


class JsonObject(NamedTuple):
    """What could be read of the object."""

    fields: dict[str, Any]
    start: int  # offset of it in the text
    closed: bool  # whether it was read to its end


def read_object(text: str, question: Question) -> Extraction | None:
    """What the object in `text` says; None: there is none with a `rationale` or an
    `answer`. Never raises.
    """
    found = _decode(text)
    if found is None:
        return None
    rationale = found.fields.get("rationale")
    if not isinstance(rationale, str):
        rationale = _FENCE.sub(
            "", text[: found.start]
        )  # reasoned in front of an object that holds only the answer
    said = extract(rationale, question, given=True)
    stated = found.fields.get("answer")
    answer = _answer(stated, question)
    flags = set(said.flags)
    if (
        answer is None
        and isinstance(stated, str)
        and refuses(p.fold(f"answer: {stated}").lower(), question)
    ):
        flags.add(Flag.REFUSAL)
    if differ((said.answer, answer), question):
        flags.add(Flag.CONTRADICTS)
    return Extraction(
        answer=answer,
        rationale=said.rationale,
        flags=tuple(sorted(flags)),
        whole=found.closed or answer is not None,
    )


def read_answer(text: str, question: Question) -> str | None:
    """The answer of a constrained choice, {"answer": "B"}; of free text, what `extract`
    takes from it.
    """
    own = split_thought(text)[1]
    found = read_object(own, question) or extract(own, question)
    return found.answer


def _decode(text: str) -> JsonObject | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (
        ValueError,
        RecursionError,
    ):  # no JSON from here on: cut, badly escaped, or behind a brace of prose
        return _decode_part(text)
    if not value.keys() & {"rationale", "answer"}:
        return None
    return JsonObject(
        {key: _text(value[key]) for key in ("rationale", "answer") if key in value},
        start,
        True,
    )


def _decode_part(text: str) -> JsonObject | None:
    """The fields that a pattern finds: a rationale though it was cut, an answer only
    where it was closed.
    """
    fields: dict[str, Any] = {}
    start = -1
    for found in _FIELD.finditer(text):
        name, string, closed, bare = found.groups()
        start = max(0, text.rfind("{", 0, found.start())) if start < 0 else start
        if string is not None and (closed or name == "rationale"):
            fields.setdefault(name, _text(_ESCAPE.sub(_unescape, string)))
        elif bare is not None:
            fields.setdefault(name, _LITERALS.get(bare, bare))
    if start < 0 and (cut := _OPENED.match(text)):
        start = cut.end()
    return JsonObject(fields, start, False) if start >= 0 else None


def _unescape(escape: re.Match[str]) -> str:
    whole = len(escape[0]) == (6 if escape[0].startswith("\\u") else 2)
    return str(json.loads(f'"{escape[0]}"')) if whole else ""


def _text(value: object) -> object:
    """A string without halves of surrogate pairs, which no file can hold; anything else
    as it is.
    """
    return (
        value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(value, str)
        else value
    )


def _answer(value: object, question: Question) -> str | None:
    """The answer in the form of the target."""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if not isinstance(value, str) or not value.strip():
        return None
    said = value.strip()
    if question.kind is QuestionKind.TEXT:
        return None if p.NO_SINGLE.match(said) else said
    for choice in question.choices:
        if compared(choice.label) == compared(said):
            return choice.label
    for choice in question.choices:
        if compared(choice.text) == compared(said):
            return choice.label
    read = READERS[question.kind](said, question)
    return read.answer if read else extract(said, question).answer
