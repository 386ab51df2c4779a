"""Parse JSON that somebody else wrote, within bounds.

The parser of the standard library bounds nothing but the digits of a whole number. What
it returns may be nested so deeply that comparing, printing or encoding it again raises
RecursionError, and may hold lone surrogates, which no file in UTF-8 can.
"""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from cotbuild.schemas.record import MAX_INT, MIN_INT, short_repr

MAX_JSON_DEPTH = 100
"""Deepest nesting of lists and objects."""

_SPACE = re.compile(r"[ \t\n\r]*+")
_MAX_SPACE = 1_000
"""Longest space between a comma and a bracket that is looked at."""
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_INT_CHARS = len(str(MIN_INT))


class JsonFault(ValueError):
    """Text that is not JSON or exceeds a bound; the message is a clause in one line."""


def parse_json(text: str, *, allow_nan: bool = False) -> Any:
    """Return the value of JSON in a row or cell of a source.

    Whole numbers may have up to 4,300 digits, and texts may have lone surrogates: a
    column that is not read does no harm. `allow_nan` lets NaN and infinity pass, which
    pandas writes. Raises JsonFault on them otherwise, and on nesting deeper than
    MAX_JSON_DEPTH.
    """
    decoder = _NAN_DECODER if allow_nan else _ROW_DECODER
    value = _decode(decoder, text)
    if _may_be_deep(text):
        _check_values(value, texts=False)
    return value


def parse_json_values(text: str, *, allow_nan: bool = False) -> list[Any]:
    """Return the values of a text that holds one JSON value after the other, at least one.

    Raises JsonFault as `parse_json` does.
    """
    decoder = _NAN_DECODER if allow_nan else _ROW_DECODER
    values: list[Any] = []
    start = _skip_space(text, 0)
    while start < len(text) or not values:
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as fault:
            raise _explain(fault) from fault
        values.append(value)
        start = _skip_space(text, end)
        if text[start : start + 1] in (",", "]", "}"):
            raise JsonFault(
                f"more after the end of its value, {text[start]!r} at "
                f"{_format_place(text, start)}"
            )
    if _may_be_deep(text):
        for value in values:
            _check_values(value, texts=False)
    return values


def _skip_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return start if match is None else match.end()


def _may_be_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_JSON_DEPTH


def parse_record_json(data: str | bytes, *, allow_nan: bool = False) -> Any:
    """Return the value of a JSON file that cotbuild writes, or says it has written.

    `allow_nan` lets NaN and infinity pass, as Python writes them. Raises JsonFault where
    `parse_json` does, and on bytes that are not UTF-8, a lone surrogate, a number beyond
    64 bits, and a key that an object repeats.
    """
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        text.encode()
    except UnicodeDecodeError as fault:
        byte = fault.object[fault.start]
        raise JsonFault(f"byte {fault.start} is {byte:#04x}, not UTF-8") from fault
    except UnicodeEncodeError as fault:
        raise JsonFault(f"lone surrogate at character {fault.start}") from fault
    decoder = _METRICS_DECODER if allow_nan else _RECORD_DECODER
    value = _decode(decoder, text)
    has_surrogates = _SURROGATE_ESCAPE.search(text) is not None
    if has_surrogates or _may_be_deep(text):
        _check_values(value, texts=has_surrogates)
    return value


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as fault:
        raise _explain(fault) from fault


def _explain(fault: ValueError | RecursionError) -> JsonFault:
    """Return the fault that the standard library's decoder has met."""
    match fault:
        case JsonFault():
            return fault
        case RecursionError():
            return _depth_fault()
        case json.JSONDecodeError():
            return JsonFault(_explain_syntax(fault) or str(fault))
    # Python's bound; its message advises to raise it, which no user can.
    return JsonFault("a whole number of more than 4,300 digits")


def _explain_syntax(fault: json.JSONDecodeError) -> str | None:
    """Return what is wrong, for the mistakes whose message is not clear."""
    text, position = fault.doc, fault.pos
    before = text[max(0, position - _MAX_SPACE) : position].rstrip()
    found = text[position : position + 1]
    place = _format_place(text, position)
    if before.endswith(",") and found in ("]", "}"):
        return f"a comma before {found!r} at {place}, which JSON does not allow"
    if found == "," and fault.msg == "Extra data":
        return f"a comma after the end of the value at {place}"
    if found == "'":
        return f"a text in single quotes at {place}; JSON has double quotes"
    if text.startswith(("True", "False", "None"), position):
        return f"a value of Python at {place}; JSON has true, false and null"
    return None


def _format_place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} column {position - text.rfind(chr(10), 0, position)}"


def _depth_fault() -> JsonFault:
    return JsonFault(f"nested deeper than {MAX_JSON_DEPTH} levels")


def _check_values(value: Any, *, texts: bool) -> None:
    """Raise JsonFault if a value is nested too deeply or, with `texts`, is not Unicode.

    Without recursion, since the value may be nested to any depth.
    """
    level = [value]
    depth = 0
    while level:
        if texts:
            _check_texts(level)
        containers = [item for item in level if isinstance(item, dict | list)]
        if containers and depth == MAX_JSON_DEPTH:
            raise _depth_fault()
        depth += 1
        level = []
        for container in containers:
            if isinstance(container, dict):
                level += container.keys()
                level += container.values()
            else:
                level += container


def _check_texts(values: list[Any]) -> None:
    for value in values:
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as fault:
                raise JsonFault(
                    f"the text {short_repr(value)} has a lone surrogate, which is not "
                    "valid Unicode"
                ) from fault


def _parse_int(digits: str) -> int:
    value = int(digits) if len(digits) <= _MAX_INT_CHARS else MAX_INT + 1
    if not MIN_INT <= value <= MAX_INT:
        raise JsonFault(f"the number {_clip(digits)} has more than 64 bits")
    return value


def _parse_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise JsonFault(f"the number {_clip(digits)} is out of range")
    return value


def _clip(digits: str) -> str:
    return digits if len(digits) <= 40 else f"{digits[:40]}..."


def _reject_constant(constant: str) -> NoReturn:
    raise JsonFault(f"{constant} is no JSON value")


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise JsonFault(f"an object has the key {short_repr(repeated)} twice")
    return value


_NAN_DECODER = json.JSONDecoder()
_ROW_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
_METRICS_DECODER = json.JSONDecoder(
    parse_int=_parse_int, object_pairs_hook=_make_object
)
_RECORD_DECODER = json.JSONDecoder(
    parse_constant=_reject_constant,
    parse_int=_parse_int,
    parse_float=_parse_float,
    object_pairs_hook=_make_object,
)
