"""Evaluations: a student's result on each question, and aggregate metrics."""

import math

from pydantic import Field

from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.training import Precision

TEACHER = "teacher"
"""Who wrote the rationales that a student is given, if it is no other student."""

EVALUATION_RECORD = "evaluation.json"
"""The file that marks the folder of an evaluation."""
STUDENT = "student"
"""Name of the student's file of results in that folder, without its ending."""

FORCED_CHOICE = (
    "forced choice: the option whose label and terminator are likeliest, "
    "raw log-likelihood"
)
FREE_ANSWER = "free greedy answer, compared as answers are graded"
PROSE_SCORES = "scores of the free answer against the references, of all questions"
"""The primary metrics, for questions with options, without, and for prose."""
NO_METRIC = "none: the student says no label, its rationales are in the file"
"""In place of the primary metric of a student of rationale_only."""


_Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


class OptionResult(Record):
    """A student's log-likelihood of one option."""

    name: str = Field(description="Label of the choice, or yes or no.")
    log_prob: float = Field(
        description="Natural log-likelihood of the label and the token that ends it, given "
        "the text that all options share."
    )
    label_log_prob: float = Field(
        description="Log-likelihood of the label without the token that ends it."
    )
    tokens: int = Field(ge=0, description="Number of tokens in the label.")
    chars: int = Field(ge=1, description="Number of characters in the label.")
    correct: bool = Field(
        description="Whether the option is the target, or has the same text."
    )


class QuestionResult(Record):
    """One evaluated question: a row of student.parquet."""

    question_id: str = Field(description="Id of the question.")
    kind: QuestionKind = Field(description="How the question is answered.")
    target: str | None = Field(
        description="Reference answer; None if not published, and then nothing is scored."
    )
    options: tuple[OptionResult, ...] = Field(
        description="Options in order; empty if it has none."
    )
    choice: str | None = Field(
        description="Option with the highest log_prob; None if it has no options."
    )
    choice_normalised: str | None = Field(
        description="Option with the highest log_prob / chars; None if it has no options."
    )
    rationale: str | None = Field(
        description="Text generated or given before the label; None if there is none."
    )
    forced: bool = Field(
        description="Whether the separator after the rationale was missing and was appended."
    )
    said: str = Field(
        description="Free greedy answer, up to the text that ends it; empty if none was "
        "generated."
    )
    answer: str | None = Field(
        description="Answer parsed from `said`, in the target's form; None for a parse "
        "failure."
    )
    correct: bool | None = Field(
        description="Whether correct by the primary metric; None without a target."
    )
    correct_normalised: bool | None = Field(
        description="Whether choice_normalised is correct; None without a target or options."
    )
    correct_free: bool | None = Field(
        description="Whether `answer` is correct; None without a target or a free answer."
    )
    rationale_tokens: int = Field(
        ge=0, description="Tokens generated before the label."
    )
    answer_tokens: int = Field(
        ge=0, description="Tokens generated for the free answer."
    )
    seconds: float = Field(
        ge=0, description="Its share of the time of its batch, seconds."
    )
    seen: bool = Field(
        description="Whether the student was trained on a question with the same text."
    )
    cut: bool = Field(
        default=False,
        description="Whether the free answer ended at the limit on its tokens.",
    )


class Proportion(Record):
    """A proportion of questions with its 95 % Wilson interval."""

    count: int = Field(ge=0, description="Questions counted.")
    of: int = Field(ge=1, description="All questions.")
    share: float = Field(ge=0, le=1, description="count / of.")
    low: float = Field(ge=0, le=1, description="Lower end of the interval.")
    high: float = Field(ge=0, le=1, description="Upper end of the interval.")


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


class Estimate(Record):
    """A metric of a sample of questions with its 95 % bootstrap interval."""

    value: float = Field(description="Value on the questions.")
    low: float = Field(description="Lower end of the interval.")
    high: float = Field(description="Upper end of the interval.")


class ClassResult(Record):
    """How well one class is recognised.

    Precision, recall and F1 are fractions of 1.
    """

    label: str = Field(description="Label of the class: a choice's label, yes or no.")
    text: str = Field(description="Text of the class.")
    support: int = Field(ge=0, description="Questions whose target is the class.")
    answered: int = Field(ge=0, description="Questions answered with the class.")
    precision: Estimate | None = Field(
        description="Fraction of the answers with the class that are correct; None if "
        "there are none."
    )
    recall: Estimate | None = Field(
        description="Fraction of the questions of the class that are answered with it; "
        "None if there are none."
    )
    f1: Estimate | None = Field(
        description="Harmonic mean of precision and recall; None if the class is neither "
        "a target nor an answer."
    )


class Classification(Record):
    """Answers to questions that all have the same options, as a classification.

    An answer that names no single class is an error of its target's class.
    """

    macro_f1: Estimate = Field(
        description="Mean F1 of the classes that are the target of a question."
    )
    classes: tuple[ClassResult, ...] = Field(
        min_length=2, description="Classes, in the order of the options."
    )
    confusion: tuple[tuple[int, ...], ...] = Field(
        description="Questions by target (rows) and answer (columns), both in the order "
        "of `classes`; the last column counts the questions without an answer."
    )


class CorpusScore(Record):
    """A score of answers in prose against references, with its 95 % bootstrap interval."""

    metric: str = Field(description="Name of the metric: chrf2, bleu, rouge_l.")
    signature: str = Field(
        description="All that the score depends on besides the texts, in sacrebleu's form."
    )
    num_questions: int = Field(ge=1, description="Questions that are scored.")
    value: float = Field(description="Score of all answers together, from 0 to 100.")
    low: float = Field(description="Lower end of the interval.")
    high: float = Field(description="Upper end of the interval.")


class SliceMetrics(Record):
    """Metrics of the questions with the same value of a tag."""

    tag: str = Field(
        description="Name of the tag; `picture` for whether a question has a picture."
    )
    value: str | None = Field(
        description="Value of the tag; None for all values that are not listed."
    )
    num_values: int = Field(ge=1, description="Values of the tag that it stands for.")
    num_questions: int = Field(ge=1, description="Questions with them.")
    accuracy: Proportion | None = Field(
        description="Accuracy by the primary metric; None if none of them is graded."
    )
    macro_f1: Estimate | None = Field(
        description="Macro-F1 of the forced choices; None as for `classification`."
    )
    scores: tuple[CorpusScore, ...] = Field(
        default=(),
        exclude_if=lambda scores: not scores,
        description="Scores of answers in prose; empty if there are none.",
    )


class StudentMetrics(Record):
    """Aggregate metrics of one student.

    Its parquet file and the questions suffice to recompute them.
    """

    accuracy: Proportion | None = Field(
        description="Accuracy by the primary metric; None if no question has a target."
    )
    normalised: Proportion | None = Field(
        description="Forced choice by log-likelihood per character; None without options."
    )
    free: Proportion | None = Field(
        description="Accuracy of free greedy answers, where a parse failure counts as wrong; "
        "None if no question has a target."
    )
    unseen: Proportion | None = Field(
        description="Accuracy on questions not trained on; None if no question was trained "
        "on."
    )
    forced: Proportion | None = Field(
        description="Rationales without a separator; None if the label comes first."
    )
    parse_failures: Proportion | None = Field(
        description="Free answers that state no single answer; None if the student says no "
        "label."
    )
    seen: int = Field(ge=0, description="Questions whose text is in the training rows.")
    tokens_per_question: float = Field(
        ge=0,
        description="Tokens generated per question: rationale, and free answer where there "
        "is one.",
    )
    rationale_tokens_per_question: float = Field(
        ge=0, description="Tokens generated per question before the label."
    )
    cut: Proportion | None = Field(
        default=None,
        exclude_if=lambda cut: cut is None,
        description="Answers in prose that ended at the limit on their tokens; None if no "
        "question is of that kind.",
    )
    seconds: float = Field(
        ge=0,
        description="Wall time of all questions without loading the student, seconds.",
    )
    questions_per_s: float = Field(
        ge=0, description="num_questions / seconds; 0 if not measured."
    )
    classification: Classification | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Forced choices as a classification; None unless all questions have "
        "the same options.",
    )
    free_classification: Classification | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="The same of the free greedy answers; None as for `classification`.",
    )
    scores: tuple[CorpusScore, ...] = Field(
        default=(),
        exclude_if=lambda scores: not scores,
        description="Scores of the free answers in prose against their references; empty "
        "if there are none.",
    )
    slices: tuple[SliceMetrics, ...] = Field(
        default=(),
        exclude_if=lambda slices: not slices,
        description="Metrics by the value of each tag, at most 20 values of a tag; empty "
        "if the questions have no tags that differ.",
    )


class MajorityBaseline(Record):
    """The baseline that answers every question with the most frequent target."""

    target: str = Field(
        description="The most frequent target: a choice's label, or the answer itself."
    )
    accuracy: Proportion = Field(
        description="Its accuracy on the same questions, from whose targets it was chosen."
    )


class EvaluationInputs(Record):
    """What was evaluated: everything that determines the results.

    The last digits of floats may differ between machines.
    """

    student: str = Field(description="Identity of the student.")
    dataset: str = Field(description="Dataset of the questions, without a path.")
    split: str = Field(description="Split of the questions.")
    variant: str = Field(
        description="name@version of the variant whose prompts and labels are used."
    )
    rows: str = Field(description="Digest of the questions and rows, in order.")
    num_questions: int = Field(ge=1, description="Number of questions.")
    layout: str = Field(description="Digest of the completions' layout.")
    rationale_tokens: int = Field(
        ge=0,
        description="Maximum tokens generated before the label; 0 if the label comes first.",
    )
    prose_tokens: int = Field(
        default=0,
        ge=0,
        exclude_if=lambda tokens: tokens == 0,
        description="Maximum tokens of an answer in prose; 0 if no question is of that kind.",
    )
    multiline_prose: bool = Field(
        default=False,
        exclude_if=lambda multiline: not multiline,
        description="Whether an answer in prose may have several lines.",
    )
    teacher_chains: bool = Field(
        default=False,
        description="Whether the teacher's rationale was given before the label instead of "
        "generating one.",
    )
    precision: Precision = Field(
        default=Precision.FLOAT32,
        exclude_if=lambda precision: precision is Precision.FLOAT32,
        description="Precision of the student's weights and matrix products.",
    )
    merged_label_ends: bool = Field(
        default=False,
        exclude_if=lambda merged: not merged,
        description="Whether the last token of an option reaches past it, as one of a full "
        "stop and a line break does, and so ends it; False also for evaluations of older "
        "versions, which scored the next token as its end.",
    )
    free_answers: int | None = Field(
        default=None,
        ge=0,
        exclude_if=lambda count: count is None,
        description="Number of questions with options that were answered freely too, the "
        "first by a digest of their ids; None for all.",
    )
    mapping: dict[str, str] = Field(
        default={},
        exclude_if=lambda mapping: not mapping,
        description="question to the input that was asked with in place of its text; an "
        "input to nothing where it was left out. Empty for questions as they are.",
    )
    rationales_by: str | None = Field(
        default=None,
        exclude_if=lambda identity: identity is None,
        description="Identity of the student whose rationales were given before the label; "
        "None if no other student's were.",
    )
    version: int = Field(ge=1, description="Version of the evaluation method.")


class Evaluation(Record):
    """The content of evaluation.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    metric: str = Field(description="Primary metric, used by `accuracy` and `correct`.")
    normalisation: str = Field(
        default="log-likelihood / characters of the label",
        description="Score used by `normalised`.",
    )
    evaluated: EvaluationInputs = Field(description="What was evaluated.")
    student: StudentMetrics = Field(description="Metrics of the student.")
    untrained: StudentMetrics | None = Field(
        description="Metrics of the student before training; None if that is what was "
        "evaluated."
    )
    untrained_student: str | None = Field(
        description="Identity of the student before training; None as for `untrained`."
    )
    majority: MajorityBaseline | None = Field(
        description="Majority baseline; None if no question has a target."
    )
    chance: float | None = Field(
        description="Expected accuracy of guessing; None if some questions have no options."
    )
    versions: dict[str, str] = Field(
        description="Versions of cotbuild and the libraries that affect results."
    )
