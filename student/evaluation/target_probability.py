"""P(target | options): the share of its belief that a student gives the right option.

The options of a question are all that can be said; a softmax of their log-likelihoods,
divided by a temperature, gives each a probability. Unlike accuracy it tells a narrow
error from a wide one, and so varies less from question to question; unlike a
log-likelihood it does not reward a student for being sharper.

One temperature a student, fitted on other questions, takes out how sharp it is (Guo et
al. 2017, "On Calibration of Modern Neural Networks"). Pure. Dimensions: Q questions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.option_scores import OptionScores

Floats = NDArray[np.float64]

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""Bounds of a fitted temperature. The upper one is met by a student whose
log-likelihoods say nothing about which option is right.
"""


def target_probabilities(scores: OptionScores, temperature: float) -> Floats:
    """Return the probability of the correct options of each question, (Q,), 0 to 1.

    Raises DataError if a question has no options, or none that is correct.
    """
    return np.exp(_log_target_probabilities(_option_table(scores), temperature))


def fit_temperature(scores: OptionScores) -> float:
    """Return the temperature under which the correct options are likeliest.

    It maximises the sum over the questions of log P(target | options), within
    MIN_TEMPERATURE and MAX_TEMPERATURE. Raises DataError as `target_probabilities` does.
    """
    table = _option_table(scores)

    def loss(log_temperature: float) -> float:
        log_probs_Q = _log_target_probabilities(table, np.exp(log_temperature))
        return -float(log_probs_Q.mean())

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(np.exp(found.x))


class _OptionTable(NamedTuple):
    """Options of questions side by side, padded to the most of a question, O."""

    log_prob_QO: Floats
    """-inf where a question has no such option."""
    correct_QO: NDArray[np.bool_]


def _option_table(scores: OptionScores) -> _OptionTable:
    questions = scores.unpack()
    if not questions:
        raise DataError("no questions, so there is no P(target | options).")
    for number, options in enumerate(questions):
        if not any(option.correct for option in options):
            raise DataError(
                f"question {number}: {len(options)} options, none of them correct, so "
                "P(target | options) is not defined. Leave target_probability out of "
                "STUDY.yaml, or study questions with options alone."
            )
    shape = len(questions), max(len(options) for options in questions)
    log_prob_QO, correct_QO = np.full(shape, -np.inf), np.zeros(shape, dtype=np.bool_)
    for row, options in enumerate(questions):
        log_prob_QO[row, : len(options)] = [option.log_prob for option in options]
        correct_QO[row, : len(options)] = [option.correct for option in options]
    return _OptionTable(log_prob_QO, correct_QO)


def _log_target_probabilities(table: _OptionTable, temperature: float) -> Floats:
    scaled_QO = table.log_prob_QO / temperature
    correct_QO = np.where(table.correct_QO, scaled_QO, -np.inf)
    all_Q = np.logaddexp.reduce(scaled_QO, axis=1)
    correct_Q: Floats = np.logaddexp.reduce(correct_QO, axis=1) - all_Q
    return correct_Q
