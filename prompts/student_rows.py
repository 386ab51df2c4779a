"""Training and evaluation rows of a question: prompts and completions in a variant's form.

A row of messages holds the texts of a row of text: the prompt is the user's turn, the
completion the assistant's. Where a question comes with an attempt, or a variant gives
the rationale, these are turns of the assistant before it. Pure.
"""

from typing import Any, NamedTuple

from cotbuild.prompts.student import (
    ANSWER_CUE,
    LABEL_LAYOUT,
    LAYOUTS,
    RATIONALE_LAYOUT,
    REASONING_CUE,
    TO_ANSWER,
    StudentPrompt,
    compose_completion,
    format_question_label,
    in_format,
)
from cotbuild.schemas.attempts import ATTEMPT
from cotbuild.schemas.question import Question
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import (
    Placement,
    RowFormat,
    TrainOn,
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    ChatTurn,
    Task,
    VariantRow,
    row_model,
)

CHECK_REQUEST = "Check this answer step by step, then give the final answer."
"""What the user says after an attempt."""


class _RowForm(NamedTuple):
    """What the prompt and the completion of a row hold."""

    spec: VariantSpec
    task: Task | None
    layout: Layout
    """Of the completion."""
    cue: str
    """The end of the prompt."""

    @property
    def prefix(self) -> Task | None:
        """The task that the prompt begins with."""
        return self.task if self.spec.placement is Placement.TWO_TASKS else None

    @property
    def gives_rationale(self) -> bool:
        """Whether the prompt holds the rationale."""
        return self.spec.placement is Placement.GIVEN_RATIONALE


def training_rows(
    spec: VariantSpec,
    prompt: StudentPrompt,
    sample_index: int,
    label: str,
    rationale: str,
) -> list[VariantRow]:
    """Compose the rows of one rationale in a variant that is no mix.

    Two for `two_tasks`, else one; with `train_on` all, one more for each earlier turn
    of the assistant.
    """
    rows = [
        _compose_row(form, prompt, sample_index, label, rationale)
        for form in _row_forms(spec)
    ]
    if spec.train_on is TrainOn.ALL:
        has_attempt = ATTEMPT in prompt.question.input_texts
        return [*_earlier_turn_rows(rows[0], has_attempt=has_attempt), *rows]
    return rows


def evaluation_row(
    spec: VariantSpec, question: Question, rationale: str | None = None
) -> VariantRow | None:
    """Compose the row of an evaluation question: the prompt of training, and the label.

    `rationale` is what a prompt of `given_rationale` holds; other variants do not use
    it. The completion is empty if the question has no target. None for `given_rationale`
    without a rationale, and for `rationale_only`, whose students say no label.
    """
    evaluated = spec.evaluated
    if evaluated.placement is Placement.RATIONALE_ONLY:
        return None
    if evaluated.placement is Placement.GIVEN_RATIONALE and rationale is None:
        return None
    label = ""
    if question.target is not None:
        label = format_question_label(question, question.target, evaluated.label_form)
    form = _row_forms(evaluated)[0]
    label_alone = form._replace(layout=in_format(LABEL_LAYOUT, evaluated.format))
    return _compose_row(label_alone, StudentPrompt(question), 0, label, rationale or "")


def rationale_row(spec: VariantSpec, question: Question) -> VariantRow:
    """Compose the row of a question whose rationale is generated, without completion.

    `spec` is of `rationale_only`.
    """
    form = _row_forms(spec)[0]
    return _compose_row(form, StudentPrompt(question), 0, "", "")


def read_rationale(spec: VariantSpec, question: Question, row: VariantRow) -> str:
    """Return the rationale of a row, which its prompt or its completion holds.

    Empty if neither does: a transform left nothing of it, or it is another of the rows
    of a rationale.
    """
    if spec.placement is not Placement.GIVEN_RATIONALE:
        if row.rationale_start is None:
            return ""
        return row.completion_text[row.rationale_start : row.rationale_end].strip()
    if row.label_start is None:
        return ""
    if not isinstance(row.prompt, str):
        return row.prompt[-2].content
    form = _row_forms(spec)[0]
    before = StudentPrompt(question).text(spec, REASONING_CUE, form.prefix)
    return row.prompt[len(before) : -len(TO_ANSWER.rstrip(" "))].strip()


def _row_forms(spec: VariantSpec) -> list[_RowForm]:
    """Return the forms of the rows of one rationale."""
    layouts: dict[Task | None, Layout]
    if spec.placement is Placement.TWO_TASKS:
        layouts = {"predict": LABEL_LAYOUT, "explain": RATIONALE_LAYOUT}
    else:
        layouts = {None: LAYOUTS[spec.placement]}
    return [
        _RowForm(spec, task, in_format(layout, spec.format), _cue(spec, layout))
        for task, layout in layouts.items()
    ]


def _cue(spec: VariantSpec, layout: Layout) -> str:
    """Return the last line of the prompt; empty if it has none."""
    if spec.cue is not None:
        return spec.cue
    return REASONING_CUE if layout.order[0] == "rationale" else ANSWER_CUE


def _compose_row(
    form: _RowForm,
    prompt: StudentPrompt,
    sample_index: int,
    label: str,
    rationale: str,
) -> VariantRow:
    spec = form.spec
    completion = compose_completion(form.layout, label, rationale)
    label_start, label_end = completion.label or (None, None)
    rationale_start, rationale_end = completion.rationale or (None, None)
    in_prompt = rationale if form.gives_rationale else None
    texts: dict[str, Any]
    if spec.format is RowFormat.MESSAGES:
        texts = {
            "prompt": _compose_turns(form, prompt, in_prompt),
            "completion": (_assistant(completion.text),),
            "pictures": prompt.question.images,
        }
    else:
        texts = {
            "prompt": _compose_text(form, prompt, in_prompt),
            "completion": completion.text,
        }
    # Not validated: it would take longer than all else that makes a row.
    return row_model(spec).model_construct(
        question_id=prompt.question.id,
        sample_index=sample_index,
        task=form.task,
        **texts,
        choices=prompt.labels(spec.label_form),
        target=prompt.question.target,
        label_start=label_start,
        label_end=label_end,
        rationale_start=rationale_start,
        rationale_end=rationale_end,
    )


# -- prompts ---------------------------------------------------------------------------


def _compose_text(form: _RowForm, prompt: StudentPrompt, in_prompt: str | None) -> str:
    """Compose a prompt of format text; `in_prompt` is the rationale that it holds.

    With a rationale it is the text of `pre_cot`, up to the label.
    """
    if in_prompt is None:
        return prompt.text(form.spec, form.cue, form.prefix)
    before = prompt.text(form.spec, REASONING_CUE, form.prefix)
    with_rationale = f"{before} {in_prompt}".rstrip(" ")
    return f"{with_rationale}{TO_ANSWER}".rstrip(" ")


def _compose_turns(
    form: _RowForm, prompt: StudentPrompt, in_prompt: str | None
) -> tuple[ChatTurn, ...]:
    """Compose the turns before the completion: the user's, and what it was answered.

    Of a question with an attempt these are question, attempt, request to check it; of a
    rationale that is given, the rationale and the request for the answer.
    """
    spec, prefix = form.spec, form.prefix
    cue = form.cue if in_prompt is None else REASONING_CUE
    turns: list[ChatTurn] = []
    attempt = prompt.question.input_texts.get(ATTEMPT)
    if attempt is None:
        turns.append(_user(prompt.text(spec, cue, prefix)))
    else:
        asked = prompt.without_input(ATTEMPT).text(spec, REASONING_CUE, prefix)
        turns += [
            _user(asked),
            _assistant(attempt),
            _user(f"{CHECK_REQUEST}\n{cue}".strip()),
        ]
    if in_prompt is not None:
        turns += [_assistant(in_prompt), _user(ANSWER_CUE)]
    return tuple(turns)


def _earlier_turn_rows(row: VariantRow, *, has_attempt: bool) -> list[VariantRow]:
    """Return a row for each turn of the assistant in the prompt of a row of messages.

    The turn is its completion, and what comes before it is its prompt.
    """
    rows: list[VariantRow] = []
    turns = [turn for turn in row.prompt if isinstance(turn, ChatTurn)]
    for number, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        is_attempt = has_attempt and not rows
        rationale_end = None if is_attempt else len(turn.content)
        changes = {
            "task": "attempt" if is_attempt else "explain",
            "prompt": tuple(turns[:number]),
            "completion": (turn,),
            "label_start": None,
            "label_end": None,
            "rationale_start": 0 if rationale_end else None,
            "rationale_end": rationale_end or None,
        }
        rows.append(row.model_copy(update=changes))
    return rows


def _user(text: str) -> ChatTurn:
    return ChatTurn.model_construct(role="user", content=text)


def _assistant(text: str) -> ChatTurn:
    return ChatTurn.model_construct(role="assistant", content=text)
