"""Reads the content of a chat message: a text, or parts of several types. No IO."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PARTS_JOINED = "content in parts, joined"
PARTS_LEFT_OUT = "parts that are no text, left out"
CONTENT_IS_JSON = "content is JSON, kept as text"
REFUSAL = "text of the refusal field"
REASONING_PARTS = "reasoning in parts, joined"

MAX_DEPTH = 8
"""Parts nested deeper are left out."""

_PART_VALUES = (
    "text",
    "content",
    "thinking",
    "reasoning",
    "reasoning_text",
    "summary",
    "value",
    "parts",
    "refusal",
)
"""Fields of a part that hold its text or parts of its own, in order of precedence."""
_REASONING_FIELDS = (
    "reasoning",
    # vLLM's older name; SGLang, DeepSeek and llama.cpp use it.
    "reasoning_content",
    "thinking",  # Ollama's
    "reasoning_details",  # OpenRouter's
)


@dataclass(slots=True)
class Contents:
    """What a message holds, with notes on how it was read."""

    text: str = ""
    reasoning: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Collected:
    """Texts of parts, collected in order."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    left_out: bool = False


def read_message(message: Mapping[str, Any]) -> Contents:
    """Read text and reasoning of a message, in whatever form they are."""
    contents = Contents()
    thoughts = _read_content(message.get("content"), contents)
    if not contents.text and isinstance(message.get("refusal"), str):
        contents.text = message["refusal"]
        if contents.text:
            contents.notes.append(REFUSAL)
    contents.reasoning = _read_reasoning(message, contents)
    if not contents.reasoning and thoughts:
        contents.reasoning = thoughts
    return contents


def _read_content(content: object, contents: Contents) -> str:
    """Read the text into `contents`; return reasoning that stood between its parts."""
    if content is None or isinstance(content, str):
        contents.text = content or ""
        return ""
    if isinstance(content, dict | list) and _has_parts(content):
        collected = _Collected()
        _collect(content, collected, is_thought=False, depth=0)
        contents.text = "".join(collected.texts)
        contents.notes.append(PARTS_JOINED)
        if collected.left_out:
            contents.notes.append(PARTS_LEFT_OUT)
        return "".join(collected.thoughts)
    if content != []:
        # Some servers parse what a response format made the model write.
        contents.text = json.dumps(content, ensure_ascii=False)
        contents.notes.append(CONTENT_IS_JSON)
    return ""


def _has_parts(content: Mapping[str, Any] | list[Any]) -> bool:
    """Whether a content is made of parts, rather than being JSON of the model's own."""
    parts = content if isinstance(content, list) else [content]
    return any(
        isinstance(part, str)
        or (
            isinstance(part, dict)
            and ("type" in part or any(name in part for name in ("text", "parts")))
        )
        for part in parts
    )


def _read_reasoning(message: Mapping[str, Any], contents: Contents) -> str | None:
    """Return the first reasoning that is not empty; "" or None if there is none."""
    reasoning: str | None = None
    for name in _REASONING_FIELDS:
        value = message.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            text = value
        else:
            collected = _Collected()
            _collect(value, collected, is_thought=True, depth=0)
            text = "".join(collected.thoughts)
        if text:
            if not isinstance(value, str):
                contents.notes.append(REASONING_PARTS)
            return text
        if isinstance(value, str):
            reasoning = ""
    return reasoning


def _collect(part: object, into: _Collected, *, is_thought: bool, depth: int) -> None:
    """Collect the texts of a part and of the parts within it."""
    if isinstance(part, str):
        (into.thoughts if is_thought else into.texts).append(part)
    elif depth >= MAX_DEPTH:
        into.left_out = True
    elif isinstance(part, list):
        for inner in part:
            _collect(inner, into, is_thought=is_thought, depth=depth + 1)
    elif isinstance(part, dict):
        value = _part_value(part)
        thinks = is_thought or _is_thought(part)
        _collect(value, into, is_thought=thinks, depth=depth + 1)
    else:
        into.left_out = True


def _part_value(part: Mapping[str, Any]) -> object:
    values = (part.get(name) for name in _PART_VALUES)
    return next(
        (value for value in values if isinstance(value, str | list | dict)), None
    )


def _is_thought(part: Mapping[str, Any]) -> bool:
    kind = str(part.get("type", "")).casefold()
    return "think" in kind or "reason" in kind or part.get("thought") is True
