"""Labels, prompts and completions: where the rationale stands in what a student reads and is trained to say. Pure."""

from typing import NamedTuple

from cotbuild.builder.variants.base import Subject
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.schemas.variant import LabelForm, LabelSource, Placement, Task, TrainingRow, VariantSpec

ANSWER, REASONING = "Answer:", "Reasoning:"
"""What the prompt ends with, and what stands between the parts of a completion; evaluation looks for them too."""
BECAUSE = " because "
PREDICT, EXPLAIN = "[predict] ", "[explain] "
"""Prefixes of the two tasks, as in "distilling step-by-step" (arXiv 2305.02301)."""


def label_of(choices: tuple[Choice, ...], value: str, form: LabelForm) -> str:
    """An answer in the form a student says it; `value` is a choice's label, or text where there are no choices."""
    text = next((choice.text for choice in choices if choice.label == value), None)
    if text is None or form is LabelForm.LETTER:
        return value
    return text if form is LabelForm.TEXT else f"({value}) {text}"


def labels_of(choices: tuple[Choice, ...], form: LabelForm) -> tuple[str, ...]:
    """What may be said for a label, one an option."""
    return tuple(label_of(choices, choice.label, form) for choice in choices)


def prompt_of(question: str, choices: tuple[Choice, ...], spec: VariantSpec, ending: str, prefix: str = "") -> str:
    """What the student reads. Options carry letters where the label has one."""
    lines = [f"{prefix}Question: {question.strip()}"]
    if choices and spec.options:
        lettered = spec.label_form is not LabelForm.TEXT
        lines += ["Options:", *(f"({c.label}) {c.text}" if lettered else f"- {c.text}" for c in choices)]
    return "\n".join([*lines, ending])


class Said(NamedTuple):
    """A completion, with the spans of label and rationale in it; None: it has none."""

    text: str
    label: tuple[int, int] | None
    rationale: tuple[int, int] | None


def _said(*parts: tuple[str, str]) -> Said:
    """Parts as (what, text), what being label, rationale or a separator ""; of two labels the last one counts."""
    text, spans = "", dict[str, tuple[int, int]]()
    for what, part in parts:
        if what and part:
            spans[what] = (len(text), len(text) + len(part))
        text = text.rstrip(" ") + part if part.startswith("\n") else text + part
    return Said(text.rstrip(" ") if text.strip() else "", spans.get("label"), spans.get("rationale"))


def completion_of(placement: Placement, label: str, rationale: str) -> Said:
    """What the student is trained to say; begins with white space.

    Where a transform left nothing of the rationale, the separators stand as ever and nothing stands between them.
    """
    space, label_part, rationale_part = ("", " "), ("label", label), ("rationale", rationale)
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
            raise AssertionError("two tasks are two rows, placed as label_only and rationale_only")


def label_for(spec: VariantSpec, subject: Subject) -> str | None:
    """The label of a row; None: there is none, as of a question without a target."""
    value = subject.target if spec.label_source is LabelSource.TARGET else subject.answer
    return None if value is None else label_of(subject.choices, value, spec.label_form)


def training_rows(spec: VariantSpec, subject: Subject, label: str, rationale: str) -> list[TrainingRow]:
    """The rows of one rationale: two where the placement is two tasks, else one."""
    if spec.placement is not Placement.TWO_TASKS:
        return [_row(spec, subject, spec.placement, label, rationale, None)]
    return [
        _row(spec, subject, Placement.LABEL_ONLY, label, rationale, "predict"),
        _row(spec, subject, Placement.RATIONALE_ONLY, label, rationale, "explain"),
    ]


def _row(
    spec: VariantSpec, subject: Subject, placement: Placement, label: str, rationale: str, task: Task | None
) -> TrainingRow:
    said = completion_of(placement, label, rationale)
    prefix = {None: "", "predict": PREDICT, "explain": EXPLAIN}[task]
    ending = REASONING if placement in (Placement.PRE_COT, Placement.RATIONALE_ONLY) else ANSWER
    return TrainingRow.model_construct(
        question_id=subject.question_id,
        sample_index=subject.sample_index,
        task=task,
        prompt=prompt_of(subject.question, subject.choices, spec, ending, prefix),
        completion=said.text,
        choices=labels_of(subject.choices, spec.label_form),
        target=subject.target,
        label_start=said.label[0] if said.label else None,
        label_end=said.label[1] if said.label else None,
        rationale_start=said.rationale[0] if said.rationale else None,
        rationale_end=said.rationale[1] if said.rationale else None,
    )


def evaluation_row(spec: VariantSpec, question: Question) -> TrainingRow | None:
    """The row of an evaluation question: the prompt of training, and the label alone; None for rationale_only."""
    if spec.placement is Placement.RATIONALE_ONLY:
        return None
    label = "" if question.target is None else label_of(question.choices, question.target, spec.label_form)
    said = completion_of(Placement.LABEL_ONLY, label, "") if label else Said("", None, None)
    two_tasks = spec.placement is Placement.TWO_TASKS
    ending = REASONING if spec.placement is Placement.PRE_COT else ANSWER
    return TrainingRow(
        question_id=question.id,
        sample_index=0,
        task="predict" if two_tasks else None,
        prompt=prompt_of(question.text, question.choices, spec, ending, PREDICT if two_tasks else ""),
        completion=said.text,
        choices=labels_of(question.choices, spec.label_form) if question.kind is QuestionKind.CHOICE else (),
        target=question.target,
        label_start=said.label[0] if said.label else None,
        label_end=said.label[1] if said.label else None,
        rationale_start=None,
        rationale_end=None,
    )
