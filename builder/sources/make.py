"""Make questions from the raw values of rows: texts, ids, choices and validation."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import chain

from pydantic import ValidationError

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.schemas.question import Input, Question, QuestionKind, SourceRef, Tag
from cotbuild.schemas.record import explain_validation_error, short_repr

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
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


def derive_content_id(
    text: str, pairs: ChoicePairs, inputs: Sequence[Input] = ()
) -> str:
    """Return the id of a row without one, 16 hex digits of a sha256.

    It depends on the text, the choices and the inputs alone, not on the position of the
    row. Raises BadRow if they are not valid Unicode.
    """
    # Each part follows its length, so that no two contents give the same data.
    # Canonical JSON takes three times as long.
    parts = [text, *chain.from_iterable(pairs)]
    data = "".join([f"{len(part)}:{part}" for part in parts])
    if inputs:
        # After a mark that no length begins with.
        data += "/" + "".join(map(_input_data, inputs))
    try:
        encoded = f"question-id/1\n{data}".encode()
    except UnicodeEncodeError as error:  # such as JSON's "\ud800"
        raise BadRow(
            BadRowReason.BAD_QUESTION,
            f"question {short_repr(text)} has a lone surrogate in text or choices, "
            "which is not valid Unicode.",
        ) from error
    return sha256(encoded).hexdigest()[:16]


def _input_data(one: Input) -> str:
    shown = one.text if one.image is None else one.image.sha256
    return f"{one.name}={len(shown or '')}:{shown}"


def make_question(
    row_id: str | None,
    kind: QuestionKind,
    text: str,
    pairs: ChoicePairs,
    target: str | None,
    ref: SourceRef,
    other_targets: Sequence[str] = (),
    inputs: Sequence[Input] = (),
    tags: Sequence[Tag] = (),
) -> Question:
    """Return a validated question; its id is derived from the content if it is None.

    Raises BadRow.
    """
    if row_id is None:
        row_id = derive_content_id(text, pairs, inputs)
    question_id = row_id
    texts = [question_id, text, *chain.from_iterable(pairs), *other_targets]
    if inputs:
        texts.extend(one.text for one in inputs if one.text is not None)
    _refuse_nul(texts, target)
    fields: dict[str, object] = {
        "id": question_id,
        "kind": kind,
        "text": text,
        "choices": [{"label": label, "text": option} for label, option in pairs],
        "target": target,
        "other_targets": other_targets,
        "source": ref,
    }
    if inputs:
        fields["inputs"] = inputs
    if tags:
        fields["tags"] = tags
    try:
        # One call for question and choices: a million rows are validated on every run.
        return Question.model_validate(fields, strict=False)
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
