"""P(target | options) of the student of a cell, at the cell's temperature. Pure."""

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.option_scores import OptionScores
from cotbuild.schemas.study.record import Measurement
from cotbuild.student.evaluation.target_probability import (
    Floats,
    fit_temperature,
    target_probabilities,
)


def target_probability_of(measured: Measurement) -> Floats:
    """Return the probability of each question's correct options, (Q,), 0 to 1.

    Raises DataError if the cell holds no scores of options or no temperature.
    """
    if measured.temperature is None:
        raise DataError(
            f"metric target_probability: a cell of variant {measured.evaluated.variant} "
            "has no temperature. Move its file away to run it again."
        )
    return target_probabilities(_scores_of(measured), measured.temperature)


def temperature_of(dev: Measurement) -> float:
    """Fit the temperature of a student to its answers to the dev questions.

    Raises DataError if the cell holds no scores of options.
    """
    return round(fit_temperature(_scores_of(dev)), 4)


def _scores_of(measured: Measurement) -> OptionScores:
    if measured.option_scores is None:
        raise DataError(
            f"metric target_probability: a cell of variant {measured.evaluated.variant} "
            "holds no scores of options. Move its file away to run it again."
        )
    return measured.option_scores
