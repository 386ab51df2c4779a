"""An open study: STUDY.yaml with the build, questions and models that it names."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.evaluation.models import find_model, open_build
from cotbuild.builder.evaluation.questions import read_build_questions
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.study.base_students import check_base_students
from cotbuild.builder.study.folder import read_study
from cotbuild.builder.study.held_out import hold_out
from cotbuild.builder.study.measures import OPTION_DIGITS, need_classes
from cotbuild.builder.study.plan import CellPlanner
from cotbuild.builder.study.registered import registered_study
from cotbuild.builder.study.scoring_students import (
    check_scoring_students,
    describe_unknown,
    find_scoring_students,
)
from cotbuild.builder.study.training_rows import TrainingRows
from cotbuild.builder.ui import Ui
from cotbuild.prompts.student import question_digest
from cotbuild.schemas.answers.compare import is_correct
from cotbuild.schemas.answers.prose_scores import open_scorer
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.evaluation import MajorityBaseline
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Choice, Question
from cotbuild.schemas.study.declaration import StudyMetric, StudyQuestions
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import QuestionSet, ScoringStudent
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.student.evaluation.classification import shared_classes
from cotbuild.student.evaluation.plan import option_names
from cotbuild.student.evaluation.proportions import make_proportion
from cotbuild.student.evaluation.prose_metrics import is_scored


class QuestionSplit(NamedTuple):
    """The dev or the test questions of a study."""

    split: str
    questions: list[Question]
    registered: QuestionSet
    """As study.json records them."""


@dataclass(frozen=True)
class StudyContext:
    """A study that is ready to run on this machine."""

    folder: Path
    study: AnyStudy
    """STUDY.yaml as of now."""
    registered: AnyStudy
    """As of the first cell, by which version 2 runs; `study` before that."""
    build: StoredBuild
    planner: CellPlanner
    dev: QuestionSplit
    test: QuestionSplit
    ui: Ui
    keep_weights: bool = False
    """Whether the weights of finished cells are kept."""
    scoring_students: tuple[ScoringStudent, ...] = ()
    """Those whose scores chose the words of variants; empty in version 1."""
    durations: list[tuple[str, float]] = field(default_factory=list)
    """Variant and seconds of each cell that this process has finished."""
    diverged: dict[str, str] = field(default_factory=dict)
    """Name of each cell whose training diverged in this process, and how."""


def open_study(path: Path, ui: Ui, *, keep_weights: bool = False) -> StudyContext:
    """Open the build, the questions and the models that STUDY.yaml names.

    Raises ConfigError and DataError if one is missing or does not fit the study.
    """
    study = read_study(path)
    registered = registered_study(path.parent, study)
    build = open_build(study.source, ui)
    dev, test = read_questions(study, build)
    for metric in study_metrics(study):
        check_metric(metric, dev)
        check_metric(metric, test)
    cells = [*registered.gate_cells(), *study.all_cells()]
    students = dict.fromkeys(cell.student for cell in cells)
    models = {student: find_model(student, None, ui.say) for student in students}
    held_out = text_digests(dev, test)
    # Version 1 has no such rule.
    if isinstance(study, StudyV2):
        check_base_students(models, held_out)
    scoring_students = _check_scoring_students(study, build, held_out, ui)
    rows = TrainingRows(study, registered, build, held_out)
    planner = CellPlanner(study, rows, models, test.registered.rows)
    # Planning every cell refuses, before anything runs, what cannot be trained.
    first_point = {name: values[0] for name, values in study.search_grid.items()}
    for key in study.all_cells():
        planner.plan(key, first_point)
    return StudyContext(
        path.parent,
        study,
        registered,
        build,
        planner,
        dev,
        test,
        ui,
        keep_weights,
        scoring_students,
    )


def _check_scoring_students(
    study: AnyStudy, build: StoredBuild, held_out: Set[str], ui: Ui
) -> tuple[ScoringStudent, ...]:
    """Refuse variants that are made by scores of a student that has seen the questions.

    Version 1 has no such rule.
    """
    variants = build.manifest.variants
    if variants is None or not isinstance(study, StudyV2):
        return ()
    specs, scores = variants.made.specs, variants.scores
    students = find_scoring_students(study, specs, scores, held_out)
    check_scoring_students(students)
    for line in describe_unknown(students):
        ui.say(line)
    return students


def read_questions(
    study: AnyStudy, build: StoredBuild
) -> tuple[QuestionSplit, QuestionSplit]:
    """Read the dev and the test questions of a study.

    Raises ConfigError and DataError as `read_split` does, and if they overlap.
    """
    in_order = {
        name: read_split(build, wanted)
        for name, wanted in (("dev", study.dev), ("test", study.test))
        if isinstance(wanted, StudyQuestions)
    }
    others = [question for split in in_order.values() for question in split.questions]
    held_out = hold_out(study, build, others)
    dev = in_order.get("dev") or _held_out_split(build, held_out.dev)
    test = in_order.get("test") or _held_out_split(build, held_out.test)
    check_disjoint(dev, test)
    return dev, test


def text_digests(*splits: QuestionSplit) -> frozenset[str]:
    """Return digests of the texts of questions, none of which may be trained on."""
    return frozenset(
        question_digest(question.full_text)
        for split in splits
        for question in split.questions
    )


def _held_out_split(build: StoredBuild, questions: list[Question]) -> QuestionSplit:
    return QuestionSplit(build.split, questions, _question_set(questions))


def read_split(build: StoredBuild, wanted: StudyQuestions) -> QuestionSplit:
    """Read the questions of an evaluation split.

    Raises ConfigError if there is no such split, DataError for fewer than two questions
    or a question without a published target.
    """
    stop = None if wanted.first is None else wanted.skip + wanted.first
    all_questions = read_build_questions(build, wanted.split)
    questions = list(islice(all_questions, wanted.skip, stop))
    name = wanted.split
    if wanted.skip:
        name += f" without its first {wanted.skip}"
    if len(questions) < 2:
        raise DataError(
            f"{name}: {len(questions)} questions, and a study needs at least 2. "
            "Correct `skip` in STUDY.yaml."
        )
    unknown = [question.id for question in questions if question.target is None]
    if unknown:
        raise DataError(
            f"{name}: {len(unknown)} questions have no published target, such as "
            f"{unknown[0]!r}. Choose another split in STUDY.yaml; a part of dev can "
            "serve as test (skip, first)."
        )
    return QuestionSplit(
        canonical_split(wanted.split), questions, _question_set(questions)
    )


def check_disjoint(dev: QuestionSplit, test: QuestionSplit) -> None:
    """Raise ConfigError if a question is in both dev and test."""
    shared = set(dev.registered.ids) & set(test.registered.ids)
    if shared and dev.split == test.split:
        raise ConfigError(
            f"dev and test share {len(shared)} questions, such as {min(shared)!r}. "
            "Keep them apart with skip and first."
        )


def _question_set(questions: Sequence[Question]) -> QuestionSet:
    """Return digest, targets and baselines of at least two questions with targets."""
    targets = tuple(question.target or "" for question in questions)
    rows = [question.digest_values() for question in questions]
    return QuestionSet(
        rows=digest("study questions/1", rows),
        ids=tuple(question.id for question in questions),
        targets=targets,
        majority=_majority_baseline(questions, targets),
        chance=_chance(questions),
        classes=_classes(questions),
    )


def _classes(questions: Sequence[Question]) -> tuple[Choice, ...] | None:
    """Return the options that all questions share, if a cell can store each of them."""
    classes = shared_classes(questions)
    if classes is None or len(classes) > len(OPTION_DIGITS):
        return None
    return classes


def study_metrics(study: AnyStudy) -> tuple[StudyMetric, ...]:
    """Return the primary metric of a study, then the secondary ones."""
    if isinstance(study, StudyV2):
        return (study.metric, *study.secondary_metrics)
    return (study.metric,)


def check_metric(metric: StudyMetric, split: QuestionSplit) -> None:
    """Raise ConfigError if a metric of a study does not fit the questions."""
    num_prose = sum(is_scored(question) for question in split.questions)
    if 0 < num_prose < len(split.questions):
        raise ConfigError(
            f"{split.split}: {num_prose} of {len(split.questions)} questions are "
            "answered in prose, which one metric cannot compare with the others. Study "
            "them apart."
        )
    if metric.is_prose != (num_prose > 0):
        kinds = "prose" if num_prose else "no prose"
        fitting = [one.value for one in StudyMetric if one.is_prose == (num_prose > 0)]
        raise ConfigError(
            f"metric {metric.value}: the questions of {split.split} are {kinds}. Write "
            f"one of {', '.join(fitting)} as metric in STUDY.yaml."
        )
    if metric is StudyMetric.TARGET_PROBABILITY and split.registered.chance is None:
        raise ConfigError(
            f"metric {metric.value}: some questions of {split.split} have no options. "
            "Leave it out of secondary_metrics in STUDY.yaml."
        )
    if metric.is_macro_f1:
        need_classes(split.registered, metric)
    if metric.is_prose:
        open_scorer()


def _majority_baseline(
    questions: Sequence[Question], targets: Sequence[str]
) -> MajorityBaseline | None:
    """Grade the most frequent target, the first by name of equally frequent ones.

    None if a question is prose, which is not graded.
    """
    if any(is_scored(question) for question in questions):
        return None
    counts = Counter(targets)
    most_frequent = min(counts, key=lambda target: (-counts[target], target))
    accuracy = make_proportion(
        bool(is_correct(most_frequent, question)) for question in questions
    )
    assert accuracy is not None, "a study has at least two questions"
    return MajorityBaseline(target=most_frequent, accuracy=accuracy)


def _chance(questions: Sequence[Question]) -> float | None:
    """Return the mean share of correct options; None if a question has no options."""
    shares = list(_correct_shares(questions))
    return sum(shares) / len(shares) if len(shares) == len(questions) else None


def _correct_shares(questions: Sequence[Question]) -> Iterator[float]:
    for question in questions:
        names = option_names(question)
        if names:
            num_correct = sum(bool(is_correct(name, question)) for name in names)
            yield num_correct / len(names)
