"""Trials of hyperparameters on dev, in version 2.

Each leaves a small file in trials/, from which a dry run estimates how much seeds and
questions vary.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from cotbuild.builder.study.cell import (
    delete_weights,
    finish_trial,
    write_diverged_trial,
)
from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import read_trial
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.plan import CellPlan
from cotbuild.builder.study.processors import belongs_here, seeds_of_others
from cotbuild.builder.study.tasks import StudyTask
from cotbuild.schemas.errors import DataError, DivergedError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.study.declaration import CellKey, Study
from cotbuild.schemas.study.record import Cell, TrialValue, TriedSettings
from cotbuild.schemas.study.version_2 import StudyV2

Settings = dict[str, JsonValue]


class Trial(NamedTuple):
    """Settings tried with one variant and one seed."""

    settings: Settings
    key: CellKey


def trials_of(
    study: Study,
    points: Iterable[Settings],
    variants: Sequence[str],
    seeds: Sequence[int],
) -> list[Trial]:
    """Return the trials of all points in the main setting, point by point."""
    setting = study.main.model_dump()
    keys = [
        CellKey(**setting, variant=variant, seed=seed)
        for seed in seeds
        for variant in variants
    ]
    return [Trial(point, key) for point in points for key in keys]


def trial_task(context: StudyContext, trial: Trial, registered: StudyV2) -> StudyTask:
    """Return the task that does a trial, if this kind of processor is to do it."""
    plan = _plan_trial(context, trial)

    def do() -> None:
        if find_trial(context, trial) is None and belongs_here(
            context.folder, plan.key.seed, registered
        ):
            name = f"{plan.key.variant}, seed {plan.key.seed}"
            context.ui.say(f"hyperparameters: {name} with {trial.settings}")
            fingerprint = trial_fingerprint(context, trial)
            try:
                finish_trial(context, plan, fingerprint)
            except DivergedError as error:
                context.ui.say(f"hyperparameters: {name} counts as 0: {error}")
                write_diverged_trial(context, plan, fingerprint)

    return StudyTask(f"trial.{plan.fingerprint[:16]}", do)


def tried_settings(
    context: StudyContext, trials: Sequence[Trial]
) -> list[TriedSettings]:
    """Return each point of the trials with its mean on dev.

    A trial whose loss diverged counts as 0, the worst value of any metric. Raises
    DataError if a trial is left to another kind of processor.
    """
    measure = make_measure(context.registered.metric, context.dev.registered)
    points: list[Settings] = []
    values: list[list[TrialValue]] = []
    for trial in trials:
        cell = find_trial(context, trial)
        if cell is None:
            seeds = seeds_of_others(context.folder, [one.key.seed for one in trials])
            raise DataError(
                f"hyperparameters: trials with seeds {seeds} are left to the kind of "
                "processor that began them. Run the study on such a machine first."
            )
        if trial.settings not in points:
            points.append(trial.settings)
            values.append([])
        key, value = trial.key, measure.value(cell.dev) if cell.dev else 0.0
        of_point = values[points.index(trial.settings)]
        of_point.append(TrialValue(variant=key.variant, seed=key.seed, value=value))
    return [
        TriedSettings(settings=point, mean=_mean(of_point), values=tuple(of_point))
        for point, of_point in zip(points, values, strict=True)
    ]


def best_settings(tried: Sequence[TriedSettings]) -> Settings:
    """Return the settings with the best mean, the first of equals."""
    return max(tried, key=lambda one: one.mean).settings


def delete_other_weights(
    context: StudyContext, trials: Sequence[Trial], kept: Settings
) -> None:
    """Delete the weights of trials with other settings than those of cells to come."""
    if context.keep_weights:
        return
    for trial in trials:
        if trial.settings != kept:
            delete_weights(context, _plan_trial(context, trial))


def _plan_trial(context: StudyContext, trial: Trial) -> CellPlan:
    return context.planner.plan(trial.key, trial.settings)


def find_trial(context: StudyContext, trial: Trial) -> Cell | None:
    """Return a trial on the dev questions as they are now; None if not finished."""
    fingerprint = trial_fingerprint(context, trial)
    return read_trial(context.folder, trial.key, fingerprint)


def trial_fingerprint(context: StudyContext, trial: Trial) -> str:
    """Return the digest of the student and the dev questions that decide a trial."""
    plan = _plan_trial(context, trial)
    return digest("trial/1", [plan.fingerprint, context.dev.registered.rows])


def _mean(values: Sequence[TrialValue]) -> float:
    return sum(one.value for one in values) / len(values)
