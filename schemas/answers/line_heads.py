r"""Find what opens the lines of a question or of a prompt's form: "Premise:". Pure.

A text that goes on with one of them has begun an invented next item.
"""

import re
from functools import lru_cache
from itertools import islice

from cotbuild.schemas.answers.language_patterns import OWN_HEADS

_HEADS = (
    "a answer answers options choices option choice reasoning explanation rationale "
    "solution note hint output final conclusion step steps therefore so"
)
_OWN_HEADS = OWN_HEADS.union(_HEADS.split())
"""Line heads that a teacher writes itself, also where the question has them."""
_NAME = r"(?:\A|\n)[ >*_#-]*([^\W\d_]{2,20}(?: [^\W\d_]{1,20})?)"
_LINE_HEAD = re.compile(_NAME + r"(?: ?\d)?[*_ ]{0,4}:")
_FORM_HEAD = re.compile(_NAME + r"[*_ ]{0,4}:[*_\"' ]{0,6}\n?[ \"']{0,4}\$(?!\$)")
_MAX_HEADS = 16


@lru_cache(maxsize=256)  # the samples of one question come one after the other
def find_question_heads(text: str) -> tuple[str, ...]:
    """Return what opens lines of a question before a colon, such as "premise"."""
    heads = {head[1].lower() for head in islice(_LINE_HEAD.finditer(text), _MAX_HEADS)}
    return tuple(sorted(head for head in heads if head not in _OWN_HEADS))


@lru_cache(maxsize=256)
def find_form_heads(form: str) -> tuple[str, ...]:
    """Return what opens the lines of a form before a $placeholder.

    Such as "text" of "Text: $question\nSentiment:". "Sentiment:" is where the answer
    belongs, and a teacher may write it itself.
    """
    heads = set()
    for found in islice(_FORM_HEAD.finditer(form), _MAX_HEADS):
        head = found[1].lower()
        if _OWN_HEADS.isdisjoint(head.split()):
            heads.add(head)
    return tuple(sorted(heads))
