"""The hyperparameters of version 2: one setting for all variants, chosen on dev.

Every point of the grid is tried with several variants and seeds, and the best mean over
them is taken. A choice by one seed and one variant is decided by noise: of 421 questions
alone the standard error of such a difference is more than two points.
"""

from collections.abc import Sequence

from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import (
    need_registration,
    read_registration,
    update_registration,
)
from cotbuild.builder.study.plan import grid_points
from cotbuild.builder.study.tasks import StudyTask, run_tasks
from cotbuild.builder.study.trials import (
    Settings,
    Trial,
    best_settings,
    delete_other_weights,
    trial_task,
    trials_of,
    tried_settings,
)
from cotbuild.schemas.study.record import HyperparameterChoice, StudyRegistration
from cotbuild.schemas.study.version_2 import StudyV2


def search_trials(study: StudyV2) -> list[Trial]:
    """Return the trials in the order in which they run, point by point."""
    search = study.hyperparameters
    if search is None:
        return []
    points = grid_points(search.grid)
    return trials_of(study, points, search.variants, search.seeds)


def chosen_settings(context: StudyContext) -> Settings:
    """Return the settings of all cells; empty if there was nothing to choose from."""
    choice = need_registration(context.folder).choice
    return choice.settings if choice else {}


def needs_choice(context: StudyContext) -> bool:
    """Whether hyperparameters are still to be chosen."""
    study, record = context.registered, read_registration(context.folder)
    has_search = isinstance(study, StudyV2) and study.hyperparameters is not None
    return has_search and (record is None or record.choice is None)


def run_search(
    context: StudyContext, study: StudyV2, baselines: Sequence[StudyTask]
) -> None:
    """Choose the hyperparameters, unless they are chosen, and do the baseline tasks.

    Raises DataError if trials are left to another kind of processor.
    """
    if not needs_choice(context):
        run_tasks(context, baselines)
        return
    trials = search_trials(study)
    tasks = [trial_task(context, trial, study) for trial in trials]
    run_tasks(context, [*baselines, *tasks])
    tried = tried_settings(context, trials)
    choice = HyperparameterChoice(settings=best_settings(tried), tried=tuple(tried))
    # Before the choice is recorded: after it, a call that was killed deletes nothing.
    delete_other_weights(context, trials, choice.settings)
    update_registration(
        context.folder, lambda record: _with_choice(record, choice), study
    )
    context.ui.say(f"hyperparameters of all variants: {choice.settings}")


def _with_choice(
    record: StudyRegistration, choice: HyperparameterChoice
) -> StudyRegistration:
    """Return the record with the choice, unless another process recorded one."""
    return record if record.choice else record.model_copy(update={"choice": choice})
