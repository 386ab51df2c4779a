"""The sensitivity stage of version 2: each variant chooses hyperparameters for itself.

It shows how far the results depend on the common setting. Its cells are kept apart, in
sensitivity/, and decide no claim.
"""

from typing import NamedTuple

from cotbuild.builder.study.cell import delete_weights, finish_test
from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import (
    CELLS,
    SENSITIVITY,
    need_registration,
    read_cell,
    read_cells,
    read_registration,
    update_registration,
    write_cell,
)
from cotbuild.builder.study.plan import grid_points
from cotbuild.builder.study.processors import belongs_here, left_line, seeds_of_others
from cotbuild.builder.study.search import chosen_settings
from cotbuild.builder.study.tasks import StudyTask, run_tasks
from cotbuild.builder.study.trials import (
    Settings,
    Trial,
    best_settings,
    delete_other_weights,
    find_trial,
    trial_task,
    trials_of,
    tried_settings,
)
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.record import SensitivityChoice, StudyRegistration
from cotbuild.schemas.study.version_2 import Sensitivity, StudyV2


def run_sensitivity(
    context: StudyContext, stage: Sensitivity, registered: StudyV2
) -> None:
    """Run what is left of the stage, unless its seeds belong to other processors.

    It has the main setting of `registered`.
    """
    if seeds_of_others(context.folder, stage.seeds):
        context.ui.say(f"{stage.name}: {left_line(context.folder, stage.seeds)}")
        return
    common = chosen_settings(context)
    undecided = {
        variant: stage_trials(registered, stage, variant, common)
        for variant in stage.variants
        if _choice_of(context, variant) is None
    }
    every = [trial for trials in undecided.values() for trial in trials]
    run_tasks(context, [trial_task(context, trial, registered) for trial in every])
    for variant, trials in undecided.items():
        _choose(context, variant, trials)
    run_tasks(context, _test_tasks(context, stage, registered))


class StageWork(NamedTuple):
    """What is left to do for one variant of the stage."""

    stage: str
    """Name of the stage."""
    key: CellKey
    """One of its cells."""
    num_trials: int
    num_cells: int


def stage_work(context: StudyContext) -> list[StageWork]:
    """Return the variants that have something left to do, and how much."""
    study, registered = context.study, context.registered
    if not isinstance(study, StudyV2) or not isinstance(registered, StudyV2):
        return []
    stage, record = study.sensitivity, read_registration(context.folder)
    if stage is None:
        return []
    common = record.choice.settings if record and record.choice else {}
    decided = {one.variant for one in record.sensitivity} if record else set()
    cells = read_cells(context.folder, SENSITIVITY)
    left = []
    for variant in stage.variants:
        trials = stage_trials(registered, stage, variant, common)
        keys = dict.fromkeys(trial.key for trial in trials)
        num_cells = sum(key not in cells or cells[key].test is None for key in keys)
        num_trials = 0
        if variant not in decided:
            num_trials = sum(find_trial(context, trial) is None for trial in trials)
        if num_trials or num_cells:
            left.append(StageWork(stage.name, trials[0].key, num_trials, num_cells))
    return left


def stage_trials(
    registered: StudyV2, stage: Sensitivity, variant: str, common: Settings
) -> list[Trial]:
    """Return the trials of a variant; `common` are the settings of all variants."""
    points: list[Settings] = [common | point for point in grid_points(stage.grid)]
    return trials_of(registered, points, [variant], stage.seeds)


def _choice_of(context: StudyContext, variant: str) -> SensitivityChoice | None:
    recorded = need_registration(context.folder).sensitivity
    return next((one for one in recorded if one.variant == variant), None)


def _choose(context: StudyContext, variant: str, trials: list[Trial]) -> None:
    """Record the best settings of a variant, unless another process did."""
    tried = tried_settings(context, trials)
    choice = SensitivityChoice(
        variant=variant, settings=best_settings(tried), tried=tuple(tried)
    )
    # Before the choice is recorded: after it, a call that was killed deletes nothing.
    delete_other_weights(context, trials, choice.settings)
    update_registration(context.folder, lambda record: _with_choice(record, choice))


def _with_choice(
    record: StudyRegistration, choice: SensitivityChoice
) -> StudyRegistration:
    if any(one.variant == choice.variant for one in record.sensitivity):
        return record
    update = {"sensitivity": (*record.sensitivity, choice)}
    return record.model_copy(update=update)


def _test_tasks(
    context: StudyContext, stage: Sensitivity, registered: StudyV2
) -> list[StudyTask]:
    """Return the tasks of the stage's cells, with the settings that were chosen."""
    tasks = []
    for variant in stage.variants:
        choice = _choice_of(context, variant)
        assert choice is not None, "chosen just before"
        points = [choice.settings]
        for trial in trials_of(registered, points, [variant], stage.seeds):
            tasks.append(_test_task(context, trial, registered))
    return tasks


def _test_task(context: StudyContext, trial: Trial, registered: StudyV2) -> StudyTask:
    """Return the task of a cell; one that the study has already is copied."""
    plan = context.planner.plan(trial.key, trial.settings)

    def do() -> None:
        same = read_cell(context.folder, plan.key, CELLS)
        has_test = same is not None and same.test is not None
        if same is not None and has_test and same.fingerprint == plan.fingerprint:
            write_cell(context.folder, same, SENSITIVITY)
            if not context.keep_weights:
                delete_weights(context, plan)
        elif belongs_here(context.folder, plan.key.seed, registered):
            finish_test(context, plan, SENSITIVITY)

    return StudyTask(f"{SENSITIVITY}.{plan.key.name}", do)
