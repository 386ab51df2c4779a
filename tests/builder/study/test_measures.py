"""Primary metrics that are no means over questions: macro-F1, and scores of prose."""

import numpy as np
import pytest

from cotbuild.builder.study.classes import recipe_classes
from cotbuild.builder.study.measures import (
    SumMeasure,
    make_measure,
)
from cotbuild.builder.study.paired import paired_accuracy, score_paired_samples
from cotbuild.builder.study.sample_statistics import score_samples
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Choice
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.option_scores import OptionScores, StoredOption
from cotbuild.schemas.study.record import (
    Measurement,
    QuestionSet,
    StoredStatistics,
)
from tests.support.studies.cells_made import make_measured, make_record, make_study

CLASSES = (Choice(label="A", text="no"), Choice(label="B", text="yes"))


def questions(targets: str) -> QuestionSet:
    asked = make_record(make_study(), len(targets)).test
    return asked.model_copy(update={"targets": tuple(targets), "classes": CLASSES})


def chosen(choices: str, free: str | None = None) -> Measurement:
    """A student's choices: 0 for A, 1 for B, - for none."""
    made = make_measured([False] * len(choices), "x")
    answers = made.answers.model_copy(
        update={"choice": choices, "answered": choices if free is None else free}
    )
    return made.model_copy(update={"answers": answers})


def test_macro_f1_of_choices_and_of_free_answers() -> None:
    asked = questions("AABB")
    measured = chosen("0011", free="01--")
    choices = make_measure(StudyMetric.MACRO_F1, asked)
    free = make_measure(StudyMetric.FREE_MACRO_F1, asked)
    assert choices.value(measured) == 100.0
    assert free.value(measured) == pytest.approx(100 * (2 / 3 + 0) / 2)


def test_questions_without_classes_have_no_macro_f1() -> None:
    asked = make_record(make_study(), 4).test
    with pytest.raises(DataError, match=r"metric macro_f1: .* Use accuracy\."):
        make_measure(StudyMetric.MACRO_F1, asked)
    assert recipe_classes([chosen("0011")], asked, score_samples) is None


def test_a_cell_from_before_free_answers_were_recorded_is_refused() -> None:
    measure = make_measure(StudyMetric.FREE_MACRO_F1, questions("AABB"))
    with pytest.raises(DataError, match="does not record which option"):
        measure.value(make_measured([False] * 4, "x"))


def random_students(seed: int, accuracy: float, number: int) -> list[Measurement]:
    generator = np.random.default_rng(seed)
    students = []
    for _ in range(number):
        is_right = generator.random(600) < accuracy
        right = [f"{position % 2}" for position in range(600)]
        wrong = [f"{1 - position % 2}" for position in range(600)]
        students.append(chosen("".join(np.where(is_right, right, wrong))))
    return students


@pytest.mark.parametrize("paired", [True, False])
def test_by_resamples_a_mean_has_the_error_of_the_closed_form(paired: bool) -> None:
    a = [
        make_measured(list(np.random.default_rng(n).random(400) < 0.6), "a")
        for n in range(3)
    ]
    b = [
        make_measured(list(np.random.default_rng(9 + n).random(400) < 0.5), "b")
        for n in range(3)
    ]
    by_sums = SumMeasure(
        lambda one: np.array(one.answers.correct_by(StudyMetric.ACCURACY))[:, None],
        lambda sums_RK: sums_RK[:, 0] / 400,
    )
    exact = make_measure(StudyMetric.ACCURACY, make_record(make_study(), 400).test)
    found = by_sums.compare(a, b, paired=paired)
    expected = exact.compare(a, b, paired=paired)
    assert found.difference == pytest.approx(expected.difference)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.05)
    assert found.df == pytest.approx(expected.df, rel=0.25)
    assert found.num_seeds == expected.num_seeds
    assert by_sums.score(a).per_seed == pytest.approx(exact.score(a).per_seed)
    for trained in (a, a[:1]):
        gain, exact_gain = by_sums.gain(trained, b[0]), exact.gain(trained, b[0])
        assert gain.difference == pytest.approx(exact_gain.difference)
        assert gain.standard_error == pytest.approx(exact_gain.standard_error, rel=0.05)


def test_a_true_difference_is_found_and_none_is_not() -> None:
    measure = make_measure(StudyMetric.MACRO_F1, questions("AB" * 300))
    good = random_students(1, 0.8, 3)
    same, worse = random_students(2, 0.8, 3), random_students(3, 0.7, 3)
    assert measure.compare(good, worse, paired=False).p < 0.01
    assert measure.compare(good, same, paired=False).p > 0.05
    with pytest.raises(DataError, match="recipe A: 1 seed"):
        measure.compare(good[:1], worse, paired=False)


def test_classes_over_seeds() -> None:
    asked = questions("AABB")
    found = recipe_classes([chosen("0011"), chosen("001-")], asked, score_samples)
    assert found is not None
    assert found.confusion == ((4, 0, 0), (0, 3, 1))
    no, yes = found.classes
    assert (no.text, no.support, no.f1.per_seed) == ("no", 2, (100.0, 100.0))
    assert yes.f1.per_seed == pytest.approx((100.0, 100 * 2 / 3))
    assert found.macro_f1.mean == pytest.approx(100 * (1 + 5 / 6) / 2)
    one_sided = recipe_classes(
        [chosen("0000")], questions("AAAA"), score_paired_samples
    )
    assert one_sided is not None
    assert [one.text for one in one_sided.classes] == ["no"]


def test_classes_have_the_error_of_the_studys_version() -> None:
    asked, students = questions("AB" * 300), random_students(1, 0.8, 5)
    first = recipe_classes(students, asked, score_samples)
    second = recipe_classes(students, asked, score_paired_samples)
    assert first is not None
    assert second is not None
    measure = make_measure(StudyMetric.MACRO_F1, asked)
    assert first.macro_f1 == measure.score(students)
    assert second.macro_f1.interval_95 == pytest.approx(
        paired_accuracy(measure, students).interval_95
    )
    assert first.macro_f1.interval_95 != second.macro_f1.interval_95


def test_scores_of_prose_are_computed_from_stored_statistics() -> None:
    prose_scores = pytest.importorskip("cotbuild.schemas.answers.prose_scores")
    pytest.importorskip("sacrebleu")
    pairs = [("a b c d", ("a b c d",)), ("a b c", ("a x c",)), ("", ("never",))] * 10
    scorer = prose_scores.open_scorer()
    statistics = scorer.corpus_statistics(
        [prose_scores.ProsePair(*pair) for pair in pairs]
    )
    measured = make_measured([False] * len(pairs), "x").model_copy(
        update={
            "prose": tuple(
                StoredStatistics(
                    metric=one.metric,
                    signature=one.signature,
                    rows=tuple(map(tuple, one.rows)),
                )
                for one in statistics
            )
        }
    )
    asked = make_record(make_study(), len(pairs)).test
    for one in statistics:
        measure = make_measure(StudyMetric(one.metric), asked)
        sums = np.array(one.rows).sum(axis=0).tolist()
        expected = scorer.corpus_score(one.metric, sums)
        assert measure.value(measured) == pytest.approx(expected)
        assert measure.score([measured]).per_seed == pytest.approx((expected,))
    with pytest.raises(DataError, match="holds no answers in prose"):
        measure.value(make_measured([True, False], "x"))


def test_target_probability_is_compared_as_a_mean_of_fractions() -> None:
    """Two options of log-likelihoods 0 and ±1: the target has 1 / (1 + e) or the rest."""
    asked = make_record(make_study(), 40).test
    measure = make_measure(StudyMetric.TARGET_PROBABILITY, asked)

    def student(good: int) -> Measurement:
        target = [1.0] * good + [-1.0] * (40 - good)
        scores = OptionScores.pack(
            [
                [StoredOption(one, 3, True), StoredOption(0.0, 3, False)]
                for one in target
            ]
        )
        measured = make_measured([False] * 40, "x")
        return measured.model_copy(update={"option_scores": scores, "temperature": 1.0})

    likely = 1 / (1 + np.exp(-1))
    mean = (30 * likely + 10 * (1 - likely)) / 40
    assert measure.value(student(30)) == pytest.approx(100 * mean)
    found = measure.contrast(
        [(1.0, [student(30), student(20)]), (-0.5, [student(20), student(20)])]
    )
    half = 0.5
    assert found.mean == pytest.approx((mean + half) / 2 - half / 2)
    assert found.variance.num_seeds == 2
    assert measure.score([student(30), student(20)]).mean == pytest.approx(
        100 * (mean + half) / 2
    )


def test_contrasts_by_sums_and_by_means_agree() -> None:
    """A mean over questions is a function of sums too."""
    rng = np.random.default_rng(0)
    recipes = [
        [make_measured(list(rng.random(400) < chance), "x") for _ in range(6)]
        for chance in (0.6, 0.5, 0.4)
    ]
    weighted = list(zip((1.0, -0.5, -0.5), recipes, strict=True))
    by_sums = SumMeasure(
        lambda one: np.array(one.answers.correct_by(StudyMetric.ACCURACY))[:, None],
        lambda sums_RK: sums_RK[:, 0] / 400,
    ).contrast(weighted)
    exact = make_measure(
        StudyMetric.ACCURACY, make_record(make_study(), 400).test
    ).contrast(weighted)
    assert by_sums.mean == pytest.approx(exact.mean)
    assert by_sums.variance.of_seeds == pytest.approx(exact.variance.of_seeds)
    assert by_sums.variance.of_questions == pytest.approx(
        exact.variance.of_questions, rel=0.1
    )
    assert by_sums.variance.of_error == pytest.approx(exact.variance.of_error, rel=0.1)
