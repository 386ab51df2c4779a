"""From a row's raw values to a Question: the one text rule, ids made from content, and
the checks with their words.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import chain
from typing import Any

from pydantic import ValidationError

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import explain_validation_error, short_repr

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Pairs = Sequence[tuple[str, str]]
"""Choices as (label, text)."""

# Zero-width space, word joiner, BOM. Not the (non-)joiners U+200C and U+200D, which
# Persian, Hindi and emoji need.
_ZERO_WIDTH = {0x200B: None, 0x2060: None, 0xFEFF: None}


def clean(text: str) -> str:
    """The text as published, without outer white space and without zero-width
    characters; nothing else is touched.
    """
    return text.strip() if text.isascii() else text.translate(_ZERO_WIDTH).strip()


def clean_field(value: object, field: str) -> str:
    """A text that must be there. Raises BadRow."""
    if not isinstance(value, str) or not (text := clean(value)):
        raise BadRow(
            BadRowReason.MISSING_FIELD,
            f"{field} is {short_repr(value)}, not a text.",
        )
    return text


def joined_texts(value: object) -> str | None:
    """A text, or the texts of a list joined by spaces; None where there is none."""
    parts = value if isinstance(value, list | tuple) else [value]
    return (
        " ".join(
            text for part in parts if isinstance(part, str) and (text := clean(part))
        )
        or None
    )


def clean_id(value: object) -> str:
    """An id column's value: a text, or a whole number. Raises BadRow."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return clean_field(value, "id")


def content_id(text: str, pairs: Pairs) -> str:
    """Id of a row that has none: 16 hex digits of the sha256 of text and choices, so
    that it survives reordering.
    """
    # Each part with its length before it, so that none can imitate two. Canonical JSON
    # takes three times as long.
    parts = [text, *chain.from_iterable(pairs)]
    try:
        data = "".join([f"{len(part)}:{part}" for part in parts])
        return sha256(f"question-id/1\n{data}".encode()).hexdigest()[:16]
    except UnicodeEncodeError as error:  # such as JSON's "\ud800"
        message = f"question {short_repr(text)} has a lone surrogate in text or choices, which is not valid Unicode."
        raise BadRow(BadRowReason.BAD_QUESTION, message) from error


def make_question(
    row_id: str | None,
    kind: QuestionKind,
    text: str,
    pairs: Pairs,
    target: str | None,
    ref: SourceRef,
    other_targets: Sequence[str] = (),
) -> Question:
    """A validated Question; `row_id` None: the id is made from the content. Raises
    BadRow.
    """
    name = content_id(text, pairs) if row_id is None else row_id
    try:
        # One call for question and choices: a million rows are validated on every run.
        return Question.model_validate(
            {
                "id": name,
                "kind": kind,
                "text": text,
                "choices": [
                    {"label": label, "text": option} for label, option in pairs
                ],
                "target": target,
                "other_targets": other_targets,
                "source": ref,
            },
            strict=False,
        )
    except ValidationError as fault:
        raise _bad_question(name, kind, pairs, target, fault) from fault


def _bad_question(
    name: str,
    kind: QuestionKind,
    pairs: Pairs,
    target: str | None,
    fault: ValidationError,
) -> BadRow:
    labels = [label for label, _ in pairs]
    if kind is QuestionKind.CHOICE and (
        len(labels) < 2 or len(set(labels)) < len(labels)
    ):
        message = f"question {name!r} has choices labelled {labels}; at least 2 with different labels are needed."
        return BadRow(BadRowReason.BAD_CHOICES, message)
    if kind is QuestionKind.CHOICE and target is not None and target not in labels:
        message = f"question {name!r} has target {target!r}, which is not one of its choices {labels}."
        return BadRow(BadRowReason.BAD_TARGET, message)
    return BadRow(BadRowReason.BAD_QUESTION, explain_validation_error(fault))


def choice_pairs(value: object) -> list[tuple[str, str]]:
    """Choices as (label, text) from any published form. Raises BadRow.

    Forms: ["red", "blue"] (labelled A, B, …), [{"label": "A", "text": "red"}, …],
    {"label": [...], "text": [...]}, {"A": "red", "B": "blue"}, and a string that holds
    one of them as JSON, as a CSV cell does.
    """
    if isinstance(value, str):
        value = _from_json(value)
    if isinstance(value, dict):
        labels, texts = value.get("label"), value.get("text")
        if (
            isinstance(labels, list | tuple)
            and isinstance(texts, list | tuple)
            and len(labels) == len(texts)
        ):
            return [
                _pair(label, text) for label, text in zip(labels, texts, strict=True)
            ]
        if labels is None and texts is None:
            return [_pair(label, text) for label, text in value.items()]
    elif isinstance(value, list | tuple):
        if all(isinstance(item, dict) for item in value):
            return [_pair(item.get("label"), item.get("text")) for item in value]
        if len(value) <= len(LETTERS):
            return [
                (letter, _option(text))
                for letter, text in zip(LETTERS, value, strict=False)
            ]
    raise _bad_choices(value)


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad_choices(text) from error


def _pair(label: object, text: object) -> tuple[str, str]:
    return _option(label), _option(text)


def _option(value: object) -> str:
    """A label or an option's text; options such as 3, 4, 5 may be published as numbers."""
    if isinstance(value, str) and (text := clean(value)):
        return text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _bad_choices(value)


def _bad_choices(value: object) -> BadRow:
    return BadRow(
        BadRowReason.BAD_CHOICES,
        f"choices hold {short_repr(value)}. Expected a list of texts, a list of {{label, text}}, "
        '{"label": […], "text": […]}, {"A": text, …}, or one of these as JSON.',
    )
