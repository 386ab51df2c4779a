"""Labels, prompts and completions: where the rationale stands in what a student reads
and is trained to say. Pure.
"""

from typing import NamedTuple

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.schemas.question import Choice, Question
from cotbuild.schemas.variant import (
    LabelForm,
    LabelSource,
    Placement,
    Task,
    TrainingRow,
    VariantSpec,
)

ANSWER, REASONING = "Answer:", "Reasoning:"
"""What the prompt ends with, and what stands between the parts of a completion;
evaluation looks for them too.
"""
BECAUSE = " because "
PREDICT, EXPLAIN = "[predict] ", "[explain] "
"""Prefixes of the two tasks, as in "distilling step-by-step" (arXiv 2305.02301)."""


def label_of(choices: tuple[Choice, ...], value: str, form: LabelForm) -> str:
    """An answer in the form a student says it; `value` is a choice's label, or text
    where there are no choices.
    """
    text = next((choice.text for choice in choices if choice.label == value), None)
    if text is None or form is LabelForm.LETTER:
        return value
    return text if form is LabelForm.TEXT else f"({value}) {text}"


class StudentPrompt:
    """A question as variants put it.

    Kept, since most variants of a set put it in the same way.
    """

    def __init__(self, question: str, choices: tuple[Choice, ...]) -> None:
        self._question, self._choices = question, choices
        self._labels: dict[LabelForm, tuple[str, ...]] = {}
        self._prompts: dict[tuple[bool, bool, str, str], str] = {}

    def labels(self, form: LabelForm) -> tuple[str, ...]:
        """What may be said for a label, one an option."""
        if form not in self._labels:
            self._labels[form] = tuple(
                label_of(self._choices, choice.label, form) for choice in self._choices
            )
        return self._labels[form]

    def prompt(self, spec: VariantSpec, ending: str, prefix: str = "") -> str:
        """What the student reads. Options carry letters where the label has one."""
        key = (spec.options, spec.label_form is not LabelForm.TEXT, ending, prefix)
        if key not in self._prompts:
            self._prompts[key] = self._prompt(*key)
        return self._prompts[key]

    def _prompt(self, options: bool, lettered: bool, ending: str, prefix: str) -> str:
        lines = [f"{prefix}Question: {self._question.strip()}"]
        if self._choices and options:
            lines += [
                "Options:",
                *(
                    f"({c.label}) {c.text}" if lettered else f"- {c.text}"
                    for c in self._choices
                ),
            ]
        return "\n".join([*lines, ending])


class CompletionSpans(NamedTuple):
    """A completion, with the spans of label and rationale in it; None: it has none."""

    text: str
    label: tuple[int, int] | None
    rationale: tuple[int, int] | None


def _said(*parts: tuple[str, str]) -> CompletionSpans:
    """Parts as (what, text), what being label, rationale or a separator ""; of two
    labels the last one counts.
    """
    text, spans = "", dict[str, tuple[int, int]]()
    for what, part in parts:
        if what and part:
            spans[what] = (len(text), len(text) + len(part))
        text = text.rstrip(" ") + part if part.startswith("\n") else text + part
    return CompletionSpans(
        text.rstrip(" ") if text.strip() else "",
        spans.get("label"),
        spans.get("rationale"),
    )


def completion_of(placement: Placement, label: str, rationale: str) -> CompletionSpans:
    """What the student is trained to say; begins with white space.

    Where a transform left nothing of the rationale, the separators stand as ever and
    nothing stands between them.
    """
    space, label_part, rationale_part = (
        ("", " "),
        ("label", label),
        ("rationale", rationale),
    )
    match placement:
        case Placement.LABEL_ONLY:
            return _said(space, label_part)
        case Placement.RATIONALE_ONLY:
            return _said(space, rationale_part)
        case Placement.PRE_COT:
            return _said(space, rationale_part, ("", f"\n{ANSWER} "), label_part)
        case Placement.POST_COT:
            return _said(space, label_part, ("", f"\n{REASONING} "), rationale_part)
        case Placement.EXPLANATION:
            return _said(space, label_part, ("", BECAUSE), rationale_part)
        case Placement.BOTH_SIDES:
            first = ("", f" {label}\n{REASONING} ")
            return _said(first, rationale_part, ("", f"\n{ANSWER} "), label_part)
        case Placement.TWO_TASKS:
            raise AssertionError(
                "two tasks are two rows, placed as label_only and rationale_only"
            )


def label_for(spec: VariantSpec, subject: RationaleExample) -> str | None:
    """The label of a row; None: there is none, as of a question without a target."""
    value = (
        subject.target if spec.label_source is LabelSource.TARGET else subject.answer
    )
    return None if value is None else label_of(subject.choices, value, spec.label_form)


def training_rows(
    spec: VariantSpec,
    subject: RationaleExample,
    asked: StudentPrompt,
    label: str,
    rationale: str,
) -> list[TrainingRow]:
    """The rows of one rationale: two where the placement is two tasks, else one."""
    if spec.placement is not Placement.TWO_TASKS:
        return [
            _row(
                spec,
                subject,
                asked,
                completion_of(spec.placement, label, rationale),
                None,
            )
        ]
    return [
        _row(
            spec,
            subject,
            asked,
            completion_of(Placement.LABEL_ONLY, label, rationale),
            "predict",
        ),
        _row(
            spec,
            subject,
            asked,
            completion_of(Placement.RATIONALE_ONLY, label, rationale),
            "explain",
        ),
    ]


def _row(
    spec: VariantSpec,
    subject: RationaleExample,
    asked: StudentPrompt,
    said: CompletionSpans,
    task: Task | None,
) -> TrainingRow:
    prefix = {None: "", "predict": PREDICT, "explain": EXPLAIN}[task]
    reasons = (
        spec.placement in (Placement.PRE_COT, Placement.RATIONALE_ONLY)
        or task == "explain"
    )
    return TrainingRow.model_construct(
        question_id=subject.question_id,
        sample_index=subject.sample_index,
        task=task,
        prompt=asked.prompt(spec, REASONING if reasons else ANSWER, prefix),
        completion=said.text,
        choices=asked.labels(spec.label_form),
        target=subject.target,
        label_start=said.label[0] if said.label else None,
        label_end=said.label[1] if said.label else None,
        rationale_start=said.rationale[0] if said.rationale else None,
        rationale_end=said.rationale[1] if said.rationale else None,
    )


def evaluation_row(spec: VariantSpec, question: Question) -> TrainingRow | None:
    """The row of an evaluation question: the prompt of training, and the label alone;
    None for rationale_only.
    """
    if spec.placement is Placement.RATIONALE_ONLY:
        return None
    label = (
        ""
        if question.target is None
        else label_of(question.choices, question.target, spec.label_form)
    )
    said = (
        completion_of(Placement.LABEL_ONLY, label, "")
        if label
        else CompletionSpans("", None, None)
    )
    asked = StudentPrompt(question.text, question.choices)
    two_tasks = spec.placement is Placement.TWO_TASKS
    ending = REASONING if spec.placement is Placement.PRE_COT else ANSWER
    return TrainingRow(
        question_id=question.id,
        sample_index=0,
        task="predict" if two_tasks else None,
        prompt=asked.prompt(spec, ending, PREDICT if two_tasks else ""),
        completion=said.text,
        choices=asked.labels(spec.label_form),
        target=question.target,
        label_start=said.label[0] if said.label else None,
        label_end=said.label[1] if said.label else None,
        rationale_start=None,
        rationale_end=None,
    )
