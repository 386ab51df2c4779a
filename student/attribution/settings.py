"""What is attributed, which runs can be, and all that decides a score."""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field

from cotbuild.schemas.attribution import AttributionMethod, ConvergenceBounds
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import Record
from cotbuild.schemas.training import Layout, StudentRun
from cotbuild.schemas.variant import RowFormat
from cotbuild.schemas.variant_rows import TrainingRow
from cotbuild.student.attribution.contrast import list_answers
from cotbuild.student.evaluation.options import tokenize_options
from cotbuild.student.model import Student, context_length

RowKey = tuple[str, int]
"""Question id and sample index."""


class AttributedRow(NamedTuple):
    """A row the student was trained on, with its question and published rationale."""

    row: TrainingRow
    question: Question
    rationale: str

    @property
    def key(self) -> RowKey:
        return self.row.question_id, self.row.sample_index


class IntegrationSettings(Record):
    """Settings of Integrated Gradients."""

    steps: int = Field(default=16, ge=1, description="Integration steps tried first.")
    bounds: ConvergenceBounds = Field(
        description="Steps double until scores pass these bounds."
    )

    def check(self) -> None:
        """Raise ConfigError if the steps cannot double once."""
        if 2 * self.steps > self.bounds.max_steps:
            raise ConfigError(
                f"steps {self.steps} and max_steps {self.bounds.max_steps}: scores are "
                "compared with those of half the steps. Allow at least twice the first "
                "steps."
            )


class AttributionSettings(Record):
    """All that decides a score but the rationale."""

    method: AttributionMethod = Field(description="How it is computed.")
    student: str = Field(description="Identity of the trained student.")
    rows: str = Field(description="Digest of the variant's rows.")
    layout: Layout = Field(description="How its completions are put together.")
    integration: IntegrationSettings | None = Field(
        description="Settings of Integrated Gradients; None for other methods."
    )
    baseline: str | None = Field(
        description="What replaces the rationale's tokens at the start of the path; None "
        "if there is no path."
    )

    @property
    def key(self) -> str:
        return digest("attribution/2", self.model_dump(mode="json"))


def make_settings(
    run: StudentRun, student: Student, integration: IntegrationSettings | None
) -> AttributionSettings:
    """Return the settings of a run's scores.

    They are by Integrated Gradients, or, if `integration` is None, by leaving one word
    out. Raises ConfigError if the steps cannot double once.
    """
    if integration is not None:
        integration.check()
        method = AttributionMethod.INTEGRATED_GRADIENTS
        token = student.tokenizer.convert_ids_to_tokens(student.pad_id)
        baseline = f"embedding of {token}"
    else:
        method, baseline = AttributionMethod.LEAVE_ONE_WORD_OUT, None
    return AttributionSettings(
        method=method,
        student=student.identity,
        rows=run.data.config_digest,
        layout=run.layout,
        integration=integration,
        baseline=baseline,
    )


def check_attributable(run: StudentRun, where: str) -> None:
    """Raise ConfigError if the rationales of a run cannot be attributed.

    They cannot if the student says the label first or not at all, or read rationales
    other than those published. `where` names the run in the message.
    """
    spec = run.data.spec
    if spec.mix or spec.format is not RowFormat.TEXT:
        raise ConfigError(
            f"{where}: variant {spec.name!r} is a mix, or has rows of messages. Attribute a "
            "run of one variant of format text, such as pre_cot."
        )
    if spec.gives_rationale:
        raise ConfigError(
            f"{where}: variant {spec.name!r} has the rationale in its prompt, which is not "
            "attributed. Train pre_cot and attribute that run."
        )
    if not run.layout.has_label:
        raise ConfigError(
            f"{where}: variant {spec.name!r} says no label. "
            "Attribute a run of one that does, such as pre_cot."
        )
    if run.layout.label_first:
        raise ConfigError(
            f"{where}: variant {spec.name!r} says the label first, which cannot depend "
            "on the tokens after it: every score would be zero. "
            "Train pre_cot and attribute that run."
        )
    if spec.transforms:
        raise ConfigError(
            f"{where}: variant {spec.name!r} changes the rationale "
            f"({spec.transforms[0].do}), but scores are for its words as published. "
            "Attribute a run of a variant without transforms, such as pre_cot."
        )


def choose_fitting(
    student: Student, layout: Layout, rows: Iterable[AttributedRow], max_tokens: int
) -> list[AttributedRow]:
    """Return the rows of at most `max_tokens` tokens, prompt and longest option included.

    As in training, a row must also fit into the student's context.
    """
    limit = min(max_tokens, context_length(student.model))
    return [item for item in rows if _count_tokens(student, layout, item) <= limit]


def _count_tokens(student: Student, layout: Layout, item: AttributedRow) -> int:
    """Count the tokens of a row's prompt, rationale and longest option."""
    row = item.row
    rationale = row.completion[row.rationale_start : row.rationale_end]
    answers = list_answers(row, item.question.kind)
    options = tokenize_options(
        student.tokenizer, layout, row.prompt, answers, rationale
    )
    return max(len(option.ids_T) for option in options)
