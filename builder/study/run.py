"""Running a study: the gate on dev first, then the cells of each stage.

Several processes may run one study together. They share its work by locks in the
study's working folder.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from cotbuild.builder.study.cell import (
    delete_weights,
    evaluate_dev,
    finish_dev,
    finish_test,
)
from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import (
    need_registration,
    read_cells,
    update_registration,
    work_folder,
)
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.plan import CellPlan, Settings, grid_points
from cotbuild.builder.study.results import decide_gate
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_lock
from cotbuild.schemas.study.declaration import UNTRAINED, CellKey, Study, TrainingRecipe
from cotbuild.schemas.study.record import (
    Cell,
    ChosenHyperparameters,
    GateResult,
    Measurement,
    StudyRegistration,
)

POLL_S = 5.0
"""Seconds between two looks at the cells that another process is running."""


class StudyTask(NamedTuple):
    """A unit of work that one process does while others do other tasks.

    Doing it again is cheap: the task finds its result on disk.
    """

    name: str
    do: Callable[[], None]


def run_study(context: StudyContext, after_stage: Callable[[], None]) -> None:
    """Run what is left of all stages.

    `after_stage` is called after each stage in which this process finished a cell, and
    after the last stage. Raises DataError, before any test question is evaluated, if
    the gate fails.
    """
    study = context.study
    _run_gate(context)
    students = dict.fromkeys(cell.student for cell in study.all_cells())
    baselines = [
        _test_task(context, untrained_key(study, student)) for student in students
    ]
    for stage in study.stages:
        keys = list(study.cells(stage))
        _run_grid(context, keys, baselines)
        num_finished = len(context.durations)
        _run_tasks(context, [_test_task(context, key) for key in keys])
        _delete_grid_weights(context)
        if len(context.durations) > num_finished or stage is study.stages[-1]:
            after_stage()


def untrained_key(study: Study, student: str) -> CellKey:
    """Return the cell of an untrained student, with the gate variant's prompts."""
    return CellKey(
        variant=study.gate.variant,
        student=student,
        rows=UNTRAINED,
        loss=study.main.loss,
        seed=0,
    )


# -- the gate ---------------------------------------------------------------------------


def gate_cells(study: Study) -> list[CellKey]:
    """Return the cells of the first stage that decide the gate."""
    return [
        cell
        for cell in study.cells(study.stages[0])
        if cell.variant == study.gate.variant and cell.setting == study.main
    ]


def _run_gate(context: StudyContext) -> None:
    """Decide the gate from the cells' dev answers, and record it.

    It is decided anew in each call; answers on disk are not computed again.
    """
    study = context.study
    baseline, keys = untrained_key(study, study.main.student), gate_cells(study)
    _run_grid(context, keys, [_dev_task(context, baseline)])
    _run_tasks(context, [_dev_task(context, key) for key in keys])
    cells = read_cells(context.folder)
    trained = [_dev_of(cells[key]) for key in keys]
    measure = make_measure(study.metric, context.dev.registered)
    result = decide_gate(study, measure, trained, _dev_of(cells[baseline]))
    update_registration(context.folder, lambda record: _with_gate(record, result))
    summary = (
        f"{study.gate.variant} is {result.difference:+.1f} points over the untrained "
        f"student on dev, standard error {result.standard_error:.1f}"
    )
    if not result.passed:
        raise DataError(
            f"gate failed: {summary}; {result.needed:g} standard errors are required. "
            "No test question was evaluated. Try more rows or epochs, another learning "
            "rate (grid), a larger student, another label form, or easier data."
        )
    context.ui.say(f"gate passed: {summary}")


def _with_gate(record: StudyRegistration, result: GateResult) -> StudyRegistration:
    return record.model_copy(update={"gate": result})


def _dev_of(cell: Cell) -> Measurement:
    assert cell.dev is not None, "evaluated just before"
    return cell.dev


def _dev_task(context: StudyContext, key: CellKey) -> StudyTask:
    return StudyTask(key.name, lambda: finish_dev(context, _plan_cell(context, key)))


def _test_task(context: StudyContext, key: CellKey) -> StudyTask:
    return StudyTask(key.name, lambda: finish_test(context, _plan_cell(context, key)))


def _plan_cell(context: StudyContext, key: CellKey) -> CellPlan:
    """Plan a cell with the grid settings that its recipe has chosen."""
    chosen = _chosen_settings(context)
    return context.planner.plan(key, chosen.get(_grid_recipe(context.study, key), {}))


# -- the grid ---------------------------------------------------------------------------


def _grid_recipe(study: Study, key: CellKey) -> TrainingRecipe:
    """Return the recipe whose grid choice applies to a cell.

    The grid is tried with the main setting's number of rows alone.
    """
    return key.recipe.model_copy(update={"rows": study.main.rows})


def _chosen_settings(context: StudyContext) -> dict[TrainingRecipe, Settings]:
    return {
        one.recipe: one.settings for one in need_registration(context.folder).chosen
    }


def _run_grid(
    context: StudyContext, keys: Sequence[CellKey], baselines: Sequence[StudyTask]
) -> None:
    """Choose grid settings for the recipes of the cells, and do the baseline tasks."""
    study = context.study
    recipes: list[TrainingRecipe] = []
    if study.grid:
        chosen = _chosen_settings(context)
        needed = dict.fromkeys(_grid_recipe(study, key) for key in keys)
        recipes = [recipe for recipe in needed if recipe not in chosen]
    tasks = [
        _grid_task(context, recipe, point)
        for recipe in recipes
        for point in grid_points(study)
    ]
    _run_tasks(context, [*baselines, *tasks])
    for recipe in recipes:
        _choose_best(context, recipe)


def _grid_task(
    context: StudyContext, recipe: TrainingRecipe, point: Settings
) -> StudyTask:
    plan = _plan_grid_point(context, recipe, point)
    name = f"grid.{plan.fingerprint[:16]}"
    return StudyTask(name, partial(_try_point, context, recipe, point))


def _plan_grid_point(
    context: StudyContext, recipe: TrainingRecipe, point: Settings
) -> CellPlan:
    """Plan a grid point, which is tried with the first seed."""
    seed = context.study.stages[0].seeds[0]
    return context.planner.plan(CellKey(**recipe.model_dump(), seed=seed), point)


def _try_point(context: StudyContext, recipe: TrainingRecipe, point: Settings) -> None:
    """Evaluate a grid point on dev.

    If the recipe has chosen meanwhile, the point's weights and answers may be deleted.
    """
    if recipe not in _chosen_settings(context):
        context.ui.say(f"grid: {recipe.variant} with {point}")
        evaluate_dev(context, _plan_grid_point(context, recipe, point))


def _choose_best(context: StudyContext, recipe: TrainingRecipe) -> None:
    """Record the best grid point of a recipe, the first of equals."""
    with file_lock(work_folder(context.folder) / "choice.lock", wait=True):
        if recipe in _chosen_settings(context):
            return
        points = grid_points(context.study)
        measure = make_measure(context.study.metric, context.dev.registered)
        values = []
        for point in points:
            dev = evaluate_dev(context, _plan_grid_point(context, recipe, point))
            values.append(measure.value(dev))
        choice = ChosenHyperparameters(
            recipe=recipe,
            settings=points[values.index(max(values))],
            tried=tuple(zip(points, values, strict=True)),
        )
        update_registration(context.folder, lambda record: _with_choice(record, choice))


def _with_choice(
    record: StudyRegistration, choice: ChosenHyperparameters
) -> StudyRegistration:
    return record.model_copy(update={"chosen": (*record.chosen, choice)})


def _delete_grid_weights(context: StudyContext) -> None:
    """Delete the weights of grid points that were not chosen.

    Called when no process is running the grid any more.
    """
    if context.keep_weights:
        return
    for recipe, settings in _chosen_settings(context).items():
        for point in grid_points(context.study):
            if point != settings:
                delete_weights(context, _plan_grid_point(context, recipe, point))


# -- shared work ------------------------------------------------------------------------


def _run_tasks(context: StudyContext, tasks: Sequence[StudyTask]) -> None:
    """Do each task that no other process is doing; return when all are done."""
    left, is_reported = list(tasks), False
    while left:
        busy = [task for task in left if not _do_if_free(context, task)]
        if busy and not is_reported:
            names = ", ".join(task.name for task in busy)
            context.ui.say(f"waiting for another process: {names}")
            is_reported = True
        if busy:
            time.sleep(POLL_S)
        left = busy


def _do_if_free(context: StudyContext, task: StudyTask) -> bool:
    """Do a task and return True, or return False if another process is doing it."""
    path = work_folder(context.folder) / f"{task.name}.lock"
    with file_lock(path, wait=False) as is_ours:
        if is_ours:
            task.do()
        return is_ours
