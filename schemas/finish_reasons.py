"""Why a text ended: the words that servers and logs use for it."""

import re
from typing import Literal

FinishReason = Literal["stop", "length"]

_STOP = frozenset(
    {
        "stop",
        "eos",
        "eos_token",
        "eos_found",
        "end_turn",
        "end_of_turn",
        "end_of_text",
        "endoftext",
        "eot",
        "stop_sequence",
        "stop_token",
        "stop_word",
        "stop_string",
        "complete",
        "completed",
        "finish",
        "finished",
        "end",
        "done",
    }
)
_LENGTH = frozenset(
    {
        "length",
        "max_length",
        "model_length",
        "context_length",
        "max_context_length",
        "token_limit",
        "limit",
        "max_token",
        "max_tokens",
        "max_new_tokens",
        "max_output_tokens",
        "max_completion_tokens",
        "max_tokens_reached",
        "model_context_window_exceeded",
        "error_limit",
        "length_limit",
    }
)
INTERRUPTED = frozenset(
    {
        "abort",
        "aborted",
        "error",
        "cancel",
        "cancelled",
        "canceled",
        "user_cancel",
        "interrupted",
        "insufficient_system_resource",
    }
)
"""The server stopped for a reason of its own: another attempt may bring the whole."""
FILTERED = frozenset(
    {
        "content_filter",
        "content_filtered",
        "contentfilter",
        "safety",
        "blocked",
        "blocklist",
        "refusal",
        "recitation",
        "prohibited_content",
        "spii",
        "guardrail_intervened",
        "error_toxic",
        "sensitive",
    }
)
"""The server withheld the rest of the text."""
_SEPARATOR = re.compile(r"[^a-z0-9]+")


def fold_reason(reason: str) -> str:
    """Return a finish_reason in lower case, its words joined by "_"."""
    word = _SEPARATOR.sub("_", reason.casefold())
    return word.strip("_").removeprefix("finish_reason_")


def to_finish_reason(word: str) -> FinishReason | None:
    """Return what a folded finish_reason means; None if that is not known."""
    if word in _STOP:
        return "stop"
    return "length" if word in _LENGTH else None
