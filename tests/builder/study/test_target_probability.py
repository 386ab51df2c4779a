"""What P(target | options) needs from a cell."""

import pytest

from cotbuild.builder.study.target_probability import (
    target_probability_of,
    temperature_of,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.option_scores import OptionScores, StoredOption
from tests.support.studies.cells_made import make_measured

SCORES = OptionScores.pack(
    [[StoredOption(-1.0, 4, True), StoredOption(-3.0, 4, False)]] * 3
    + [[StoredOption(-1.0, 4, False), StoredOption(-3.0, 4, True)]]
)


def test_a_cell_without_scores_or_temperature_is_refused() -> None:
    old = make_measured([True, False], "post_cot")
    with pytest.raises(DataError, match="has no temperature"):
        target_probability_of(old)
    with pytest.raises(DataError, match="holds no scores of options"):
        target_probability_of(old.model_copy(update={"temperature": 1.0}))
    with pytest.raises(DataError, match="holds no scores of options"):
        temperature_of(old)


def test_the_temperature_makes_probabilities_as_large_as_the_share_correct() -> None:
    measured = make_measured([True, True, True, False], "post_cot")
    measured = measured.model_copy(update={"option_scores": SCORES})
    temperature = temperature_of(measured)
    found = target_probability_of(
        measured.model_copy(update={"temperature": temperature})
    )
    assert found == pytest.approx([0.75, 0.75, 0.75, 0.25], abs=1e-3)


def test_accuracy_of_free_answers_is_of_the_questions_that_were_answered() -> None:
    answers = make_measured([True, False, True, False, True], "x").answers
    sampled = answers.model_copy(update={"free": "1-0-1"})
    assert sampled.correct_by(StudyMetric.FREE) == [1.0, 0.0, 1.0]
    assert sampled.correct_by(StudyMetric.ACCURACY) == [1.0, 0.0, 1.0, 0.0, 1.0]
    none = answers.model_copy(update={"free": "-----"})
    assert none.correct_by(StudyMetric.FREE) == [0.0] * 5
