"""Joins a completion that a server streams although nobody asked it to. No IO."""

from collections.abc import Iterator, Mapping
from typing import Any

from cotbuild.builder.teachers.http.generous_json import load_json

STREAMED = "streamed in pieces, joined"

_STARTS = (b"data:", b"event:", b":", b"id:", b"retry:")
_DATA = b"data:"
_END = b"[DONE]"


def is_event_stream(raw: bytes) -> bool:
    """Return whether a body is a stream of server-sent events."""
    # The usual case, without a copy.
    return raw[:1] != b"{" and raw.lstrip()[:6].startswith(_STARTS)


def join_events(raw: bytes) -> dict[str, Any]:
    """Return the chat completion that the events of a stream make up.

    Its first choice has all pieces of text and the last finish_reason, which is
    "interrupted" if the stream broke off. Without a choice in any event the result has
    none either; an error of the stream or of its choice is kept.
    """
    body: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    pieces: dict[str, list[str]] = {}
    for event in _parse_events(raw):
        for name in ("model", "usage", "error"):
            if event.get(name):
                body[name] = event[name]
        piece = _first_choice(event)
        for name in ("finish_reason", "error"):
            if piece.get(name):
                choice[name] = piece[name]
        delta = piece.get("delta") or piece.get("message")
        if isinstance(delta, Mapping):
            choice.setdefault("message", {})
            _collect(delta, pieces)
    if "message" in choice:
        if "finish_reason" not in choice and _END not in raw:
            choice["finish_reason"] = "interrupted"
        choice["message"] = {name: "".join(texts) for name, texts in pieces.items()}
        body["choices"] = [choice]
    return body


def _parse_events(raw: bytes) -> Iterator[Mapping[str, Any]]:
    for line in raw.splitlines():
        if not line.startswith(_DATA):
            continue
        try:
            event, _ = load_json(line[len(_DATA) :])
        except ValueError:
            continue  # "[DONE]", and a piece that was cut
        if isinstance(event, Mapping):
            yield event


def _first_choice(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return choices[0]
    return {}


def _collect(delta: Mapping[str, Any], pieces: dict[str, list[str]]) -> None:
    """Add the texts of a piece to those before it, field by field."""
    for name, text in delta.items():
        if isinstance(text, str) and name != "role":
            pieces.setdefault(name, []).append(text)
