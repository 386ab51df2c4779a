"""What the values of chat messages and logs hold: texts, reasoning, why a text ended.

A message's content is a text or a list of parts, such as `{"type": "text", "text": …}`.
"""

from collections.abc import Mapping
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.targets import is_missing
from cotbuild.schemas.record import short_repr

USER_ROLES = ("user", "human")
_TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
_REASONING_PARTS = ("reasoning", "thinking")
_SILENT_PARTS = (
    "tool_use",
    "tool_call",
    "tool_calls",
    "tool_result",
    "redacted_thinking",
)
"""Parts of a reply that are no text of it."""
_MESSAGE_FIELDS = ("message", "error", "reason", "code", "type")


def is_parts(value: object) -> bool:
    """Return whether a value is a list of the parts of one content."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(part, Mapping) and _is_part(part) for part in value)


def _is_part(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("type"), str) and "role" not in part


def join_parts(value: Any) -> str | None:
    """Return the text of a content made of parts; None if no part is a text.

    Raises BadRow for an image or another part that is neither text nor reasoning.
    """
    texts = []
    for part in value:
        name = part["type"]
        if name in _REASONING_PARTS or name in _SILENT_PARTS:
            continue
        if name not in _TEXT_PARTS:
            raise BadRow(
                BadRowReason.BAD_QUESTION,
                f"the content has a part of type {short_repr(name)}, which is no text.",
            )
        texts.append(str(part.get("refusal" if name == "refusal" else "text") or ""))
    return "\n".join(texts) if texts else None


def join_reasoning(value: Any) -> str | None:
    """Return the reasoning in a text or a list of texts; None where there is none."""
    items = value if isinstance(value, list | tuple) else [value]
    texts = [item for item in items if isinstance(item, str) and item.strip()]
    return "\n".join(texts) or None


def question_text(value: Any) -> Any:
    """Return the text of a question: of a content of parts, or of a chat's last turn
    of the user; any other value as it is.

    Raises BadRow where a part is no text, and where a chat has no turn of the user.
    """
    if is_parts(value):
        return join_parts(value)
    if not _is_chat(value):
        return value
    turns = [turn for turn in value if turn.get("role") in USER_ROLES]
    if not turns:
        raise BadRow(
            BadRowReason.MISSING_FIELD, "question is a chat without a turn of the user."
        )
    return question_text(turns[-1].get("content"))


def _is_chat(value: object) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(turn, Mapping) and "role" in turn for turn in value)


def describe_failure(value: Any) -> str | None:
    """Return the words of an error in a log; None if the value holds none."""
    if is_missing(value) or value is False or value in ([], {}):
        return None
    if isinstance(value, Mapping):
        for field in _MESSAGE_FIELDS:
            if value.get(field):
                return describe_failure(value[field])
    return value if isinstance(value, str) else short_repr(value)
