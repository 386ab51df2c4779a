"""How the students of a study are evaluated, as STUDY.yaml registers it."""

from typing import NamedTuple

from pydantic import JsonValue

from cotbuild.schemas.study.declaration import Study, StudyMetric
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import Precision


class EvaluationSettings(NamedTuple):
    """What decides the answers of a student besides its weights and the questions."""

    precision: Precision = Precision.FLOAT32
    free_answers: int | None = None
    """Number of questions that are answered freely too; None: all."""
    fits_temperature: bool = False
    """Whether a cell has a temperature, which takes its answers to the dev questions."""

    def digest_values(self) -> dict[str, JsonValue]:
        """Return what changes the answers, without what is as in format version 1."""
        values: dict[str, JsonValue] = {}
        if self.precision is not Precision.FLOAT32:
            values["evaluation_precision"] = self.precision.value
        if self.free_answers is not None:
            values["free_answers"] = self.free_answers
        return values


def evaluation_settings(study: Study) -> EvaluationSettings:
    """Return the settings of a study; those of format version 1 are the defaults."""
    if not isinstance(study, StudyV2):
        return EvaluationSettings()
    precision = study.precision.evaluation if study.precision else Precision.FLOAT32
    fits_temperature = StudyMetric.TARGET_PROBABILITY in study.secondary_metrics
    return EvaluationSettings(precision, study.free_answers, fits_temperature)
