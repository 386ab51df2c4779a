"""Whether the primary metric of a study fits its questions."""

import pytest

from cotbuild.builder.study.context import QuestionSplit, check_metric
from cotbuild.schemas.errors import ConfigError, CotbuildError
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.schemas.study.declaration import StudyMetric
from tests.support.studies.cells_made import make_record, make_study

CHOICE = Question.create("Which?", choices=("no", "yes"), target="A")
PROSE = Question.create("Translate.", kind=QuestionKind.PROSE, target="Ja.")
CLASSES = (Choice(label="A", text="no"), Choice(label="B", text="yes"))


def split_of(*questions: Question, with_classes: bool = False) -> QuestionSplit:
    registered = make_record(make_study(), len(questions)).test
    if with_classes:
        registered = registered.model_copy(update={"classes": CLASSES})
    return QuestionSplit("test", list(questions), registered)


@pytest.mark.parametrize(
    ("metric", "questions", "with_classes"),
    [
        (StudyMetric.ACCURACY, [CHOICE, CHOICE], False),
        (StudyMetric.FREE, [CHOICE, CHOICE], False),
        (StudyMetric.MACRO_F1, [CHOICE, CHOICE], True),
    ],
)
def test_a_metric_that_fits(
    metric: StudyMetric, questions: list[Question], with_classes: bool
) -> None:
    check_metric(metric, split_of(*questions, with_classes=with_classes))


def test_a_metric_of_prose_fits_prose() -> None:
    pytest.importorskip("sacrebleu")
    check_metric(StudyMetric.CHRF2, split_of(PROSE, PROSE))


@pytest.mark.parametrize(
    ("metric", "questions", "message"),
    [
        (StudyMetric.ACCURACY, [PROSE, PROSE], "test are prose. Write one of chrf2"),
        (StudyMetric.BLEU, [CHOICE, CHOICE], "are no prose. Write one of accuracy"),
        (StudyMetric.CHRF2, [CHOICE, PROSE], "1 of 2 questions are answered in prose"),
        (StudyMetric.MACRO_F1, [CHOICE, CHOICE], "do not all have the same options"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused(
    metric: StudyMetric, questions: list[Question], message: str
) -> None:
    with pytest.raises(CotbuildError, match=message):
        check_metric(metric, split_of(*questions))


def test_it_is_a_fault_of_the_declaration() -> None:
    with pytest.raises(ConfigError, match="metric macro_f1"):
        check_metric(StudyMetric.MACRO_F1, split_of(PROSE, PROSE))
