"""Rationale: the published row, one per question and sample, and its verdict."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef
from cotbuild.schemas.record import Record


class Verdict(StrEnum):
    """What became of one planned chain; every chain has exactly one."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # the text names no single answer
    TRUNCATED = "truncated"  # cut by max_tokens before an answer that comes last
    UNSCORED = "unscored"  # infrastructure failed, or no target to compare with: left out of means


class Flag(StrEnum):
    """What a reader of a row may want to select on; none of them changes the verdict."""

    CUT = "cut"  # finish_reason length, after the answer was already said
    RUN_ON = "run_on"  # text after the answer was cut from the rationale
    REPEATS_ITSELF = "repeats_itself"  # an n-gram loop
    NAMES_TARGET = "names_target"  # the rationale mentions the target's text or letter
    CONTRADICTS = (
        "contradicts"  # the text also states another answer than the one that counts
    )
    EMPTY = "empty"  # no rationale, with or without an answer
    DUPLICATE = "duplicate"  # the same rationale stands in an earlier row
    REFUSAL = "refusal"  # the text declines to answer, or says that no choice is right
    MARKUP = "markup"  # tags, LaTeX or Markdown left in the rationale


class Purpose(StrEnum):
    """What a request of a chain was made for.

    The same purpose again: once more with more tokens.
    """

    ELICIT = "elicit"  # a rationale, with the target hidden
    RATIONALIZE = "rationalize"  # a rationale, with the target shown
    CHOOSE = "choose"  # an answer held to the choices, after a free rationale


class OtherStep(Record):
    """A request of a chain besides the one whose text holds the rationale."""

    purpose: Purpose = Field(description="elicit, rationalize or choose.")
    request_key: str = Field(
        description="sha256 that identifies the request, 64 hex digits."
    )
    completion: str | None = Field(
        description="The generated text, verbatim; None where no completion came."
    )
    reasoning: str | None = Field(
        description="Reasoning the server returned apart; None: nothing."
    )
    finish_reason: str | None = Field(
        description="stop or length; None where no completion came."
    )
    prompt_tokens: int | None = Field(
        description="Tokens read; None: not said by the server."
    )
    completion_tokens: int | None = Field(
        description="Tokens generated; None: not said by the server."
    )


class Origin(Record):
    """Where an imported rationale stands."""

    file: str = Field(description="Name of the file; no path.")
    row: int = Field(ge=0, description="Row of the file, from 0.")
    position: int = Field(
        ge=0, description="Place in the row's list of rationales, from 0."
    )


class Rationale(Record):
    """One row of the `rationales` config: everything the teacher said to one request,
    whatever the verdict.
    """

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(
        ge=0, description="n-th of k samples for this question, from 0."
    )
    kind: QuestionKind = Field(description="How the question is answered.")
    question: str = Field(description="The question's text, without its choices.")
    choices: tuple[Choice, ...] = Field(
        description="The options in order; empty unless kind is choice."
    )
    target: str | None = Field(
        description="Reference answer; None where it is not published."
    )
    other_targets: tuple[str, ...] = Field(
        description="Further accepted answers of a text question."
    )
    rationale: str = Field(
        description="The reasoning kept: no answer statement, no run-on text; empty: none."
    )
    answer: str | None = Field(
        description="The answer taken from the text, in the form of the target; None: no single one."
    )
    verdict: Verdict = Field(
        description="correct, incorrect, no_answer, truncated or unscored."
    )
    flags: tuple[Flag, ...] = Field(description="Sorted; see Flag.")
    completion: str | None = Field(
        description="The generated text, verbatim; None where no completion came."
    )
    reasoning: str | None = Field(
        description="Reasoning returned apart, or in a <think> block; None: nothing."
    )
    finish_reason: str | None = Field(
        description="stop or length; None where no completion came, or none is known."
    )
    prompt_tokens: int | None = Field(
        description="Tokens read; None: not said by the server."
    )
    completion_tokens: int | None = Field(
        description="Tokens generated; None: not said by the server."
    )
    failure: str | None = Field(
        description="Kind of infrastructure failure; None where a completion came."
    )
    teacher: str = Field(
        description="Identity of the teacher, or who wrote an imported rationale."
    )
    purpose: Purpose = Field(
        description="Whether the target was hidden (elicit) or shown (rationalize)."
    )
    template: str = Field(
        description="name@version of the template; of the recipe, for an imported rationale."
    )
    request_key: str = Field(
        description="sha256 that identifies the request, or the imported text; 64 hex digits."
    )
    other_steps: tuple[OtherStep, ...] = Field(
        description="The chain's other requests, in order."
    )
    origin: Origin | None = Field(
        description="Where an imported rationale stands; None: it was asked for."
    )
    dataset: str = Field(description="Dataset the question came from.")
    config_name: str | None = Field(
        description="The dataset's config; None where it has only one."
    )
    split: str = Field(description="Split the question came from.")
    revision: str | None = Field(
        description="Commit of the dataset on the Hub; None for a file."
    )
    row: int = Field(ge=0, description="Position of the row in its split, from 0.")

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
        "dataset": question.source.dataset,
        "config_name": question.source.config_name,
        "split": question.source.split,
        "revision": question.source.revision,
        "row": question.source.row,
    }
