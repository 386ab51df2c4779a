"""Reads what servers answer to a chat completion. No IO.

A text was paid for, so it is kept whatever is odd beside it: each oddity becomes a note
of the completion. What remains is a failure: no text, or an error in its place.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.teachers.http.content import Contents, read_message
from cotbuild.builder.teachers.http.event_stream import (
    STREAMED,
    is_event_stream,
    join_events,
)
from cotbuild.builder.teachers.http.finish_reasons import normalise_reason
from cotbuild.builder.teachers.http.generous_json import load_json, replace_surrogates
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.server_errors import ServerError, read_error
from cotbuild.builder.teachers.http.wire import RetryableFailure, one_line
from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
)
from cotbuild.schemas.finish_reasons import (
    FILTERED,
    INTERRUPTED,
    FinishReason,
    to_finish_reason,
)

FINISH_UNKNOWN = "finish_reason missing or unknown"
CUT_BY_FILTER = "ended by a content filter"
COUNTS_UNKNOWN = "token counts missing or unreadable"
CHARACTERS_REPLACED = "characters that are not Unicode, replaced by U+FFFD"
MODEL_UNREADABLE = "model name unreadable, not compared"
SEVERAL_CHOICES = "several choices, the first kept"
ERROR_BESIDE = "an error beside the text"
KEY_REPLACED = "the API key, replaced by [key]"

MAX_QUOTED_CHARS = 80
MAX_PLAUSIBLE_TOKENS = 2**31 - 1
"""A higher number of tokens is no count."""


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The first choice of a chat completion, read."""

    text: str
    reasoning: str | None
    finish_reason: FinishReason | None
    finish_word: str
    """The server's own finish_reason, normalised; empty if there was none."""
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    notes: tuple[str, ...]


# -- from bytes to a reply -----------------------------------------------------


def parse_reply(
    raw: bytes, secret: SecretFilter
) -> ChatReply | ServerError | RetryableFailure:
    """Read the body of a successful response, and take the key out of all it keeps.

    Returns a ServerError if an error stands in the place of a completion, and a
    RetryableFailure if the body is no chat completion at all.
    """
    notes: list[str] = []
    try:
        value = _load_body(raw, notes)
    except ValueError as fault:
        # Redacted before it is cut, so that no part of the key is left.
        start = secret.redact(raw.decode("utf-8", "replace"))[:MAX_QUOTED_CHARS]
        return _bad_body(f"{fault}, in {start!r}.")
    body = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(body, dict):
        return _bad_body(f"it is {_describe(body)}.")
    choice = _find_choice(body.get("choices"), notes) or {}
    contents = _read_choice(choice)
    error = _find_error(body, choice, contents, secret)
    if error is not None:
        return error
    if contents is None:
        return _bad_body(f"choices is {_describe(body.get('choices'))}.")
    return _to_reply(body, choice, contents, secret, notes)


def _load_body(raw: bytes, notes: list[str]) -> object:
    """Parse a body. Raises ValueError if it is not JSON."""
    if is_event_stream(raw):
        notes.append(STREAMED)
        return join_events(raw)
    value, was_replaced = load_json(raw)
    if was_replaced:
        notes.append(CHARACTERS_REPLACED)
    return value


def _find_error(
    body: Mapping[str, Any],
    choice: Mapping[str, Any],
    contents: Contents | None,
    secret: SecretFilter,
) -> ServerError | None:
    """Return the error that stands in the place of a whole text, if there is one.

    A text is whole beside an error only if its finish_reason says how it ended. Where
    that is missing too, the server broke off.
    """
    inner, outer = choice.get("error"), body.get("error")
    if contents is None and not inner and not outer:
        is_flat = any(body.get(name) for name in ("message", "detail", "errors", "msg"))
        return read_error(body, secret) if is_flat else None
    if not inner and not outer:
        return None
    word = normalise_reason(choice.get("finish_reason"), secret)
    has_ended = to_finish_reason(word) is not None or word in FILTERED
    if contents is not None and contents.text and has_ended:
        contents.notes.append(ERROR_BESIDE)
        return None
    return read_error(body if outer else choice, secret)


def _describe(value: object) -> str:
    """Return what a JSON value is. The value itself may quote the key."""
    if value is None or value == [] or value == {}:
        return json.dumps(value)
    if isinstance(value, str):
        return "a text"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"


def _bad_body(reason: str) -> RetryableFailure:
    return RetryableFailure(
        FailureKind.BAD_BODY, one_line(f"not a chat completion: {reason}")
    )


# -- the fields of a reply -----------------------------------------------------


def _find_choice(choices: object, notes: list[str]) -> Mapping[str, Any] | None:
    """Return the choice to read: the one with index 0, or else the first."""
    if isinstance(choices, dict):
        choices = [choices] if "message" in choices else list(choices.values())
    if not isinstance(choices, list):
        return None
    found = [choice for choice in choices if isinstance(choice, dict)]
    if len(found) > 1:
        notes.append(SEVERAL_CHOICES)
    with_index_0 = (choice for choice in found if choice.get("index") == 0)
    return next(with_index_0, found[0] if found else None)


def _read_choice(choice: Mapping[str, Any]) -> Contents | None:
    """Read the message of a choice; None if it has none."""
    message = choice.get("message")
    if isinstance(message, dict):
        return read_message(message)
    if isinstance(message, str):
        return Contents(text=message)
    if isinstance(choice.get("delta"), dict):
        return read_message(choice["delta"])
    if isinstance(choice.get("text"), str):
        return Contents(text=choice["text"])
    return None


def _to_reply(
    body: Mapping[str, Any],
    choice: Mapping[str, Any],
    contents: Contents,
    secret: SecretFilter,
    notes: list[str],
) -> ChatReply:
    notes.extend(contents.notes)
    word = normalise_reason(choice.get("finish_reason"), secret)
    finish_reason = to_finish_reason(word)
    if finish_reason is None:
        notes.append(CUT_BY_FILTER if word in FILTERED else FINISH_UNKNOWN)
    prompt_tokens, completion_tokens = _read_usage(body, notes)
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        notes.append(MODEL_UNREADABLE)
        model = None
    reasoning = contents.reasoning
    return ChatReply(
        text=_clean(contents.text, secret, notes),
        reasoning=None if reasoning is None else _clean(reasoning, secret, notes),
        finish_reason=finish_reason,
        finish_word=word,
        model=None if model is None else _clean(model, secret, notes),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        notes=tuple(dict.fromkeys(notes)),
    )


def _clean(text: str, secret: SecretFilter, notes: list[str]) -> str:
    """Return a text that any file can hold, without the key."""
    valid = replace_surrogates(text)
    if valid != text:
        notes.append(CHARACTERS_REPLACED)
    redacted = secret.redact(valid)
    if redacted != valid:
        notes.append(KEY_REPLACED)
    return redacted


def _read_usage(
    body: Mapping[str, Any], notes: list[str]
) -> tuple[int | None, int | None]:
    """Return the tokens of prompt and completion; None for what is not known."""
    usage = body.get("usage")
    if "usage" not in body or usage == {}:
        return None, None
    fields = usage if isinstance(usage, dict) else {}
    counts = [
        _read_count(fields, name, newer_name)
        for name, newer_name in (
            ("prompt_tokens", "input_tokens"),
            ("completion_tokens", "output_tokens"),
        )
    ]
    if None in counts:
        notes.append(COUNTS_UNKNOWN)
    return counts[0], counts[1]


def _read_count(fields: Mapping[str, Any], name: str, newer_name: str) -> int | None:
    value = fields.get(name, fields.get(newer_name))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Infinity and NaN are in no range, and have no whole part to ask for.
    is_count = 0 <= value <= MAX_PLAUSIBLE_TOKENS and value == int(value)
    return int(value) if is_count else None


# -- from a reply to an answer -------------------------------------------------


def to_answer(reply: ChatReply, request_key: str) -> Answer | RetryableFailure:
    """Convert a reply to a completion, unless it has no text worth keeping.

    vLLM sends finish_reason `abort` while it shuts down, so that is retried, as every
    interruption is. Without any text, a reason that the server gives, such as
    `content_filter`, is a refusal as final as a 400.
    """
    if reply.finish_word in INTERRUPTED:
        return RetryableFailure(
            FailureKind.BAD_BODY,
            f"finish_reason is {reply.finish_word!r}: the server ended the text early.",
        )
    has_text = bool(reply.text or reply.reasoning)
    if reply.finish_reason is None and not has_text:
        reason = f"no text, and finish_reason is {reply.finish_word!r}."
        if not reply.finish_word:
            return RetryableFailure(FailureKind.BAD_BODY, reason)
        return Failure(
            request_key=request_key, kind=FailureKind.REJECTED, message=reason
        )
    return Completion(
        request_key=request_key,
        text=reply.text,
        reasoning=reply.reasoning,
        finish_reason=reply.finish_reason,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        notes=reply.notes,
    )
