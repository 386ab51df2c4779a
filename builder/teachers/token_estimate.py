"""Counts the prompt tokens of a plan, or estimates them without the tokenizer."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cotbuild.schemas.completion import Request

CHARS_PER_TOKEN = 4
"""Characters of English text per token, for teachers whose tokenizer is not at hand."""
MAX_COUNTED = 2_000
"""Requests that are tokenized, at about 0.2 ms each; a larger plan is extrapolated."""


class TokenEstimate(NamedTuple):
    """How many tokens some prompts have."""

    tokens: float
    is_exact: bool

    def describe(self) -> str:
        """Return the number as text: `12,345`, or `about 12,000`."""
        if self.is_exact:
            return f"{self.tokens:,.0f}"
        return f"about {round(self.tokens, -2):,.0f}"


def estimate_prompt_tokens(
    requests: Iterable[Request], total: int, total_chars: int, folder: Path | None
) -> TokenEstimate:
    """Return the number of prompt tokens of a plan.

    Args:
        requests: The plan's requests, of which the first MAX_COUNTED are tokenized.
        total: The number of requests.
        total_chars: The length of all their messages together.
        folder: The folder with the teacher's tokenizer; None if it is not on this
            machine.
    """
    by_chars = TokenEstimate(total_chars / CHARS_PER_TOKEN, is_exact=False)
    if folder is None or importlib.util.find_spec("transformers") is None:
        return by_chars
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError):
        return by_chars  # a folder without a tokenizer, or one that vLLM alone reads
    num_tokens = num_chars = num_counted = 0
    for request in requests:
        messages = [{"role": m.role, "content": m.text} for m in request.messages]
        token_ids = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False
        )
        num_tokens += len(token_ids)
        num_chars += sum(len(message["content"]) for message in messages)
        num_counted += 1
        if num_counted == MAX_COUNTED:
            break
    if num_counted == total:
        return TokenEstimate(num_tokens, is_exact=True)
    return TokenEstimate(num_tokens * total_chars / num_chars, is_exact=False)
