"""What is evaluated and how: questions with their rows, token limits, the inputs record."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.evaluation import EvaluationInputs
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import TrainingRow, VariantSpec

EVALUATION_VERSION = 3
"""Raised when the same student and rows get other results, by more than the last digits
of floats.
"""

MIN_RATIONALE_TOKENS = 64
"""The limit on tokens before the label is never below this, however short the
rationales of training were.
"""

YES_NO = ("yes", "no")
"""The options of a question that is answered with yes or no."""


class EvaluationItem(NamedTuple):
    """A question, and its row in the variant."""

    question: Question
    row: TrainingRow
    teacher_rationale: str | None = None
    """Used in place of the student's own rationale; None: the student generates it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The options as the student says them; empty if there are none."""
        return self.row.choices or option_names(self.question)


class EvaluationPlan(NamedTuple):
    """How questions are evaluated."""

    layout: Layout
    rationale_tokens: int
    """Most tokens generated before the label; 0: the label comes first."""
    batch_tokens: int = 8192
    """Most tokens whose keys and values are held at once."""
    seen: Collection[str] = ()
    """Digests of the questions that the student was trained on."""


def option_names(question: Question) -> tuple[str, ...]:
    """Return the names of a question's options: choice labels, or yes and no.

    Empty if the answer is a number or a text.
    """
    if question.kind is QuestionKind.YES_NO:
        return YES_NO
    return tuple(choice.label for choice in question.choices)


def make_evaluation_plan(
    layout: Layout, p99: int, batch_tokens: int, seen: Collection[str] = ()
) -> EvaluationPlan:
    """Plan the evaluation of a student whose completions have this layout.

    `p99` is the 99th percentile of the tokens before the label in training. Raises
    ConfigError if the student says no label.
    """
    if "label" not in layout.order:
        raise ConfigError(
            "this student was trained to say no label (rationale_only), so there is "
            "nothing to evaluate. Use a student trained on another variant."
        )
    rationale_tokens = 0 if layout.label_first else max(p99, MIN_RATIONALE_TOKENS)
    return EvaluationPlan(layout, rationale_tokens, batch_tokens, frozenset(seen))


def make_evaluation_inputs(
    identity: str,
    items: Sequence[EvaluationItem],
    plan: EvaluationPlan,
    spec: VariantSpec,
    split: str,
) -> EvaluationInputs:
    """Return the record of everything that decides the results of an evaluation.

    `identity` is that of the student. `items` must not be empty.
    """
    return EvaluationInputs(
        student=identity,
        dataset=items[0].question.source.dataset,
        split=split,
        variant=spec.ref,
        rows=digest("evaluation rows/1", [_item_values(item) for item in items]),
        num_questions=len(items),
        layout=digest("layout/1", plan.layout.model_dump(mode="json")),
        rationale_tokens=plan.rationale_tokens,
        teacher_chains=items[0].teacher_rationale is not None,
        version=EVALUATION_VERSION,
    )


def _item_values(item: EvaluationItem) -> list[object]:
    values: list[object] = [
        item.question.digest_values(),
        item.row.model_dump(mode="json"),
    ]
    if item.teacher_rationale is not None:
        values.append(item.teacher_rationale)
    return values
