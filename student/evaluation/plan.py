"""What is evaluated and how: questions with their rows, token limits, the inputs record."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from cotbuild.schemas.evaluation import TEACHER, EvaluationInputs
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.training import Layout, Precision
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)

EVALUATION_VERSION = 3
"""Raised when the same student and rows get other results, by more than the last digits
of floats.
"""

MIN_RATIONALE_TOKENS = 64
"""The limit on tokens before the label is never below this, however short the
rationales of training were.
"""

MIN_PROSE_TOKENS = 64
"""The limit on tokens of an answer in prose is never below this."""

DEFAULT_PROSE_TOKENS = 256
"""The same limit for a student whose labels of training are not known."""

YES_NO = ("yes", "no")
"""The options of a question that is answered with yes or no."""


class EvaluationItem(NamedTuple):
    """A question, and its row in the variant."""

    question: Question
    row: VariantRow
    given_rationale: str | None = None
    """Used in place of the student's own rationale; None: the student generates it."""
    answers_freely: bool = True
    """Whether a free answer is generated beside the choice among the options."""

    @property
    def prompt(self) -> str:
        """The prompt as text, into which messages must have been rendered."""
        if not isinstance(self.row.prompt, str):
            raise TypeError(
                f"question {self.question.id!r}: messages, not yet rendered"
            )
        return self.row.prompt

    @property
    def labels(self) -> tuple[str, ...]:
        """The options as the student says them; empty if there are none."""
        return self.row.choices or option_names(self.question)


class ProseLimits(NamedTuple):
    """What ends a free answer to a question of kind prose."""

    tokens: int = DEFAULT_PROSE_TOKENS
    """Most tokens of the answer."""
    multiline: bool = False
    """Whether an answer may have several lines, so that a line break does not end it."""


class EvaluationPlan(NamedTuple):
    """How questions are evaluated."""

    layout: Layout
    rationale_tokens: int
    """Most tokens generated before the label; 0: the label comes first."""
    batch_tokens: int = 8192
    """Most tokens whose keys and values are held at once."""
    seen: Collection[str] = ()
    """Digests of the questions that the student was trained on."""
    prose: ProseLimits = ProseLimits()

    def prose_limits_of(self, question: Question) -> ProseLimits | None:
        """Return the limits of a free answer in prose; None for another kind."""
        return self.prose if question.kind is QuestionKind.PROSE else None


def option_names(question: Question) -> tuple[str, ...]:
    """Return the names of a question's options: choice labels, or yes and no.

    Empty if the answer is a number or a text.
    """
    if question.kind is QuestionKind.YES_NO:
        return YES_NO
    return tuple(choice.label for choice in question.choices)


def make_prose_limits(
    questions: Iterable[Question], label_p99: int | None, multiline: bool | None
) -> ProseLimits:
    """Return the limits of answers in prose.

    `label_p99` is the 99th percentile of the tokens of a label in training, and
    `multiline` whether a label had several lines there. None: it is not known; then the
    references of `questions` say whether answers have several lines.
    """
    tokens = DEFAULT_PROSE_TOKENS
    if label_p99 is not None:
        tokens = max(label_p99, MIN_PROSE_TOKENS)
    if multiline is None:
        multiline = any(
            "\n" in question.target.strip()
            for question in questions
            if question.kind is QuestionKind.PROSE and question.target is not None
        )
    return ProseLimits(tokens, multiline)


def make_evaluation_plan(
    layout: Layout,
    p99: int,
    batch_tokens: int,
    seen: Collection[str] = (),
    prose: ProseLimits = ProseLimits(),  # noqa: B008 -- immutable
) -> EvaluationPlan:
    """Plan the evaluation of a student whose completions have this layout.

    `p99` is the 99th percentile of the tokens before the label in training; of the
    whole completion if the student says no label.
    """
    rationale_tokens = 0 if layout.label_first else max(p99, MIN_RATIONALE_TOKENS)
    return EvaluationPlan(
        layout, rationale_tokens, batch_tokens, frozenset(seen), prose
    )


def choose_free_questions(
    questions: Sequence[Question], count: int | None
) -> list[bool]:
    """Return for each question whether it is answered freely.

    Of the questions with options they are the first `count` by a digest of their ids,
    so that they are a sample of all of them; None: all. Questions without options are
    always answered freely.
    """
    with_options = [i for i, question in enumerate(questions) if option_names(question)]
    if count is None or count >= len(with_options):
        return [True] * len(questions)
    by_digest = sorted(
        with_options, key=lambda i: digest("free answer/1", questions[i].id)
    )
    left_out = set(by_digest[count:])
    return [i not in left_out for i in range(len(questions))]


def make_evaluation_inputs(
    identity: str,
    items: Sequence[EvaluationItem],
    plan: EvaluationPlan,
    spec: VariantSpec,
    split: str,
    rationales_by: str | None = None,
    mapping: Mapping[str, str] = MappingProxyType({}),
    precision: Precision = Precision.FLOAT32,
    *,
    merged_label_ends: bool = False,
) -> EvaluationInputs:
    """Return the record of everything that decides the results of an evaluation.

    `identity` is that of the student, `rationales_by` says whose rationales it is
    given, `mapping` which inputs were asked with or left out, `precision` that of the
    student's weights, `merged_label_ends` whether an option's last token ends it.
    `items` must not be empty.
    """
    with_options = [item for item in items if option_names(item.question)]
    num_free = sum(item.answers_freely for item in with_options)
    has_prose = any(item.question.kind is QuestionKind.PROSE for item in items)
    return EvaluationInputs(
        student=identity,
        dataset=items[0].question.source.dataset,
        split=split,
        variant=spec.ref,
        rows=digest("evaluation rows/1", [_item_values(item) for item in items]),
        num_questions=len(items),
        layout=digest("layout/1", plan.layout.model_dump(mode="json")),
        rationale_tokens=plan.rationale_tokens,
        prose_tokens=plan.prose.tokens if has_prose else 0,
        multiline_prose=has_prose and plan.prose.multiline,
        teacher_chains=rationales_by == TEACHER,
        rationales_by=None if rationales_by == TEACHER else rationales_by,
        precision=precision,
        merged_label_ends=merged_label_ends,
        free_answers=None if num_free == len(with_options) else num_free,
        mapping=dict(mapping),
        version=EVALUATION_VERSION,
    )


def _item_values(item: EvaluationItem) -> list[object]:
    values: list[object] = [
        item.question.digest_values(),
        item.row.model_dump(mode="json"),
    ]
    if item.given_rationale is not None:
        values.append(item.given_rationale)
    return values
