"""Whether texts were joined to the questions they are about. Pure.

A text that writes an option as "(c) wooded area" tells: these must be the words of the joined question's option c.
*Measured* on PaLM's texts for CommonsenseQA, the first such mention of each: 99.6 % of 9,741 fit, and never less than
98 % of 100 in a row; misspelt and shortened options make up the rest. In a wrong order under 1 % fit.
"""

import re
from collections.abc import Sequence

from cotbuild.schemas.compare import compared
from cotbuild.schemas.question import Question

BLOCK = 100
"""Rows in a row that are looked at together, so that a shift in the middle of a file shows."""
LEAST_FRAC = 0.8
_NAMED = re.compile(r"\((\w{1,2})\)\s*(?=\w)")


def fits(text: str, question: Question) -> bool | None:
    """Whether the first "(x) words" of a text is an option of the question; None: there is none."""
    options = {compared(choice.label): choice.text for choice in question.choices}
    mention = next((found for found in _NAMED.finditer(text) if compared(found[1]) in options), None)
    if mention is None:
        return None
    option = compared(options[compared(mention[1])])
    return compared(text[mention.end() : mention.end() + 2 * len(option) + 16]).startswith(option)


def misfit(found: Sequence[bool | None]) -> range | None:
    """The first block of `BLOCK` rows of which less than `LEAST_FRAC` of those that tell fit; None: none is so bad."""
    for start in range(0, len(found), BLOCK):
        telling = [fit for fit in found[start : start + BLOCK] if fit is not None]
        if telling.count(True) < LEAST_FRAC * len(telling):
            return range(start, min(start + BLOCK, len(found)))
    return None
