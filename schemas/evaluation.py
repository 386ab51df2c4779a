"""Evaluations: what a student said of each question, and the figures that come of it."""

import math

from pydantic import Field

from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.record import FORMAT_VERSION, Record

FORCED_CHOICE = "forced choice: the option whose label and terminator are likeliest, raw log-likelihood"
FREE_ANSWER = "free greedy answer, compared as answers are graded"
"""The primary metrics: the first where a question has options, the other where it has
none.
"""


_Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


class OptionResult(Record):
    """What a student says of one option."""

    name: str = Field(description="A choice's label, or yes, no.")
    log_prob: float = Field(
        description="Of the label and the token that ends it, behind what all options share; natural logarithm."
    )
    label_log_prob: float = Field(description="Without the token that ends it.")
    tokens: int = Field(ge=0, description="Tokens of the label.")
    chars: int = Field(ge=1, description="Characters of the label.")
    correct: bool = Field(
        description="Whether this is the target, or an option of its text."
    )


class QuestionResult(Record):
    """A question evaluated: a row of student.parquet."""

    question_id: str = Field(description="Id of the question.")
    kind: QuestionKind = Field(description="How it is answered.")
    target: str | None = Field(
        description="Reference answer; None: not published, so that nothing is correct or wrong."
    )
    options: tuple[OptionResult, ...] = Field(
        description="The options in order; empty: it has none."
    )
    choice: str | None = Field(
        description="Likeliest option by log_prob; None: it has none."
    )
    choice_normalised: str | None = Field(description="Likeliest by log_prob / chars.")
    rationale: str | None = Field(
        description="What was generated before the label; None: the label comes first."
    )
    forced: bool = Field(
        description="Whether the separator behind the rationale did not come and was put there."
    )
    said: str = Field(description="The free greedy answer, up to what ends it.")
    answer: str | None = Field(
        description="What it says in the form of the target; None: a parse failure."
    )
    correct: bool | None = Field(description="By the primary metric; None: no target.")
    correct_normalised: bool | None = Field(
        description="Of choice_normalised; None: no target or no options."
    )
    correct_free: bool | None = Field(description="Of answer; None: no target.")
    rationale_tokens: int = Field(
        ge=0, description="Tokens generated before the label."
    )
    answer_tokens: int = Field(
        ge=0, description="Tokens generated for the free answer."
    )
    seconds: float = Field(
        ge=0, description="Its part of the time of those that were run together."
    )
    seen: bool = Field(
        description="Whether the student was trained on a question of the same text."
    )


class Proportion(Record):
    """A share of questions, with Wilson's 95 % interval."""

    count: int = Field(ge=0, description="Of them.")
    of: int = Field(ge=1, description="All.")
    share: float = Field(ge=0, le=1, description="count / of.")
    low: float = Field(ge=0, le=1, description="Lower end of the interval.")
    high: float = Field(ge=0, le=1, description="Upper end.")


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927), as shares of 1.

    `of` is at least 1. For one trained student it covers other questions, not other
    training runs of the same recipe.
    """
    share = count / of
    z_squared = _Z_95**2
    denominator = 2 * (of + z_squared)
    centre = (2 * of * share + z_squared) / denominator
    half = _Z_95 / denominator * math.sqrt(4 * of * share * (1 - share) + z_squared)
    # The ends at 0 and 1 are exact, which rounding would miss.
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == of else centre + half
    return low, high


class StudentMetrics(Record):
    """What the results of one student come to; every figure can be recomputed from its
    parquet file.
    """

    accuracy: Proportion | None = Field(
        description="By the primary metric; None: no question has a target."
    )
    normalised: Proportion | None = Field(
        description="Forced choice by log-likelihood a character; None: no options."
    )
    free: Proportion | None = Field(
        description="Free greedy answers; a parse failure is not correct."
    )
    unseen: Proportion | None = Field(
        description="Accuracy on the questions that were not trained on; None: as accuracy."
    )
    forced: Proportion | None = Field(
        description="Rationales without a separator; None: the label comes first."
    )
    parse_failures: Proportion = Field(
        description="Free answers that name no single answer."
    )
    seen: int = Field(
        ge=0, description="Questions whose text stands in the training rows."
    )
    tokens_per_question: float = Field(
        ge=0, description="Generated: rationale and free answer."
    )
    rationale_tokens_per_question: float = Field(
        ge=0, description="Of these, before the label."
    )
    seconds: float = Field(
        ge=0, description="Wall time of all questions, without loading."
    )
    questions_per_s: float = Field(
        ge=0, description="num_questions / seconds; 0: not measured."
    )


class MajorityBaseline(Record):
    """Answering every question with the target that most of them have."""

    target: str = Field(
        description="That target: a choice's label, or the answer itself."
    )
    accuracy: Proportion = Field(
        description="What it comes to on the same questions, chosen with their targets known."
    )


class EvaluationInputs(Record):
    """What was evaluated; decides every result but for the last digits of floats."""

    student: str = Field(description="Identity of the student.")
    dataset: str = Field(description="Where the questions come from; no path.")
    split: str = Field(description="Their split.")
    variant: str = Field(
        description="name@version of the variant whose prompts and labels these are."
    )
    rows: str = Field(description="Digest of questions and rows, in order.")
    num_questions: int = Field(ge=1, description="Questions.")
    layout: str = Field(description="Digest of the layout of completions.")
    rationale_tokens: int = Field(
        ge=0,
        description="Most tokens generated before the label; 0: the label comes first.",
    )
    teacher_chains: bool = Field(
        default=False,
        description="Whether what stood before the label was the teacher's own rationale, not generated.",
    )
    version: int = Field(ge=1, description="Of the way of evaluating.")


class Evaluation(Record):
    """evaluation.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    metric: str = Field(
        description="The primary metric, which `accuracy` and `correct` are of."
    )
    normalisation: str = Field(
        default="log-likelihood / characters of the label",
        description="Of `normalised`.",
    )
    evaluated: EvaluationInputs = Field(description="What was evaluated.")
    student: StudentMetrics = Field(description="Of the student.")
    untrained: StudentMetrics | None = Field(
        description="Of the student before training; None: it is what was evaluated."
    )
    untrained_student: str | None = Field(description="Identity of that one.")
    majority: MajorityBaseline | None = Field(
        description="None: no question has a target."
    )
    chance: float | None = Field(
        description="Mean share of options that are correct; None: questions without options."
    )
    versions: dict[str, str] = Field(
        description="Of cotbuild and the libraries that matter."
    )
