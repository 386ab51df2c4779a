"""How many tokens a plan will send: exact where the teacher's tokenizer is at hand,
else about.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from cotbuild.schemas.completion import Request

CHARS_PER_TOKEN = 4
"""For teachers whose tokenizer is not at hand: about four characters of English a
token.
"""
MAX_COUNTED = 2_000
"""Requests that are tokenized one by one, some 0.2 ms each; of a larger plan this many,
scaled up.
"""


def prompt_tokens(
    requests: Iterable[Request], total: int, total_chars: int, folder: Path | None
) -> str:
    """The prompt tokens of `total` requests as text: `12,345` where exact, `about
    12,000` else.

    `folder` holds the teacher's tokenizer; None where it is not on this machine.
    """
    if folder is None or importlib.util.find_spec("transformers") is None:
        return f"about {round(total_chars / CHARS_PER_TOKEN, -2):,.0f}"
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = chars = counted = 0
    for request in requests:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        tokens += len(
            tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_dict=False
            )
        )
        chars += sum(len(m.content) for m in request.messages)
        counted += 1
        if counted == MAX_COUNTED:
            break
    if counted == total:
        return f"{tokens:,}"
    return f"about {round(tokens * total_chars / chars, -2):,.0f}"
