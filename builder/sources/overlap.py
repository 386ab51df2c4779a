"""Questions that also stand in an evaluation split, told by their normalised text;
choices are not compared.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from cotbuild.builder.sources.ids import DigestSet
from cotbuild.schemas.question import Question

# Signs that may be arithmetic (- / * % and all symbols) stay: "12 - 3?" and "12 / 3?"
# are two questions.
_QUOTES = re.compile("['\"`‘’‚‛“”„«»]")
_BREAKS = re.compile(r"[\s.,;:!?()\[\]{}_…¿¡]+")


def normalised(text: str) -> str:
    """Case-folded NFKC text in which quotes are gone and punctuation and white space
    are single spaces.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _BREAKS.sub(" ", _QUOTES.sub("", folded)).strip() or folded


class Overlap:
    """The texts of evaluation splits, as digests: 8 to 16 bytes a question."""

    def __init__(self, questions: Mapping[str, Iterable[Question]]) -> None:
        self._splits: dict[str, DigestSet] = {}
        for split, found in questions.items():
            self._splits[split] = digests = DigestSet()
            for question in found:
                digests.add(normalised(question.text))

    def splits_with(self, question: Question) -> list[str]:
        """The evaluation splits in which the question also stands, in the order given."""
        if not self._splits:
            return []
        text = normalised(question.text)
        return [split for split, digests in self._splits.items() if text in digests]
