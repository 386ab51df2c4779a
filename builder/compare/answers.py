"""What a student answered to each question, whichever program has evaluated it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cotbuild.schemas.evaluation import EvaluationInputs

MAX_ANSWER_CHARS = 1_000
"""A longer answer is cut: it is shown, and decides nothing."""


class Writer(StrEnum):
    """The program that wrote a file of results."""

    COTBUILD = "cotbuild"
    LM_EVAL = "lm-evaluation-harness"


@dataclass(frozen=True)
class GradedAnswer:
    """An answer, as one metric reads and grades it."""

    answer: str | None
    """None for no answer, and where the file does not say what was answered."""
    correct: bool | None
    """None if it is not graded."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question with a student's answers to it."""

    id: str | None
    """Id that the question has in its dataset; None if it has none."""
    target: str | None
    """Reference answer, as the program writes it; None if none is published."""
    answers: Mapping[str, GradedAnswer]
    """By metric: `accuracy`, `normalised`, `free` or a name of the program."""
    doc_id: int | None = None
    """Number of the question in its split, which lm-evaluation-harness records."""
    doc_hash: str | None = None
    """Digest of the dataset's row, which lm-evaluation-harness records."""


@dataclass(frozen=True)
class StudentAnswers:
    """All answers of one student."""

    place: str
    """The folder or file that they were read from."""
    writer: Writer
    questions: tuple[AnsweredQuestion, ...]
    metrics: tuple[str, ...]
    """Metrics that grade an answer as correct or not, the primary one first."""
    left_out: tuple[str, ...] = ()
    """Metrics with other values, such as F1 or BLEU."""
    evaluated: EvaluationInputs | None = None
    """What `cotbuild evaluate` evaluated; None if the file does not record it."""


def keep_text(text: str) -> str:
    """Return a text of a file as it is kept: valid Unicode, of bounded length."""
    cut = text[:MAX_ANSWER_CHARS]
    return cut.encode("utf-8", "backslashreplace").decode()
