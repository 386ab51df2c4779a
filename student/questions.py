"""Which questions a student has seen, told by their text: read out of prompts, compared
by digest. Pure.
"""

import hashlib
import re

from cotbuild.schemas.answers.compare import compared

_PROMPT = re.compile(
    r"(?:\[\w+\] )?Question: (?P<text>.*?)(?:\nOptions:\n(?:- |\(\S+\) ).*)?\n(?:Answer|Reasoning):",
    re.DOTALL,
)


def question_of(prompt: str) -> str:
    """The question's text in a prompt of a training row; the whole prompt where it has
    another form.
    """
    found = _PROMPT.fullmatch(prompt)
    return found["text"] if found else prompt


def question_digest(text: str) -> str:
    """16 hex digits of a question's text as compared: NFKC, case-folded, white space
    collapsed.
    """
    return hashlib.sha256(compared(text).encode()).hexdigest()[:16]
