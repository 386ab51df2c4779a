"""A study of version 2 that was begun runs as it was registered, whatever is added."""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.study.folder import write_cell, write_registration
from cotbuild.builder.study.registered import check_version, registered_study
from cotbuild.builder.study.registration import prepare_report, register_study
from cotbuild.builder.study.search import needs_choice
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.version_2 import StudyV2
from tests.support.studies.cells_made import (
    make_cell,
    make_record,
    make_study,
    make_tiers,
)
from tests.support.studies.planned import planned_study

STAGE: dict[str, Any] = make_tiers().stages[0].model_dump(mode="json")
LATER: dict[str, Any] = {**STAGE, "name": "later"}


def begin(folder: Path, study: StudyV2) -> None:
    """Register a study with a finished cell."""
    write_registration(folder, make_record(study))
    write_cell(folder, make_cell(study.all_cells()[0], [True, False]))


def fingerprints(folder: Path, study: StudyV2, **few: Any) -> dict[CellKey, str]:
    """Of the cells of the main stage, planned anew."""
    planner = planned_study(folder, study, few=few).planner
    return {
        key: planner.plan(key, {}).fingerprint
        for key in make_tiers(stages=[STAGE]).all_cells()
    }


@pytest.mark.parametrize("rows_per_seed", ["shared", "own"])
def test_a_variant_that_is_added_or_left_out_later_changes_no_cell(
    rows_per_seed: str, tmp_path: Path
) -> None:
    other = {**STAGE, "name": "two", "variants": ["other"], "seeds": [0, 1]}
    study = make_tiers(rows_per_seed=rows_per_seed, stages=[STAGE, other])
    few = {"other": range(160), "small": range(140)}
    before = fingerprints(tmp_path, study, **few)
    small = {**LATER, "variants": ["small"], "seeds": [0], "rows": [10]}
    added = study.model_copy(
        update={
            "stages": (*study.stages, *make_tiers(stages=[STAGE, small]).stages[1:])
        }
    )
    assert fingerprints(tmp_path, added, **few) != before  # no cell was begun
    begin(tmp_path, study)
    assert fingerprints(tmp_path, added, **few) == before
    without = make_tiers(rows_per_seed=rows_per_seed, stages=[STAGE])
    assert fingerprints(tmp_path, without, **few) == before


def test_a_variant_that_is_added_later_needs_the_rationales_of_the_others(
    tmp_path: Path,
) -> None:
    study = make_tiers()
    begin(tmp_path, study)
    small = {**LATER, "variants": ["small"], "seeds": [0]}
    added = make_tiers(stages=[STAGE, small])
    context = planned_study(tmp_path, added, few={"small": range(0, 200, 2)})
    key = added.all_cells()[-1]
    with pytest.raises(ConfigError, match=r"variant 'small' lacks \d+ of the 100 rat"):
        context.planner.plan(key, {})


def test_before_the_first_cell_the_current_file_holds(tmp_path: Path) -> None:
    study, later = make_tiers(), make_tiers(looks=[])
    assert registered_study(tmp_path, study) is study
    write_registration(tmp_path, make_record(study))
    assert registered_study(tmp_path, later) is later
    write_cell(tmp_path, make_cell(study.all_cells()[0], [True, False]))
    assert registered_study(tmp_path, later) == study


def test_a_search_that_is_added_later_is_not_run(tmp_path: Path) -> None:
    search = {"grid": {"lr": [0.1, 0.2]}, "variants": ["post_cot"]}
    added = make_tiers(hyperparameters=search)
    assert needs_choice(planned_study(tmp_path, added))
    begin(tmp_path, make_tiers())
    assert not needs_choice(planned_study(tmp_path, added))


def test_a_study_of_version_1_runs_by_the_current_file(tmp_path: Path) -> None:
    study, later = make_study(), make_study(margin=3.0)
    write_registration(tmp_path, make_record(study))
    write_cell(tmp_path, make_cell(study.all_cells()[0], [True, False]))
    assert registered_study(tmp_path, later) is later


def test_a_registered_study_cannot_change_its_format_version(tmp_path: Path) -> None:
    record = make_record(make_study())
    write_registration(tmp_path, record)
    write_cell(tmp_path, make_cell(record.study.all_cells()[0], [True, False]))
    split = planned_study(tmp_path / "other", make_tiers()).test
    expected = (
        "format_version is 2, and the study was registered with 1. Change it back"
    )
    with pytest.raises(ConfigError, match=expected):
        registered_study(tmp_path, make_tiers())
    with pytest.raises(ConfigError, match=expected):
        register_study(tmp_path, make_tiers(), split, split)
    with pytest.raises(ConfigError, match=expected):
        prepare_report(tmp_path, make_tiers(), None)
    check_version(tmp_path, record, make_study())


def test_the_gate_and_the_looks_are_those_of_the_registered_order(
    tmp_path: Path,
) -> None:
    small = {**STAGE, "name": "small", "rows": [50]}
    study, swapped = (
        make_tiers(stages=[STAGE, small]),
        make_tiers(stages=[small, STAGE]),
    )
    begin(tmp_path, study)
    context = planned_study(tmp_path, swapped)
    assert context.registered.main.rows == 100
    assert {key.rows for key in context.registered.gate_cells()} == {100}


def test_a_study_that_tested_nothing_is_registered_anew_without_its_cells(
    tmp_path: Path,
) -> None:
    study, later = make_tiers(), make_tiers(looks=[])
    begin(tmp_path, study)
    split = planned_study(tmp_path, study).test
    assert register_study(tmp_path, later, split, split).study == study
    (tmp_path / "cells").rename(tmp_path / "elsewhere")
    assert register_study(tmp_path, later, split, split).study == later
