"""Trials of hyperparameters: their order, their files, and what is chosen."""

from pathlib import Path

import pytest

from cotbuild.builder.study.cell import write_diverged_trial
from cotbuild.builder.study.folder import read_trial, write_registration, write_trial
from cotbuild.builder.study.search import search_trials
from cotbuild.builder.study.trials import (
    best_settings,
    find_trial,
    trial_fingerprint,
    trials_of,
    tried_settings,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.record import TrialValue, TriedSettings
from cotbuild.schemas.training import Loss
from tests.support.studies.cells_made import (
    make_cell,
    make_record,
    make_study,
    make_tiers,
)
from tests.support.studies.planned import planned_study


def tried(lr: float, *values: float) -> TriedSettings:
    return TriedSettings(
        settings={"lr": lr},
        mean=sum(values) / len(values),
        values=tuple(
            TrialValue(variant="post_cot", seed=seed, value=value)
            for seed, value in enumerate(values)
        ),
    )


def test_the_best_mean_is_chosen_and_the_first_of_equals() -> None:
    assert best_settings([tried(0.1, 30, 40), tried(0.2, 50, 30)]) == {"lr": 0.2}
    assert best_settings([tried(0.1, 30, 40), tried(0.2, 40, 30)]) == {"lr": 0.1}


def test_every_point_is_tried_with_every_seed_and_variant() -> None:
    trials = trials_of(make_study(), [{"lr": 0.1}, {"lr": 0.2}], ["a", "b"], [0, 1])
    assert [(one.settings["lr"], one.key.seed, one.key.variant) for one in trials] == [
        (0.1, 0, "a"),
        (0.1, 0, "b"),
        (0.1, 1, "a"),
        (0.1, 1, "b"),
        (0.2, 0, "a"),
        (0.2, 0, "b"),
        (0.2, 1, "a"),
        (0.2, 1, "b"),
    ]
    assert {one.key.setting for one in trials} == {make_study().main}


def test_a_trial_on_other_dev_questions_is_not_reused(tmp_path: Path) -> None:
    search = {"grid": {"lr": [0.1]}, "variants": ["post_cot"]}
    study = make_tiers(hyperparameters=search)
    context = planned_study(tmp_path, study)
    write_registration(tmp_path, make_record(study))
    (trial, _) = search_trials(study)
    assert find_trial(context, trial) is None
    fingerprint = trial_fingerprint(context, trial)
    measured = make_cell(trial.key, [True, False])
    done = measured.model_copy(
        update={"fingerprint": fingerprint, "dev": measured.test, "test": None}
    )
    write_trial(tmp_path, done)
    assert find_trial(context, trial) == done
    other = context.dev.registered.model_copy(update={"rows": "1" * 64})
    changed = planned_study(tmp_path, study, dev=other)
    assert find_trial(changed, trial) is None
    with pytest.raises(DataError, match="trials with seeds"):
        tried_settings(changed, [trial])


def test_a_trial_whose_loss_diverged_counts_as_0(tmp_path: Path) -> None:
    search = {"grid": {"lr": [10.0, 0.1]}, "variants": ["post_cot"], "seeds": [0]}
    study = make_tiers(hyperparameters=search)
    context = planned_study(tmp_path, study)
    high, low = search_trials(study)
    write_diverged_trial(
        context,
        context.planner.plan(high.key, high.settings),
        trial_fingerprint(context, high),
    )
    measured = make_cell(low.key, [True, False])
    update = {"fingerprint": trial_fingerprint(context, low), "dev": measured.test}
    write_trial(tmp_path, measured.model_copy(update={**update, "test": None}))
    found = tried_settings(context, [high, low])
    assert [one.mean for one in found] == [0.0, 50.0]
    assert best_settings(found) == {"lr": 0.1}


def test_trials_of_one_cell_with_other_settings_have_other_files(
    tmp_path: Path,
) -> None:
    key = CellKey(
        variant="post_cot", student="embedded", rows=100, loss=Loss.PARTS, seed=0
    )
    cell = make_cell(key, [True, False] * 2)
    first = cell.model_copy(update={"fingerprint": "1" * 64})
    second = cell.model_copy(update={"fingerprint": "2" * 64})
    assert read_trial(tmp_path, key, first.fingerprint) is None
    write_trial(tmp_path, first)
    assert read_trial(tmp_path, key, second.fingerprint) is None
    write_trial(tmp_path, second)
    assert read_trial(tmp_path, key, first.fingerprint) == first
    assert read_trial(tmp_path, key, second.fingerprint) == second
