"""Running a study: the gate on dev, then stage by stage, cell by cell; several
processes may run one together.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from cotbuild.builder.study.cell import (
    StudyContext,
    ask_dev,
    drop_weights,
    finish_dev,
    finish_test,
)
from cotbuild.builder.study.folder import (
    read_cells,
    read_registration,
    work_folder,
    write_registration,
)
from cotbuild.builder.study.gate import gate_result
from cotbuild.builder.study.plan import CellPlan, Settings, grid_points
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_lock
from cotbuild.schemas.study.declaration import UNTRAINED, CellKey, Study, TrainingRecipe
from cotbuild.schemas.study.record import (
    Cell,
    ChosenHyperparameters,
    Measurement,
    StudyRegistration,
)

LOOK_S = 5.0
"""Between two looks at cells that another process is at."""


class StudyTask(NamedTuple):
    """What one process does while others do other tasks; done again, it finds that it
    is done.
    """

    name: str
    do: Callable[[], None]


def run_study(site: StudyContext, after_stage: Callable[[], None]) -> None:
    """Do what is left of all stages; `after_stage` is called behind each that had
    something left, and the last.

    Raises DataError, before any test question is asked, where the gate is not passed.
    """
    study = site.study
    _hold_gate(site)
    students = dict.fromkeys(cell.student for cell in study.all_cells())
    bases = [_test_of(site, untrained(study, student)) for student in students]
    for stage in study.stages:
        keys = list(study.cells(stage))
        _choose(site, keys, *bases)
        before = len(site.paces)
        _each(site, [_test_of(site, key) for key in keys])
        _drop_weights(site)
        if len(site.paces) > before or stage is study.stages[-1]:
            after_stage()


def untrained(study: Study, student: str) -> CellKey:
    """The cell of the untrained student, asked as the gate's variant is."""
    return CellKey(
        variant=study.gate.variant,
        student=student,
        rows=UNTRAINED,
        loss=study.main.loss,
        seed=0,
    )


def gate_cells(study: Study) -> list[CellKey]:
    """The cells of the first stage that decide the gate."""
    first = study.cells(study.stages[0])
    return [
        cell
        for cell in first
        if cell.variant == study.gate.variant and cell.setting == study.main
    ]


def _hold_gate(site: StudyContext) -> None:
    """Decide the gate by the cells' dev answers, anew each time: they are on disk, or
    are had now.
    """
    study = site.study
    base, keys = untrained(study, study.main.student), gate_cells(study)
    _choose(site, keys, _dev_of(site, base))
    _each(site, [_dev_of(site, key) for key in keys])
    cells = read_cells(site.folder)
    found = gate_result(study, [_dev(cells[key]) for key in keys], _dev(cells[base]))
    _update(site, lambda record: record.model_copy(update={"gate": found}))
    said = (
        f"{study.gate.variant} is {found.difference:+.1f} points over the untrained student on dev, standard error "
        f"{found.standard_error:.1f}"
    )
    if not found.passed:
        raise DataError(
            f"gate: {said}. Expected at least {found.needed:g} standard errors, or the study could tell nothing. "
            "No test question was asked. Try more rows or epochs, another learning rate (grid), a larger student, "
            "another label form, or easier data."
        )
    site.ui.say(f"gate passed: {said}")


def _dev(cell: Cell) -> Measurement:
    assert cell.dev is not None, "asked just now"
    return cell.dev


def _test_of(site: StudyContext, key: CellKey) -> StudyTask:
    return StudyTask(key.name, lambda: finish_test(site, _plan(site, key)))


def _dev_of(site: StudyContext, key: CellKey) -> StudyTask:
    return StudyTask(key.name, lambda: finish_dev(site, _plan(site, key)))


def _plan(site: StudyContext, key: CellKey) -> CellPlan:
    return site.planner.plan(key, _chosen(site).get(_main_size(site.study, key), {}))


def _chosen(site: StudyContext) -> dict[TrainingRecipe, Settings]:
    return {one.recipe: one.settings for one in _record(site).chosen}


def _main_size(study: Study, key: CellKey) -> TrainingRecipe:
    """The recipe whose choice holds for this cell: the grid is tried at the main size
    alone.
    """
    return key.recipe.model_copy(update={"rows": study.main.rows})


def _choose(site: StudyContext, keys: Sequence[CellKey], *beside: StudyTask) -> None:
    """See that the recipe of each cell has chosen from the grid, and that what is to be
    done beside that is done.
    """
    recipes = (
        dict.fromkeys(_main_size(site.study, key) for key in keys)
        if site.study.grid
        else {}
    )
    left = [recipe for recipe in recipes if recipe not in _chosen(site)]
    points = [(recipe, point) for recipe in left for point in grid_points(site.study)]
    tried = [
        StudyTask(
            f"grid.{_first(site, *one).fingerprint[:16]}", partial(_try, site, *one)
        )
        for one in points
    ]
    _each(site, [*beside, *tried])
    for recipe in left:
        _take_best(site, recipe)


def _first(site: StudyContext, recipe: TrainingRecipe, point: Settings) -> CellPlan:
    """The grid is tried with the first seed."""
    return site.planner.plan(
        CellKey(**recipe.model_dump(), seed=site.study.stages[0].seeds[0]), point
    )


def _try(site: StudyContext, recipe: TrainingRecipe, point: Settings) -> None:
    if recipe not in _chosen(
        site
    ):  # else its weights may be gone, with what it said of dev
        site.ui.say(f"grid: {recipe.variant} with {point}")
        ask_dev(site, _first(site, recipe, point))


def _take_best(site: StudyContext, recipe: TrainingRecipe) -> None:
    """Of equals the first."""
    with file_lock(work_folder(site.folder) / "choice.lock", wait=True):
        if recipe in _chosen(site):
            return
        points = grid_points(site.study)
        answers = [
            ask_dev(site, _first(site, recipe, point)).answers for point in points
        ]
        right = [one.percent_correct(site.study.metric) for one in answers]
        best = points[right.index(max(right))]
        chosen = ChosenHyperparameters(
            recipe=recipe, settings=best, tried=tuple(zip(points, right, strict=True))
        )
        _update(
            site,
            lambda record: record.model_copy(
                update={"chosen": (*record.chosen, chosen)}
            ),
        )


def _drop_weights(site: StudyContext) -> None:
    """Of the points of the grid that were not taken; called once no process is at the
    grid any more.
    """
    for recipe, settings in _chosen(site).items():
        for point in grid_points(site.study):
            if point != settings and not site.keep:
                drop_weights(site, _first(site, recipe, point))


def _record(site: StudyContext) -> StudyRegistration:
    found = read_registration(site.folder)
    assert found is not None, "registered before anything is run"
    return found


def _update(
    site: StudyContext, change: Callable[[StudyRegistration], StudyRegistration]
) -> None:
    with file_lock(work_folder(site.folder) / "record.lock", wait=True):
        record = _record(site)
        if (new := change(record)) != record:
            write_registration(site.folder, new)


def _each(site: StudyContext, tasks: Sequence[StudyTask]) -> None:
    """Do each that no other process is at; return once none is left, whoever did it."""
    left, told = list(tasks), False
    while left:
        busy = []
        for task in left:
            with file_lock(
                work_folder(site.folder) / f"{task.name}.lock", wait=False
            ) as ours:
                if ours:
                    task.do()
                else:
                    busy.append(task)
        if busy and not told:
            site.ui.say(
                f"waiting for another process: {', '.join(task.name for task in busy)}"
            )
            told = True
        if busy:
            time.sleep(LOOK_S)
        left = busy
