"""P(target | options) by hand, and temperatures that simulated students had."""

import math

import numpy as np
import pytest

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.option_scores import OptionScores, StoredOption
from cotbuild.student.evaluation.target_probability import (
    MAX_TEMPERATURE,
    fit_temperature,
    target_probabilities,
)


def scores(*questions: list[tuple[float, bool]]) -> OptionScores:
    """Options as (probability before the softmax, whether correct)."""
    return OptionScores.pack(
        [
            [StoredOption(math.log(weight), 5, correct) for weight, correct in options]
            for options in questions
        ]
    )


def test_it_is_the_share_of_the_correct_options() -> None:
    some = scores(
        [(1, True), (3, False)],
        [(1, False), (1, False), (2, True)],
        [(1, True), (2, True), (1, False)],  # two options of the target's text
    )
    assert target_probabilities(some, 1.0) == pytest.approx(
        [1 / 4, 1 / 2, 3 / 4], abs=1e-3
    )
    assert target_probabilities(some, 0.5) == pytest.approx(
        [1 / 10, 4 / 6, 5 / 6], abs=1e-3
    )


def test_it_does_not_depend_on_what_all_options_of_a_question_share() -> None:
    one, other = scores([(1, True), (3, False)]), scores([(1e-9, True), (3e-9, False)])
    assert target_probabilities(one, 2.0) == pytest.approx(
        target_probabilities(other, 2.0), abs=1e-3
    )


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_a_calibrated_student_is_found(temperature: float) -> None:
    """Targets are drawn with the probabilities that a softmax gives; the student states
    them too sharply, or not sharply enough.
    """
    rng = np.random.default_rng(0)
    logits_QO = rng.normal(size=(4000, 5))
    chosen_Q = (logits_QO + rng.gumbel(size=logits_QO.shape)).argmax(axis=1)
    some = OptionScores.pack(
        [
            [
                StoredOption(temperature * float(logit), 5, option == chosen)
                for option, logit in enumerate(logits)
            ]
            for logits, chosen in zip(logits_QO, chosen_Q, strict=True)
        ]
    )
    assert fit_temperature(some) == pytest.approx(temperature, rel=0.08)


def test_a_student_that_knows_nothing_has_the_highest_temperature() -> None:
    misled = scores(*[[(1.0, True), (9.0, False)]] * 10)
    assert fit_temperature(misled) == pytest.approx(MAX_TEMPERATURE, rel=0.01)


def test_questions_without_a_correct_option_are_refused() -> None:
    with pytest.raises(DataError, match="question 1: 0 options, none of them correct"):
        target_probabilities(scores([(1, True)], []), 1.0)
    with pytest.raises(DataError, match="no questions"):
        fit_temperature(scores())
