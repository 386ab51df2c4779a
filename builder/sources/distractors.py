"""Place the right option among the wrong ones, for files that publish them apart."""

from collections.abc import Sequence

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.make import LETTERS
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import short_repr

PLACEMENT = "placement/1"
"""Version of the rule; another version would change questions and their answers."""


def place_option(
    question: str, correct: str, wrong: Sequence[str]
) -> tuple[list[tuple[str, str]], str]:
    """Return lettered choices and the label of the right one.

    Its place is drawn from a digest of the question and the options, so that it is the
    same in every run and order of rows; the wrong ones keep their order. Raises BadRow.
    """
    if correct in wrong:
        raise BadRow(
            BadRowReason.BAD_CHOICES,
            f"target {short_repr(correct)} is also one of the wrong options "
            f"{short_repr(list(wrong))}.",
        )
    if not wrong or len(wrong) >= len(LETTERS):
        raise BadRow(
            BadRowReason.BAD_CHOICES,
            f"{len(wrong)} wrong options. Expected 1 to {len(LETTERS) - 1}.",
        )
    drawn = int(digest(PLACEMENT, [question, correct, *wrong])[:16], 16)
    place = drawn % (len(wrong) + 1)
    texts = [*wrong[:place], correct, *wrong[place:]]
    return list(zip(LETTERS, texts, strict=False)), LETTERS[place]
