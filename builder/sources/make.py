"""Make questions from the raw values of rows: texts, ids, choices and validation."""

import math
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any

from pydantic import ValidationError

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.python_text import PythonTextFault, parse_list_text
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import explain_validation_error, short_repr

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERED = re.compile(r"\(?([A-Za-z])[).:]\s*(\S.*)", re.DOTALL)
"""An option that begins with its own letter, such as "A)21"."""
ChoicePairs = Sequence[tuple[str, str]]
"""Choices as (label, text)."""

# Zero-width space, word joiner, BOM. Not the (non-)joiners U+200C and U+200D, which
# Persian, Hindi and emoji need.
_ZERO_WIDTH = {0x200B: None, 0x2060: None, 0xFEFF: None}


def clean_text(text: str) -> str:
    """Return a text without outer white space and zero-width characters."""
    if text.isascii():
        return text.strip()
    return text.translate(_ZERO_WIDTH).strip()


def clean_field(value: object, field: str) -> str:
    """Return the cleaned text of a required field; raises BadRow if there is none."""
    text = clean_text(value) if isinstance(value, str) else ""
    if not text:
        raise BadRow(
            BadRowReason.MISSING_FIELD, f"{field} is {short_repr(value)}, not a text."
        )
    return text


def join_texts(value: object) -> str | None:
    """Return a text, or the texts of a list joined by spaces; None if there is none."""
    parts = value if isinstance(value, list | tuple) else [value]
    texts = [clean_text(part) for part in parts if isinstance(part, str)]
    return " ".join(text for text in texts if text) or None


def clean_id(value: object) -> str:
    """Return the id in a text or a whole number; raises BadRow for other values."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return clean_field(value, "id")


def derive_content_id(text: str, pairs: ChoicePairs) -> str:
    """Return the id of a row without one, 16 hex digits of a sha256.

    It depends on the text and the choices alone, not on the position of the row. Raises
    BadRow if they are not valid Unicode.
    """
    # Each part follows its length, so that no two contents give the same data.
    # Canonical JSON takes three times as long.
    parts = [text, *chain.from_iterable(pairs)]
    data = "".join([f"{len(part)}:{part}" for part in parts])
    try:
        encoded = f"question-id/1\n{data}".encode()
    except UnicodeEncodeError as error:  # such as JSON's "\ud800"
        raise BadRow(
            BadRowReason.BAD_QUESTION,
            f"question {short_repr(text)} has a lone surrogate in text or choices, "
            "which is not valid Unicode.",
        ) from error
    return sha256(encoded).hexdigest()[:16]


def make_question(
    row_id: str | None,
    kind: QuestionKind,
    text: str,
    pairs: ChoicePairs,
    target: str | None,
    ref: SourceRef,
    other_targets: Sequence[str] = (),
) -> Question:
    """Return a validated question; its id is derived from the content if it is None.

    Raises BadRow.
    """
    question_id = derive_content_id(text, pairs) if row_id is None else row_id
    _refuse_nul(
        [question_id, text, *chain.from_iterable(pairs), *other_targets], target
    )
    choices = [{"label": label, "text": option} for label, option in pairs]
    try:
        # One call for question and choices: a million rows are validated on every run.
        return Question.model_validate(
            {
                "id": question_id,
                "kind": kind,
                "text": text,
                "choices": choices,
                "target": target,
                "other_targets": other_targets,
                "source": ref,
            },
            strict=False,
        )
    except ValidationError as error:
        raise _bad_question(question_id, kind, pairs, target, error) from error


def find_surrogate(text: str) -> str | None:
    """Describe the first lone surrogate of a text, as JSON's "\\ud800" makes one."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"has a lone surrogate at character {error.start}, which is not valid "
            "Unicode."
        )
    return None


def _refuse_nul(texts: list[str], target: str | None) -> None:
    """Raise BadRow for a NUL, which many servers and readers of files cut a text at."""
    if target is not None:
        texts.append(target)
    if "\0" in "".join(texts):
        found = next(text for text in texts if "\0" in text)
        raise BadRow(
            BadRowReason.BAD_QUESTION,
            f"question {short_repr(texts[0])} has a NUL character in "
            f"{short_repr(found)}.",
        )


def _bad_question(
    question_id: str,
    kind: QuestionKind,
    pairs: ChoicePairs,
    target: str | None,
    error: ValidationError,
) -> BadRow:
    if kind is QuestionKind.CHOICE:
        labels = [label for label, _ in pairs]
        if len(labels) < 2 or len(set(labels)) < len(labels):
            return BadRow(
                BadRowReason.BAD_CHOICES,
                f"question {short_repr(question_id)} has choices labelled "
                f"{short_repr(labels)}; at least 2 "
                "with different labels are needed.",
            )
        if target is not None and target not in labels:
            return BadRow(
                BadRowReason.BAD_TARGET,
                f"question {short_repr(question_id)} has target {short_repr(target)}, "
                f"which is not one of its choices {short_repr(labels)}.",
            )
    return BadRow(BadRowReason.BAD_QUESTION, explain_validation_error(error))


def parse_choices(value: object) -> list[tuple[str, str]]:
    """Return choices as (label, text) from any published form; raises BadRow.

    The forms are ["red", "blue"] (labelled A, B, …), [{"label": "A", "text": "red"},
    …], {"label": [...], "text": [...]}, {"A": "red", "B": "blue"}, and a string that
    holds one of them as JSON or Python text, as a CSV cell does. Empty choices at the
    end are dropped, as are the letters of ["A) red", "B) blue"].
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
        items = _without_padding(list(value.items()), lambda item: item[1])
        return [_clean_pair(label, text) for label, text in items]
    if not isinstance(labels, list | tuple) or not isinstance(texts, list | tuple):
        raise _bad_choices(value)
    if len(labels) != len(texts):
        raise _bad_choices(value)
    pairs = list(zip(labels, texts, strict=True))
    kept = _without_padding(pairs, lambda pair: pair[1])
    return [_clean_pair(label, text) for label, text in kept]


def _parse_choice_list(value: Sequence[Any]) -> list[tuple[str, str]]:
    if all(isinstance(item, dict) for item in value):
        items = _without_padding(value, lambda item: item.get("text"))
        return [_clean_pair(item.get("label"), item.get("text")) for item in items]
    kept = _without_padding(value, lambda item: item)
    if len(kept) > len(LETTERS):
        raise _bad_choices(value)
    texts = _without_letters([_clean_option(text) for text in kept])
    return list(zip(LETTERS, texts, strict=False))


def _without_padding(
    values: Sequence[Any], get_text: Callable[[Any], object]
) -> Sequence[Any]:
    """Return the choices without the empty ones at the end, which fill up columns."""
    end = len(values)
    while end and _is_empty(get_text(values[end - 1])):
        end -= 1
    return values[:end]


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


def _parse_cell(text: str) -> Any:
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
