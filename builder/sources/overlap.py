"""Find questions whose text also occurs in an evaluation split.

Normalised texts are compared, those of inputs too. Choices are not: "Which is a chemical
change?" counts with any options, since a student may learn from it either way.
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


def normalise_text(text: str) -> str:
    """Return the case-folded NFKC text without quotes and punctuation.

    Each run of punctuation and white space becomes one space. A text of nothing else is
    only folded.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    without_quotes = _QUOTES.sub("", folded)
    return _BREAKS.sub(" ", without_quotes).strip() or folded


class Overlap:
    """The normalised texts of evaluation splits, in 8 to 16 bytes a question."""

    def __init__(self, questions: Mapping[str, Iterable[Question]]) -> None:
        self._digests = {
            split: _text_digests(split_questions)
            for split, split_questions in questions.items()
        }

    def find_splits(self, question: Question) -> list[str]:
        """Return the evaluation splits that have the question, in the order given."""
        if not self._digests:
            return []
        text = normalise_text(question.full_text)
        return [split for split, digests in self._digests.items() if text in digests]


def _text_digests(questions: Iterable[Question]) -> DigestSet:
    digests = DigestSet()
    for question in questions:
        digests.add(normalise_text(question.full_text))
    return digests
