"""From what a student generated to the graded result of a question. Pure."""

from collections.abc import Sequence

from cotbuild.prompts.student import question_digest
from cotbuild.schemas.answers.compare import casefold_text, is_correct
from cotbuild.schemas.answers.folding import fold
from cotbuild.schemas.answers.numbers import parse_number
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.evaluation import OptionResult, QuestionResult
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.student.evaluation.decode import DecodedText
from cotbuild.student.evaluation.plan import (
    EvaluationItem,
    EvaluationPlan,
    option_names,
)
from cotbuild.student.evaluation.score import StudentReply


def make_result(
    item: EvaluationItem,
    plan: EvaluationPlan,
    rationale: DecodedText,
    reply: StudentReply,
    seconds: float,
) -> QuestionResult:
    """Grade a student's reply to one question.

    `rationale` is what comes before the label, empty if the label comes first.
    `seconds` is the question's share of the time of its batch.
    """
    question = item.question
    label_first = plan.layout.label_first
    options = tuple(
        OptionResult(name=name, **score._asdict(), correct=is_correct(name, question))
        for name, score in zip(option_names(question), reply.scores, strict=True)
    )
    choice = choose_likeliest(options)
    choice_normalised = choose_likeliest_normalised(options)
    free_text = reply.free.text.strip()
    answer = parse_answer(free_text, question, item.labels)
    correct_free = _grade_answer(answer, question) if item.answers_freely else None
    correct_choice = _grade_answer(choice, question)
    correct_normalised = _grade_answer(choice_normalised, question)
    return QuestionResult(
        question_id=question.id,
        kind=question.kind,
        target=question.target,
        options=options,
        choice=choice,
        choice_normalised=choice_normalised,
        rationale=None if label_first else rationale.text.strip(),
        forced=not (label_first or rationale.stopped),
        said=free_text,
        answer=answer,
        correct=correct_choice if options else correct_free,
        correct_normalised=correct_normalised if options else None,
        correct_free=correct_free,
        rationale_tokens=rationale.tokens,
        answer_tokens=reply.free.tokens,
        seconds=seconds,
        cut=reply.free.cut,
        seen=question_digest(question.full_text) in plan.seen,
    )


def make_rationale_result(
    item: EvaluationItem, plan: EvaluationPlan, rationale: DecodedText, seconds: float
) -> QuestionResult:
    """Return the result of a student that says no label: its rationale, not graded."""
    question = item.question
    return QuestionResult(
        question_id=question.id,
        kind=question.kind,
        target=question.target,
        options=(),
        choice=None,
        choice_normalised=None,
        rationale=rationale.text.strip(),
        forced=False,
        said="",
        answer=None,
        correct=None,
        correct_normalised=None,
        correct_free=None,
        rationale_tokens=rationale.tokens,
        answer_tokens=0,
        seconds=seconds,
        seen=question_digest(question.full_text) in plan.seen,
    )


def choose_likeliest(options: Sequence[OptionResult]) -> str | None:
    """Return the option of the highest log-likelihood, the first of equals.

    None if there are no options.
    """
    if not options:
        return None
    return max(options, key=lambda option: option.log_prob).name


def choose_likeliest_normalised(options: Sequence[OptionResult]) -> str | None:
    """Return the option of the highest log-likelihood per character of its label.

    The first of equals; None if there are no options.
    """
    if not options:
        return None
    return max(options, key=lambda option: option.log_prob / option.chars).name


def parse_answer(text: str, question: Question, labels: Sequence[str]) -> str | None:
    """Parse a free answer into the form of the target.

    `labels` are the options as the student was trained to say them. An answer that is
    one of them as a whole counts first; other answers are read as a teacher's are. None
    if no option, or more than one, is named.
    """
    text = text.strip()
    for name, label in zip(option_names(question), labels, strict=True):
        if casefold_text(text) == casefold_text(label):
            return name
    if not text:
        return None
    if question.kind in (QuestionKind.TEXT, QuestionKind.PROSE):
        return text
    if question.kind is QuestionKind.NUMBER and parse_number(text) is not None:
        return text
    value = READERS[question.kind](fold(text), question)
    return value.answer if value else None


def _grade_answer(answer: str | None, question: Question) -> bool | None:
    """Whether an answer is correct; None without a target, and of prose, which has a
    score instead.
    """
    if question.target is None or question.kind is QuestionKind.PROSE:
        return None
    return answer is not None and is_correct(answer, question)
