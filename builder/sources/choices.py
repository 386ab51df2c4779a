"""Parse the choices of a row from any published form.

Where a text or an object could hold choices in two ways, it holds none.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.make import LETTERS, clean_text
from cotbuild.builder.sources.python_text import PythonTextFault, parse_list_text
from cotbuild.schemas.record import short_repr

LETTERED = re.compile(r"\(?([A-Za-z])[).:]\s*(\S.*)", re.DOTALL)
"""An option that begins with its own letter, such as "A)21"."""
MAX_TEXT_CHARS = 100_000
"""Longest text that is split at the letters of its options."""
_MARKERS = (
    re.compile(r"^[ \t]*\(?([A-Za-z])[ ]?[).:]", re.MULTILINE),
    re.compile(r"(?:^|[,;])[ ]*([A-Za-z])[ ]?[).:]"),
    re.compile(r"\(([A-Za-z])\)"),
)
"""What begins an option: a letter at the start of a line, behind a comma, in brackets."""
_SEPARATORS = " \t\r\n,;"


def parse_choices(value: object) -> list[tuple[str, str]]:
    """Return choices as (label, text) from any published form; raises BadRow.

    The forms are ["red", "blue"] (labelled A, B, …), [{"label": "A", "text": "red"},
    …], {"label": [...], "text": [...]}, {"A": "red", "B": "blue"}, and a string that
    holds one of them as JSON or Python text, as a CSV cell does, or "A. red\\nB. blue".
    In {"red": 0, "blue": 1} the keys are the texts. Empty choices at the end are
    dropped, as are the letters of ["A) red", "B) blue"].
    """
    if isinstance(value, str):
        value = _parse_cell(value)
    if isinstance(value, dict):
        return _parse_choice_mapping(value)
    if isinstance(value, list | tuple):
        return _parse_choice_list(value)
    raise _bad_choices(value)


def _parse_choice_mapping(value: dict[Any, Any]) -> list[tuple[str, str]]:
    labels, texts = value.get("label"), value.get("text")
    if labels is None and texts is None:
        if has_marks(value):
            return _parse_choice_list(list(value))
        items = without_empty_end(list(value.items()), lambda item: _is_empty(item[1]))
        return [_clean_pair(label, text) for label, text in items]
    if not isinstance(labels, list | tuple) or not isinstance(texts, list | tuple):
        raise _bad_choices(value)
    if len(labels) != len(texts):
        raise _bad_choices(value)
    pairs = list(zip(labels, texts, strict=True))
    kept = without_empty_end(pairs, lambda pair: _is_empty(pair[1]))
    return [_clean_pair(label, text) for label, text in kept]


def _parse_choice_list(value: Sequence[Any]) -> list[tuple[str, str]]:
    if all(isinstance(item, dict) for item in value):
        items = without_empty_end(value, lambda item: _is_empty(item.get("text")))
        return [_clean_pair(item.get("label"), item.get("text")) for item in items]
    kept = without_empty_end(value, _is_empty)
    if len(kept) > len(LETTERS):
        raise _bad_choices(value)
    texts = _without_letters([_clean_option(text) for text in kept])
    return list(zip(LETTERS, texts, strict=False))


def without_empty_end(
    values: Sequence[Any], is_empty: Callable[[Any], bool]
) -> list[Any]:
    """Return the choices without the empty ones at the end, which fill up columns."""
    end = len(values)
    while end and is_empty(values[end - 1]):
        end -= 1
    return list(values[:end])


def _is_empty(value: object) -> bool:
    """Return whether a choice is null, blank or NaN."""
    if isinstance(value, str):
        return not clean_text(value)
    return value is None or value != value


def _without_letters(texts: list[str]) -> list[str]:
    """Return choices without their letters, if each begins with its own."""
    matches = [LETTERED.fullmatch(text) for text in texts]
    rest = [match[2] for match in matches if match]
    letters = "".join(match[1].upper() for match in matches if match)
    return rest if rest and letters == LETTERS[: len(texts)] else texts


def has_marks(value: dict[Any, Any]) -> bool:
    """Return whether an object marks one of its keys by 1, and the others by 0.

    Keys that are letters or numbers are labels, and 0 and 1 then texts.
    """
    marks = list(value.values())
    are_marks = all(type(mark) is int and mark in (0, 1) for mark in marks)
    has_words = any(isinstance(key, str) and len(key) > 2 for key in value)
    return are_marks and has_words and sum(marks) == 1


def split_lettered(text: str) -> list[str] | None:
    """Return the options of a text such as "A. red\\nB. blue" or "a ) 1 , b ) 2".

    None unless the letters count from A, without a gap or another one among them.
    """
    if len(text) > MAX_TEXT_CHARS:
        return None
    text = clean_text(text)
    for marker in _MARKERS:
        matches = list(marker.finditer(text))
        letters = "".join(match[1].upper() for match in matches)
        is_complete = len(letters) >= 2 and LETTERS.startswith(letters)
        if not is_complete or matches[0].start() > 0:
            continue
        starts = [match.end() for match in matches]
        ends = [*(match.start() for match in matches[1:]), len(text)]
        parts = zip(starts, ends, strict=True)
        options = [text[start:end].strip(_SEPARATORS) for start, end in parts]
        if all(options):
            return options
    return None


def _parse_cell(text: str) -> Any:
    options = split_lettered(text)
    if options is not None:
        return options
    try:
        return parse_list_text(text)
    except PythonTextFault as error:
        raise _bad_choices(text) from error


def _clean_pair(label: object, text: object) -> tuple[str, str]:
    return _clean_option(label), _clean_option(text)


def _clean_option(value: object) -> str:
    """Return a choice's label or text, which may be published as a number."""
    if isinstance(value, str):
        text = clean_text(value)
        if text:
            return text
    elif isinstance(value, int | float) and not isinstance(value, bool):
        is_finite = not isinstance(value, float) or math.isfinite(value)
        if is_finite:  # NaN is an empty cell
            return str(value)
    raise _bad_choices(value)


def _bad_choices(value: object) -> BadRow:
    return BadRow(
        BadRowReason.BAD_CHOICES,
        f"choices hold {short_repr(value)}. Expected a list of texts, a list of "
        '{label, text}, {"label": […], "text": […]}, {"A": text, …}, or one of these as '
        "JSON.",
    )
