"""The sensitivity stage beside the common settings."""

from typing import Any

from cotbuild.builder.study.results import study_results
from cotbuild.schemas.study.record import (
    SensitivityChoice,
    StudyRegistration,
    TrialValue,
    TriedSettings,
)
from cotbuild.schemas.study.version_2 import StudyV2
from tests.support.studies.cells_made import make_cells, make_record, make_tiers


def chosen(record: StudyRegistration, *variants: str) -> StudyRegistration:
    """The record of a study whose variants chose the same learning rate."""
    settings: dict[str, Any] = {"lr": 0.1}
    choices = []
    for variant in variants:
        values = (TrialValue(variant=variant, seed=0, value=40.0),)
        tried = TriedSettings(settings=settings, mean=40.0, values=values)
        choices.append(
            SensitivityChoice(variant=variant, settings=settings, tried=(tried,))
        )
    return record.model_copy(update={"sensitivity": tuple(choices)})


def study() -> StudyV2:
    stage = {"grid": {"lr": [0.1]}, "variants": ["post_cot"], "seeds": [0, 1]}
    return make_tiers(sensitivity=stage)


def test_each_variant_is_shown_with_its_own_and_with_the_common_settings() -> None:
    declared = study()
    record = chosen(make_record(declared), "post_cot", "pre_cot")
    common = make_cells(declared, {"post_cot": 0.4, "pre_cot": 0.3})
    every = make_cells(declared, {"post_cot": 0.5}, seed=1)
    own = {
        key: cell
        for key, cell in every.items()
        if key.variant == "post_cot" and key.seed < 2
    }
    (found,) = study_results(declared, record, common, [], own).sensitivity
    assert (found.variant, found.settings) == ("post_cot", {"lr": 0.1})
    assert found.seeds == (0, 1)
    assert found.common is not None
    assert found.accuracy.mean > found.common.mean
    some = {key: cell for key, cell in common.items() if key.seed != 1}
    (partly,) = study_results(declared, record, some, [], own).sensitivity
    assert partly.common is None


def test_without_cells_of_the_stage_there_is_nothing_to_show() -> None:
    declared = study()
    record = make_record(declared)
    assert study_results(declared, record, {}, []).sensitivity == ()
    assert study_results(declared, chosen(record, "post_cot"), {}, []).sensitivity == ()
