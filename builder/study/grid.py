"""The grid of version 1: each recipe chooses hyperparameters for itself, by one seed."""

from collections.abc import Sequence
from functools import partial

from cotbuild.builder.study.cell import delete_weights, evaluate_dev
from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import (
    need_registration,
    update_registration,
    work_folder,
)
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.plan import CellPlan, Settings, grid_points
from cotbuild.builder.study.tasks import StudyTask, run_tasks
from cotbuild.schemas.files import file_lock
from cotbuild.schemas.study.declaration import CellKey, Study, TrainingRecipe
from cotbuild.schemas.study.record import ChosenHyperparameters, StudyRegistration


def grid_recipe(study: Study, key: CellKey) -> TrainingRecipe:
    """Return the recipe whose grid choice applies to a cell.

    The grid is tried with the main setting's number of rows alone.
    """
    return key.recipe.model_copy(update={"rows": study.main.rows})


def recipe_settings(context: StudyContext, key: CellKey) -> Settings:
    """Return what the recipe of a cell chose from the grid; empty if nothing yet."""
    return _chosen(context).get(grid_recipe(context.study, key), {})


def run_grid(
    context: StudyContext, keys: Sequence[CellKey], baselines: Sequence[StudyTask]
) -> None:
    """Choose grid settings for the recipes of the cells, and do the baseline tasks."""
    study = context.study
    recipes: list[TrainingRecipe] = []
    if study.search_grid:
        chosen = _chosen(context)
        needed = dict.fromkeys(grid_recipe(study, key) for key in keys)
        recipes = [recipe for recipe in needed if recipe not in chosen]
    tasks = [
        _grid_task(context, recipe, point)
        for recipe in recipes
        for point in grid_points(study.search_grid)
    ]
    run_tasks(context, [*baselines, *tasks])
    for recipe in recipes:
        _choose_best(context, recipe)


def delete_grid_weights(context: StudyContext) -> None:
    """Delete the weights of grid points that were not chosen.

    Called when no process is running the grid any more.
    """
    if context.keep_weights:
        return
    for recipe, settings in _chosen(context).items():
        for point in grid_points(context.study.search_grid):
            if point != settings:
                delete_weights(context, _plan_point(context, recipe, point))


def _chosen(context: StudyContext) -> dict[TrainingRecipe, Settings]:
    return {
        one.recipe: one.settings for one in need_registration(context.folder).chosen
    }


def _grid_task(
    context: StudyContext, recipe: TrainingRecipe, point: Settings
) -> StudyTask:
    plan = _plan_point(context, recipe, point)
    name = f"grid.{plan.fingerprint[:16]}"
    return StudyTask(name, partial(_try_point, context, recipe, point))


def _plan_point(
    context: StudyContext, recipe: TrainingRecipe, point: Settings
) -> CellPlan:
    """Plan a grid point, which is tried with the first seed."""
    seed = context.study.stages[0].seeds[0]
    return context.planner.plan(CellKey(**recipe.model_dump(), seed=seed), point)


def _try_point(context: StudyContext, recipe: TrainingRecipe, point: Settings) -> None:
    """Evaluate a grid point on dev.

    If the recipe has chosen meanwhile, the point's weights and answers may be deleted.
    """
    if recipe not in _chosen(context):
        context.ui.say(f"grid: {recipe.variant} with {point}")
        evaluate_dev(context, _plan_point(context, recipe, point))


def _choose_best(context: StudyContext, recipe: TrainingRecipe) -> None:
    """Record the best grid point of a recipe, the first of equals."""
    with file_lock(work_folder(context.folder) / "choice.lock", wait=True):
        if recipe in _chosen(context):
            return
        points = grid_points(context.study.search_grid)
        measure = make_measure(context.study.metric, context.dev.registered)
        values = []
        for point in points:
            dev = evaluate_dev(context, _plan_point(context, recipe, point))
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
