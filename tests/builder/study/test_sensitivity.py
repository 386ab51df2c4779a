"""What is left to do in the sensitivity stage."""

from pathlib import Path
from typing import Any

from cotbuild.builder.study.folder import SENSITIVITY, write_cell, write_registration
from cotbuild.builder.study.sensitivity import stage_work
from cotbuild.schemas.study.record import SensitivityChoice, TrialValue, TriedSettings
from tests.support.studies.cells_made import make_cell, make_record, make_tiers
from tests.support.studies.planned import planned_study

TRIED = TriedSettings(
    settings={"lr": 0.1},
    mean=40.0,
    values=(TrialValue(variant="post_cot", seed=0, value=40.0),),
)
CHOICE = SensitivityChoice(variant="post_cot", settings={"lr": 0.1}, tried=(TRIED,))


def left(folder: Path, **stage: Any) -> list[tuple[str, int, int]]:
    """Variant, number of trials and number of cells that are left."""
    values = {"grid": {"lr": [0.1, 0.2]}, "seeds": [0, 1], **stage}
    context = planned_study(folder, make_tiers(sensitivity=values))
    return [
        (work.key.variant, work.num_trials, work.num_cells)
        for work in stage_work(context)
    ]


def test_before_anything_ran_all_of_the_stage_is_left(tmp_path: Path) -> None:
    assert left(tmp_path, variants=["post_cot"]) == [("post_cot", 4, 2)]
    assert stage_work(planned_study(tmp_path, make_tiers())) == []


def test_a_variant_that_took_the_place_of_another_has_trials_of_its_own(
    tmp_path: Path,
) -> None:
    record = make_record(make_tiers())
    chosen = record.model_copy(update={"sensitivity": (CHOICE,)})
    write_registration(tmp_path, chosen)
    assert left(tmp_path, variants=["post_cot"]) == [("post_cot", 0, 2)]
    assert left(tmp_path, variants=["pre_cot"]) == [("pre_cot", 4, 2)]
    for key in make_tiers().all_cells():
        if key.variant == "post_cot" and key.seed < 2:
            write_cell(tmp_path, make_cell(key, [True, False]), SENSITIVITY)
    assert left(tmp_path, variants=["post_cot"]) == []
    assert left(tmp_path, variants=["post_cot", "pre_cot"]) == [("pre_cot", 4, 2)]
