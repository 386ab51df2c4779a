"""Rationale: the published row, one per question and sample, and its verdict."""

from enum import StrEnum

from pydantic import Field

from cotbuild.schemas.base import Record
from cotbuild.schemas.question import Choice, QuestionKind


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
    RESTATED = "restated"  # more than one answer was stated and they differ; the last one counts
    NO_RATIONALE = "no_rationale"  # an answer without any reasoning beside it


class Rationale(Record):
    """One row of the `rationales` config: everything the teacher said to one request, whatever the verdict."""

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(ge=0, description="n-th of k samples for this question, from 0.")
    kind: QuestionKind = Field(description="How the question is answered.")
    question: str = Field(description="The question's text, without its choices.")
    choices: tuple[Choice, ...] = Field(description="The options in order; empty unless kind is choice.")
    target: str | None = Field(description="Reference answer; None where it is not published.")
    other_targets: tuple[str, ...] = Field(description="Further accepted answers of a text question.")
    rationale: str = Field(description="The reasoning kept: no answer statement, no run-on text; empty: none.")
    answer: str | None = Field(
        description="The answer taken from the text, in the form of the target; None: no single one."
    )
    verdict: Verdict = Field(description="correct, incorrect, no_answer, truncated or unscored.")
    flags: tuple[Flag, ...] = Field(description="Sorted; see Flag.")
    completion: str | None = Field(description="The generated text, verbatim; None where no completion came.")
    reasoning: str | None = Field(description="Reasoning the server returned apart; None: nothing.")
    finish_reason: str | None = Field(description="stop or length; None where no completion came.")
    prompt_tokens: int | None = Field(description="Tokens read; None: not said by the server.")
    completion_tokens: int | None = Field(description="Tokens generated; None: not said by the server.")
    failure: str | None = Field(description="Kind of infrastructure failure; None where a completion came.")
    template: str = Field(description="name@version of the template.")
    request_key: str = Field(description="sha256 that identifies the request, 64 hex digits.")
    dataset: str = Field(description="Dataset the question came from.")
    config_name: str | None = Field(description="The dataset's config; None where it has only one.")
    split: str = Field(description="Split the question came from.")
    revision: str | None = Field(description="Commit of the dataset on the Hub; None for a file.")
    row: int = Field(ge=0, description="Position of the row in its split, from 0.")
