"""Evaluation of a student, question by question: forced choice at the label's place,
and what it says by itself.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from cotbuild.prompts.student import question_digest
from cotbuild.schemas.answers.compare import grade
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.evaluation import EvaluationInputs, OptionResult, QuestionResult
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import TrainingRow, VariantSpec
from cotbuild.student.evaluation.decode import (
    DecodedText,
    decode_prompts,
    tokenize_prompt,
)
from cotbuild.student.evaluation.options import (
    OptionScore,
    TokenizedOption,
    tokenize_options,
)
from cotbuild.student.evaluation.parse_answer import (
    label_stops,
    option_names,
    parse_answer,
)
from cotbuild.student.evaluation.score import PromptedQuestion, answer_questions
from cotbuild.student.model import Student
from cotbuild.student.prefix import check_fits

EVALUATION_VERSION = 3
"""Raised when the same student and rows come to other results by more than the last
digits of floats.
"""
GROUP = 32
"""Questions that are run together, and kept together by a run that is cut off."""
FREE_TOKENS = 32
"""Most tokens of a free answer to a question without options."""
LEAST_RATIONALE = 64
"""Most tokens before the label are never fewer than this, however short the rationales
of training were.
"""


class EvaluationItem(NamedTuple):
    """A question, and its row as the variant has it."""

    question: Question
    row: TrainingRow
    chain: str | None = None
    """The teacher's own rationale, to stand where the student's would; None: the
    student generates its own.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """The options as they are said; empty: there are none."""
        return self.row.choices or option_names(self.question)


class EvaluationPlan(NamedTuple):
    """How questions are evaluated."""

    layout: Layout
    rationale_tokens: int
    """Most generated before the label; 0: the label comes first."""
    batch_tokens: int = 8192
    """Most tokens whose keys and values are held at once."""
    seen: Collection[str] = ()
    """Digests of the questions that the student was trained on."""


def make_evaluation_plan(
    layout: Layout, p99: int, batch_tokens: int, seen: Collection[str] = ()
) -> EvaluationPlan:
    """`p99`: of the tokens before the label in training.

    Raises ConfigError where the student says no label.
    """
    if "label" not in layout.order:
        raise ConfigError(
            "a student that was trained to say no label (rationale_only). Expected one that says a label. "
            "There is nothing to evaluate."
        )
    return EvaluationPlan(
        layout,
        0 if layout.label_first else max(p99, LEAST_RATIONALE),
        batch_tokens,
        frozenset(seen),
    )


def make_evaluation_inputs(
    identity: str,
    items: Sequence[EvaluationItem],
    plan: EvaluationPlan,
    spec: VariantSpec,
    split: str,
) -> EvaluationInputs:
    """What decides the results; `items` holds at least one."""
    rows = [
        [i.question.model_dump(mode="json"), i.row.model_dump(mode="json"), *_given(i)]
        for i in items
    ]
    return EvaluationInputs(
        student=identity,
        dataset=items[0].question.source.dataset,
        split=split,
        variant=spec.ref,
        rows=digest("evaluation rows/1", rows),
        num_questions=len(items),
        layout=digest("layout/1", plan.layout.model_dump(mode="json")),
        rationale_tokens=plan.rationale_tokens,
        teacher_chains=items[0].chain is not None,
        version=EVALUATION_VERSION,
    )


def _given(item: EvaluationItem) -> list[str]:
    return [] if item.chain is None else [item.chain]


def evaluate_questions(
    student: Student,
    items: Sequence[EvaluationItem],
    plan: EvaluationPlan,
    done: Collection[int] = (),
) -> Iterator[tuple[int, QuestionResult]]:
    """(place in `items`, result) as they are had, GROUP at a time, longest prompts
    first; not of those `done`.

    Raises DataError, before anything is run, where a question is more than the student
    can read.
    """
    lengths = check_prompts_fit(student, items, plan)
    left = sorted(
        (i for i in range(len(items)) if i not in done), key=lambda i: (-lengths[i], i)
    )
    for at in range(0, len(left), GROUP):
        group = left[at : at + GROUP]
        yield from zip(
            group, evaluate_group(student, [items[i] for i in group], plan), strict=True
        )


def check_prompts_fit(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> list[int]:
    """Tokens of each prompt.

    Raises DataError where one, with all that follows it, is more than the student
    reads.
    """
    lengths = [len(tokenize_prompt(student, item.row.prompt)) for item in items]
    for item, length in zip(items, lengths, strict=True):
        check_fits(
            student.model, item.question.id, _most_tokens(student, item, length, plan)
        )
    return lengths


def evaluate_group(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> list[QuestionResult]:
    """The results of some questions that are run together."""
    started = time.perf_counter()
    thought = _rationales(student, items, plan)
    rationales = [one.text.strip() for one in thought]
    options = [
        _options(student, item, plan, rationale)
        for item, rationale in zip(items, rationales, strict=True)
    ]
    stops = label_stops(plan.layout)
    asked = [
        _asked(student, *one, plan, stops)
        for one in zip(items, options, rationales, strict=True)
    ]
    replies = answer_questions(student, asked, stops, plan.batch_tokens)
    seconds = (time.perf_counter() - started) / len(items)
    found = zip(items, thought, replies, strict=True)
    return [_result(item, plan, one, *replied, seconds) for item, one, replied in found]


def _rationales(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> list[DecodedText]:
    """What stands before the label, generated or the teacher's; of a label that comes
    first, nothing.
    """
    chains = [item.chain for item in items if item.chain is not None]
    if chains:
        return [DecodedText(chain, 0, True) for chain in chains]
    if plan.layout.label_first:
        return [DecodedText("", 0, False)] * len(items)
    prompts = [tokenize_prompt(student, item.row.prompt) for item in items]
    limits, stops = (
        [plan.rationale_tokens] * len(items),
        [plan.layout.text_before_label.rstrip()],
    )
    return _in_order(
        decode_prompts(student, prompts, limits, stops, plan.batch_tokens), len(items)
    )


def _options(
    student: Student, item: EvaluationItem, plan: EvaluationPlan, rationale: str
) -> list[TokenizedOption]:
    return tokenize_options(
        student.tokenizer, plan.layout, item.row.prompt, item.labels, rationale
    )


def _asked(
    student: Student,
    item: EvaluationItem,
    options: list[TokenizedOption],
    rationale: str,
    plan: EvaluationPlan,
    stops: Sequence[str],
) -> PromptedQuestion:
    """The free answer stands behind the rationale and a separator, which is put there
    where it is forced.
    """
    before = tokenize_prompt(
        student, item.row.prompt + compose_before_label(plan.layout, rationale)
    )
    return PromptedQuestion(options, before, _answer_tokens(student, options, stops))


def compose_before_label(layout: Layout, rationale: str) -> str:
    """What stands between prompt and label, without the space that is the label's first
    token.
    """
    return (
        ""
        if layout.label_first
        else f"{layout.opening}{rationale}{layout.text_before_label}".rstrip(" ")
    )


def _answer_tokens(
    student: Student, options: Sequence[TokenizedOption], stops: Sequence[str]
) -> int:
    """Enough for any option and what ends it."""
    longest_stop = max(
        len(student.tokenizer.encode(stop, add_special_tokens=False)) for stop in stops
    )
    return (
        max((option.tokens for option in options), default=FREE_TOKENS) + longest_stop
    )


def _most_tokens(
    student: Student, item: EvaluationItem, prompt: int, plan: EvaluationPlan
) -> int:
    longest = max(
        (len(student.tokenizer.encode(label)) for label in item.labels),
        default=FREE_TOKENS,
    )
    between = len(
        student.tokenizer.encode(
            plan.layout.text_before_label + plan.layout.text_after_label
        )
    )
    rationale = (
        plan.rationale_tokens
        if item.chain is None
        else len(student.tokenizer.encode(item.chain))
    )
    return prompt + rationale + between + longest


def _in_order(
    found: Iterator[tuple[int, DecodedText]], count: int
) -> list[DecodedText]:
    by_place = dict(found)
    return [by_place[i] for i in range(count)]


def _result(
    item: EvaluationItem,
    plan: EvaluationPlan,
    thought: DecodedText,
    scores: Sequence[OptionScore],
    free: DecodedText,
    seconds: float,
) -> QuestionResult:
    question, names = item.question, option_names(item.question)
    options = tuple(
        OptionResult(name=name, **score._asdict(), correct=grade(name, question))
        for name, score in zip(names, scores, strict=True)
    )
    choice, normalised = choose_likeliest(options), choose_likeliest_normalised(options)
    said = free.text.strip()
    answer = parse_answer(said, question, item.labels)
    of_choice, of_free = _graded(choice, question), _graded(answer, question)
    label_first = plan.layout.label_first
    return QuestionResult(
        question_id=question.id,
        kind=question.kind,
        target=question.target,
        options=options,
        choice=choice,
        choice_normalised=normalised,
        rationale=None if label_first else thought.text.strip(),
        forced=not (label_first or thought.stopped),
        said=said,
        answer=answer,
        correct=of_choice if options else of_free,
        correct_normalised=_graded(normalised, question) if options else None,
        correct_free=of_free,
        rationale_tokens=thought.tokens,
        answer_tokens=free.tokens,
        seconds=seconds,
        seen=question_digest(question.text) in plan.seen,
    )


def choose_likeliest(options: Sequence[OptionResult]) -> str | None:
    """The likeliest option, the first of equals."""
    return max(options, key=lambda option: option.log_prob).name if options else None


def choose_likeliest_normalised(options: Sequence[OptionResult]) -> str | None:
    """The option likeliest by log-likelihood a character, the first of equals."""
    return (
        max(options, key=lambda option: option.log_prob / option.chars).name
        if options
        else None
    )


def _graded(answer: str | None, question: Question) -> bool | None:
    """None: no target."""
    return (
        None
        if question.target is None
        else answer is not None and grade(answer, question)
    )
