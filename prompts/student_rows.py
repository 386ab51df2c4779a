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

_NO_SPAN = (None, None)
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


class TextRow(NamedTuple):
    """The values of a `TrainingRow`, in the order of its fields.

    A record takes several times as long to make, and to encode.
    """

    question_id: str
    sample_index: int
    task: Task | None
    prompt: str
    completion: str
    choices: tuple[str, ...]
    target: str | None
    label_start: int | None
    label_end: int | None
    rationale_start: int | None
    rationale_end: int | None


class RowComposer:
    """Composes the rows of rationales in a variant that is no mix."""

    def __init__(self, spec: VariantSpec) -> None:
        self.has_texts = spec.format is RowFormat.TEXT
        """Whether prompts and completions are texts, and not messages."""
        self._spec = spec
        self._forms = _row_forms(spec)

    def compose(
        self, prompt: StudentPrompt, sample_index: int, label: str, rationale: str
    ) -> list[VariantRow]:
        """Compose the rows of one rationale.

        Two for `two_tasks`, else one; with `train_on` all, one more for each earlier
        turn of the assistant.
        """
        rows = [
            _compose_row(form, prompt, sample_index, label, rationale)
            for form in self._forms
        ]
        if self._spec.train_on is TrainOn.ALL:
            has_attempt = ATTEMPT in prompt.question.input_texts
            return [*_earlier_turn_rows(rows[0], has_attempt=has_attempt), *rows]
        return rows

    def compose_texts(
        self, prompt: StudentPrompt, sample_index: int, label: str, rationale: str
    ) -> list[TextRow]:
        """Compose the rows of one rationale without records. Only of texts."""
        return [
            _compose_text_row(form, prompt, sample_index, label, rationale)
            for form in self._forms
        ]


def training_rows(
    spec: VariantSpec,
    prompt: StudentPrompt,
    sample_index: int,
    label: str,
    rationale: str,
) -> list[VariantRow]:
    """Compose the rows of one rationale, as `RowComposer` does."""
    return RowComposer(spec).compose(prompt, sample_index, label, rationale)


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
    values: dict[str, Any] = _compose_text_row(
        form, prompt, sample_index, label, rationale
    )._asdict()
    if form.spec.format is RowFormat.MESSAGES:
        in_prompt = rationale if form.gives_rationale else None
        values["prompt"] = _compose_turns(form, prompt, in_prompt)
        values["completion"] = (_assistant(values["completion"]),)
        values["pictures"] = prompt.question.images
    # Not validated: it would take longer than all else that makes a row.
    return row_model(form.spec).model_construct(**values)


def _compose_text_row(
    form: _RowForm,
    prompt: StudentPrompt,
    sample_index: int,
    label: str,
    rationale: str,
) -> TextRow:
    """Return the values of a row; of messages the text of the completion, no prompt."""
    completion = compose_completion(form.layout, label, rationale)
    question = prompt.question
    prompt_text = ""
    if form.spec.format is RowFormat.TEXT:
        in_prompt = rationale if form.gives_rationale else None
        prompt_text = _compose_text(form, prompt, in_prompt)
    return TextRow(
        question.id,
        sample_index,
        form.task,
        prompt_text,
        completion.text,
        prompt.labels(form.spec.label_form),
        question.target,
        *(completion.label or _NO_SPAN),
        *(completion.rationale or _NO_SPAN),
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
        question = prompt.without_input(ATTEMPT).text(spec, REASONING_CUE, prefix)
        turns += [
            _user(question),
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
