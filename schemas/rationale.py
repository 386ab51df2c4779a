"""Rationale: the published row for one sample of one question, and its verdict."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from cotbuild.schemas.question import (
    Choice,
    ImageRef,
    Input,
    Question,
    QuestionKind,
    SourceRef,
    Tag,
)
from cotbuild.schemas.record import Record

ROW_VERSION = 4
"""Version of the columns of `Rationale`, which a manifest records as `row_version`."""

ADDED_COLUMNS = {
    "failure_message": 2,
    "notes": 2,
    "answer_rule": 3,
    "answer_start": 3,
    "answer_end": 3,
    "verdict_rule": 3,
    "inputs": 4,
    "tags": 4,
    "scores": 4,
    "attempt_verdict": 4,
    "evaluation": 4,
}
"""The version that added each column that version 1 did not have."""


class Verdict(StrEnum):
    """Outcome of one planned chain; every chain has exactly one."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # the text states no single answer
    TRUNCATED = "truncated"  # reached max_tokens before an answer that comes last
    SCORED = "scored"  # prose with an answer: neither right nor wrong
    UNSCORED = (
        "unscored"  # a request failed, or no target is published; excluded from means
    )


class Flag(StrEnum):
    """A property of a row to filter by; none changes the verdict."""

    CUT = "cut"  # finish_reason length, after the answer was stated
    RUN_ON = "run_on"  # text after the answer was removed from the rationale
    REPEATS_ITSELF = "repeats_itself"  # the same n-gram over and over
    NAMES_TARGET = "names_target"  # the rationale mentions the target's text or letter
    CONTRADICTS = (
        "contradicts"  # the text also states another answer than the one that counts
    )
    EMPTY = "empty"  # no rationale, with or without an answer
    DUPLICATE = "duplicate"  # an earlier row has the same rationale
    REFUSAL = (
        "refusal"  # the text declines to answer, or states that no choice is correct
    )
    MARKUP = "markup"  # tags, LaTeX or Markdown left in the rationale


class Purpose(StrEnum):
    """Why a request of a chain was sent.

    A repeated purpose is a retry with more tokens.
    """

    ELICIT = "elicit"  # a rationale, with the target hidden
    RATIONALIZE = "rationalize"  # a rationale, with the target shown
    CHOOSE = "choose"  # an answer constrained to the choices, after a free rationale
    EVALUATE = "evaluate"  # an evaluation of an attempt at the question


class Score(Record):
    """How close an answer in prose is to its references, by one metric."""

    metric: str = Field(min_length=1, description="Name of the metric, such as chrf2.")
    value: float = Field(description="The score, on the metric's own scale.")


class OtherStep(Record):
    """A request of a chain other than the one whose completion holds the rationale."""

    purpose: Purpose = Field(description="elicit, rationalize, choose or evaluate.")
    request_key: str = Field(
        description="SHA-256 that identifies the request, 64 hex digits."
    )
    completion: str | None = Field(
        description="Generated text, verbatim; None if there is no completion."
    )
    reasoning: str | None = Field(
        description="Reasoning that the server returned separately; None if there is none."
    )
    finish_reason: str | None = Field(
        description="stop or length; None if there is no completion."
    )
    prompt_tokens: int | None = Field(
        description="Tokens of the prompt; None if the server did not report them."
    )
    completion_tokens: int | None = Field(
        description="Tokens generated; None if the server did not report them."
    )


class Origin(Record):
    """Where an imported rationale was read."""

    file: str = Field(description="File name, without a path.")
    row: int = Field(ge=0, description="Index of the row in the file, from 0.")
    position: int = Field(
        ge=0, description="Index in the row's list of rationales, from 0."
    )


class Rationale(Record):
    """One row of the `rationales` config: what the teacher generated for one sample.

    Rows of every verdict are kept.
    """

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(
        ge=0, description="Index of the sample for this question, from 0."
    )
    kind: QuestionKind = Field(description="How the question is answered.")
    question: str = Field(description="Text of the question, without its choices.")
    choices: tuple[Choice, ...] = Field(
        description="Options in order; empty unless kind is choice."
    )
    target: str | None = Field(
        description="Reference answer; None if it is not published."
    )
    other_targets: tuple[str, ...] = Field(
        description="Further accepted answers of a text question, or further references."
    )
    inputs: tuple[Input, ...] = Field(
        default=(),
        description="What the question is asked with besides its text, in order.",
    )
    tags: tuple[Tag, ...] = Field(
        default=(), description="Facts about the question to report by, never shown."
    )
    rationale: str = Field(
        description="The reasoning, without the answer statement and text after it; may be "
        "empty."
    )
    answer: str | None = Field(
        description="Answer extracted from the text, in the target's form; None if not "
        "exactly one."
    )
    answer_rule: str | None = Field(
        default=None,
        description="Id of the rule that read the answer, or that no single one is "
        "stated; None if nothing is stated or the build did not record it.",
    )
    answer_start: int | None = Field(
        default=None,
        ge=0,
        description="Offset of the answer in `completion`, in characters; None if the "
        "answer is None or comes from elsewhere.",
    )
    answer_end: int | None = Field(
        default=None,
        ge=0,
        description="Offset of the answer's end in `completion`, in characters; None with "
        "answer_start.",
    )
    verdict: Verdict = Field(
        description="correct, incorrect, no_answer, truncated, scored or unscored."
    )
    verdict_rule: str | None = Field(
        default=None,
        description="Comparison with the target that decided the verdict; None if nothing "
        "was compared or the build did not record it.",
    )
    scores: tuple[Score, ...] = Field(
        default=(), description="Scores of an answer in prose, by metric."
    )
    attempt_verdict: Verdict | None = Field(
        default=None,
        description="Verdict on the attempt that the text evaluates; None if there is none.",
    )
    evaluation: str | None = Field(
        default=None,
        description="accept or refine, as the text evaluates the attempt; None if it does "
        "not say, or there is none.",
    )
    flags: tuple[Flag, ...] = Field(description="Flags of the row, sorted.")
    completion: str | None = Field(
        description="Generated text, verbatim; None if there is no completion."
    )
    reasoning: str | None = Field(
        description="Reasoning returned separately or in a <think> block; None if there is "
        "none."
    )
    finish_reason: str | None = Field(
        description="stop or length; None if there is no completion or it is not known."
    )
    prompt_tokens: int | None = Field(
        description="Tokens of the prompt; None if the server did not report them."
    )
    completion_tokens: int | None = Field(
        description="Tokens generated; None if the server did not report them."
    )
    failure: str | None = Field(
        description="Kind of infrastructure failure; None if there is a completion."
    )
    failure_message: str | None = Field(
        default=None,
        description="What the server said about the failure, on one line, without "
        "addresses and paths; None if there is no failure or it is not known.",
    )
    notes: tuple[str, ...] = Field(
        default=(),
        description="What was unusual about the server's replies to the chain's requests.",
    )
    teacher: str = Field(
        description="Identity of the teacher, or the author of an imported rationale."
    )
    purpose: Purpose = Field(
        description="Whether the target was hidden (elicit), shown (rationalize), or an "
        "attempt evaluated (evaluate)."
    )
    template: str = Field(
        description="name@version of the template, or of the recipe for an imported "
        "rationale."
    )
    request_key: str = Field(
        description="SHA-256 that identifies the request or imported text, 64 hex digits."
    )
    other_steps: tuple[OtherStep, ...] = Field(
        description="The chain's other requests, in order."
    )
    origin: Origin | None = Field(
        description="Where an imported rationale was read; None if it was generated."
    )
    dataset: str = Field(description="Dataset the question came from.")
    config_name: str | None = Field(
        description="The dataset's config name; None if it has only one."
    )
    split: str = Field(description="Split the question came from.")
    revision: str | None = Field(
        description="Commit of the dataset on the Hub; None for a file."
    )
    row: int = Field(ge=0, description="Index of the row in its split, from 0.")

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The pictures that the question is asked with, in order."""
        return tuple(one.image for one in self.inputs if one.image is not None)

    def question_record(self) -> Question:
        """Return the question that the row is about."""
        source = SourceRef(
            dataset=self.dataset,
            config_name=self.config_name,
            split=self.split,
            revision=self.revision,
            row=self.row,
        )
        return Question(
            id=self.question_id,
            kind=self.kind,
            text=self.question,
            choices=self.choices,
            target=self.target,
            other_targets=self.other_targets,
            source=source,
            inputs=self.inputs,
            tags=self.tags,
        )


def question_fields(question: Question) -> dict[str, Any]:
    """Return the fields of a `Rationale` that repeat its question.

    `Rationale.question_record` is the inverse.
    """
    return {
        "question_id": question.id,
        "kind": question.kind,
        "question": question.text,
        "choices": question.choices,
        "target": question.target,
        "other_targets": question.other_targets,
        "inputs": question.inputs,
        "tags": question.tags,
        "dataset": question.source.dataset,
        "config_name": question.source.config_name,
        "split": question.source.split,
        "revision": question.source.revision,
        "row": question.source.row,
    }
