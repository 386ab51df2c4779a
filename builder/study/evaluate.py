"""The questions of a study, and a student's answers to them."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.evaluation.questions import evaluation_questions, evaluation_rows
from cotbuild.builder.evaluation.results import ResultsFile
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.ui import Ui
from cotbuild.schemas.answers.compare import is_correct
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.evaluation import MajorityBaseline, QuestionResult
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.study.declaration import StudyQuestions
from cotbuild.schemas.study.record import AnswerString, Measurement, QuestionSet
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant import VariantSpec
from cotbuild.student.evaluation.evaluate import evaluate_questions
from cotbuild.student.evaluation.metrics import compute_metrics, make_proportion
from cotbuild.student.evaluation.plan import (
    EvaluationItem,
    make_evaluation_inputs,
    make_evaluation_plan,
    option_names,
)
from cotbuild.student.model import Student

PLACES = "0123456789abcdefghijklmnopqrstuvwxyz"
BATCH_TOKENS = 8192


class QuestionSplit(NamedTuple):
    """The questions of dev or test."""

    split: str
    questions: list[Question]
    told: QuestionSet
    """As study.json has them."""


class StudentUnderTest(NamedTuple):
    """Who is asked, and how."""

    identity: str
    spec: VariantSpec
    layout: Layout
    p99: int
    """Of the tokens before the label in training."""
    seen: Sequence[str]
    """Digests of the questions trained on."""
    load: Callable[[], Student]


def read_questions(source: str, wanted: StudyQuestions, ui: Ui) -> QuestionSplit:
    """Raises ConfigError and DataError where there are none such, or a target is not
    published.
    """
    until = None if wanted.first is None else wanted.skip + wanted.first
    found = evaluation_questions(source, wanted.split, until, ui)[wanted.skip :]
    where = (
        f"{wanted.split} without its first {wanted.skip}"
        if wanted.skip
        else wanted.split
    )
    if len(found) < 2:
        raise DataError(
            f"{where}: {len(found)} questions. Expected at least 2. Correct `skip` in STUDY.yaml."
        )
    if unknown := [question.id for question in found if question.target is None]:
        raise DataError(
            f"{where}: {len(unknown)} questions have no published target, such as {unknown[0]!r}. Expected one for "
            "each. Choose another split in STUDY.yaml; a part of dev can serve as test (skip, first)."
        )
    return QuestionSplit(canonical_split(wanted.split), found, _told(found))


def check_apart(dev: QuestionSplit, test: QuestionSplit) -> None:
    """Raises ConfigError where a question is in both."""
    both = set(dev.told.ids) & set(test.told.ids)
    if both and dev.split == test.split:
        raise ConfigError(
            f"dev and test share {len(both)} questions, such as {min(both)!r}. Expected none. "
            "Keep them apart with skip and first."
        )


def _told(questions: Sequence[Question]) -> QuestionSet:
    targets = [question.target or "" for question in questions]
    counts = Counter(targets)
    best = min(counts, key=lambda target: (-counts[target], target))
    accuracy = make_proportion(
        bool(is_correct(best, question)) for question in questions
    )
    assert accuracy is not None, "at least two questions"
    return QuestionSet(
        rows=digest(
            "study questions/1",
            [question.model_dump(mode="json") for question in questions],
        ),
        ids=tuple(question.id for question in questions),
        targets=tuple(targets),
        majority=MajorityBaseline(target=best, accuracy=accuracy),
        chance=_chance(questions),
    )


def _chance(questions: Sequence[Question]) -> float | None:
    names = [option_names(question) for question in questions]
    if not all(names):
        return None
    right = (
        sum(bool(is_correct(n, q)) for n in of) / len(of)
        for q, of in zip(questions, names, strict=True)
    )
    return sum(right) / len(questions)


def ask(
    subject: StudentUnderTest,
    asked: QuestionSplit,
    folder: Path,
    name: str,
    ui: Ui,
) -> Measurement:
    """Answers to all questions; what a call that was cut off had in `folder` is not
    asked again.
    """
    rows = evaluation_rows(subject.spec, asked.questions)
    items = [
        EvaluationItem(question, row)
        for question, row in zip(asked.questions, rows, strict=True)
    ]
    plan = make_evaluation_plan(subject.layout, subject.p99, BATCH_TOKENS, subject.seen)
    what = make_evaluation_inputs(
        subject.identity, items, plan, subject.spec, asked.split
    )
    results = ResultsFile(folder, name, what)
    found = results.finished()
    if found is None:
        student = subject.load()
        with ui.counting(f"{name} questions") as progress:
            found = results.collect(
                lambda done: evaluate_questions(student, items, plan, done), progress
            )
    return Measurement(
        evaluated=what,
        figures=compute_metrics(found, label_first=plan.layout.label_first),
        answers=answers(found),
    )


def answers(found: Sequence[QuestionResult]) -> AnswerString:
    """The results as a cell keeps them."""
    return AnswerString(
        choice="".join(map(_place, found)),
        correct="".join(_digit(one.correct) for one in found),
        normalised="".join(_digit(one.correct_normalised) for one in found),
        free="".join(_digit(one.correct_free) for one in found),
        forced="".join(_digit(one.forced) for one in found),
        tokens=tuple(one.rationale_tokens + one.answer_tokens for one in found),
    )


def _digit(value: bool | None) -> str:
    return "-" if value is None else str(int(value))


def _place(result: QuestionResult) -> str:
    names = [option.name for option in result.options]
    if result.choice is None:
        return "-"
    place = names.index(result.choice)
    return PLACES[place] if place < len(PLACES) else "+"
