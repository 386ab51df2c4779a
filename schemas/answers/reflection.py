"""What an evaluation of an attempt says: whether to accept or to refine it. Pure."""

import re
from typing import Literal, NamedTuple

from cotbuild.schemas.rationale import Verdict

Evaluation = Literal["accept", "refine"]

_MARKS = r"[ \t>*_#\"'`]{0,8}"
_VERDICT_LINE = re.compile(
    rf"^{_MARKS}verdict{_MARKS}:{_MARKS}(accept|refine)(?:ed|d)?\b[.! ]?{_MARKS}$",
    re.IGNORECASE | re.MULTILINE,
)


class FoundEvaluation(NamedTuple):
    """The evaluation of a text, and the text without the lines that state it."""

    evaluation: Evaluation | None
    """None if no line states it, or lines state both."""
    text: str
    """As long as the text itself: what was taken out is spaces."""


def find_evaluation(text: str) -> FoundEvaluation:
    """Read the lines `Verdict: Accept` and `Verdict: Refine` of a text.

    Nothing else in a text counts, whatever it says of the attempt.
    """
    lines = list(_VERDICT_LINE.finditer(text))
    if not lines:
        return FoundEvaluation(None, text)
    stated = {line[1].lower() for line in lines}
    evaluation: Evaluation | None = None
    if len(stated) == 1:
        evaluation = "accept" if "accept" in stated else "refine"
    pieces, end = [], 0
    for line in lines:
        pieces += [text[end : line.start()], " " * (line.end() - line.start())]
        end = line.end()
    return FoundEvaluation(evaluation, "".join([*pieces, text[end:]]))


def evaluation_agrees(attempt: str | None, evaluation: str | None) -> bool | None:
    """Return whether an evaluation agrees with the verdict on the attempt.

    It does if it accepts a correct attempt or refines one that is not. None if either is
    not known.
    """
    if evaluation is None or attempt in (None, Verdict.UNSCORED, Verdict.SCORED):
        return None
    return (evaluation == "accept") == (attempt == Verdict.CORRECT)
