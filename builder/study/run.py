"""Running a study: the gate on dev, then stage by stage, cell by cell; several processes may run one together."""

import time
from collections.abc import Callable, Sequence

from cotbuild.builder.durable import locked
from cotbuild.builder.study.cell import Site, ask_dev, finish_dev, finish_test
from cotbuild.builder.study.cells import Plan, grid_points
from cotbuild.builder.study.files import read_cells, read_record, work_folder, write_record
from cotbuild.builder.study.gate import gate_result
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study import UNTRAINED, CellKey, Recipe, Study
from cotbuild.schemas.study_record import Cell, Chosen, Measured, Registered

LOOK_S = 5.0
"""Between two looks at cells that another process is at."""


def run_study(site: Site, after_stage: Callable[[], None]) -> None:
    """Do what is left of all stages; `after_stage` is called behind each that had something left, and the last.

    Raises DataError, before any test question is asked, where the gate is not passed.
    """
    study = site.study
    _hold_gate(site)
    students = dict.fromkeys(cell.student for cell in study.all_cells())
    bases = [untrained(study, student) for student in students]
    _each(site, bases, lambda key: finish_test(site, site.planner.plan(key, {})))
    for stage in study.stages:
        keys = list(study.cells(stage))
        for key in keys:
            _choose(site, key)
        before = len(site.paces)
        _each(site, keys, lambda key: finish_test(site, _plan(site, key)))
        if len(site.paces) > before or stage is study.stages[-1]:
            after_stage()


def untrained(study: Study, student: str) -> CellKey:
    """The cell of the untrained student, asked as the gate's variant is."""
    return CellKey(variant=study.gate.variant, student=student, rows=UNTRAINED, loss=study.main.loss, seed=0)


def gate_cells(study: Study) -> list[CellKey]:
    """The cells of the first stage that decide the gate."""
    first = study.cells(study.stages[0])
    return [cell for cell in first if cell.variant == study.gate.variant and cell.setting == study.main]


def _hold_gate(site: Site) -> None:
    """Decide the gate by the cells' dev answers, anew each time: they are on disk, or are had now."""
    study = site.study
    base, keys = untrained(study, study.main.student), gate_cells(study)
    _each(site, [base], lambda key: finish_dev(site, site.planner.plan(key, {})))
    _choose(site, keys[0])
    _each(site, keys, lambda key: finish_dev(site, _plan(site, key)))
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


def _dev(cell: Cell) -> Measured:
    assert cell.dev is not None, "asked just now"
    return cell.dev


def _plan(site: Site, key: CellKey) -> Plan:
    recipe = _main_size(site.study, key)
    settings = next((one.settings for one in _record(site).chosen if one.recipe == recipe), {})
    return site.planner.plan(key, settings)


def _main_size(study: Study, key: CellKey) -> Recipe:
    """The recipe whose choice holds for this cell: the grid is tried at the main size alone."""
    return key.recipe.model_copy(update={"rows": study.main.rows})


def _choose(site: Site, key: CellKey) -> None:
    """See that the recipe has chosen from the grid, on dev with the first seed; of equals the first."""
    recipe, points = _main_size(site.study, key), grid_points(site.study)
    if not site.study.grid:
        return
    first = CellKey(**recipe.model_dump(), seed=site.study.stages[0].seeds[0])
    with locked(work_folder(site.folder) / f"grid.{first.name}.lock", wait=True):
        if any(one.recipe == recipe for one in _record(site).chosen):
            return
        tried = []
        for point in points:
            site.ui.say(f"grid: {first.name} with {point}")
            found = ask_dev(site, site.planner.plan(first, point))
            tried.append((point, found.answers.percent(site.study.metric)))
        best = max(range(len(points)), key=lambda i: tried[i][1])
        chosen = Chosen(recipe=recipe, settings=points[best], tried=tuple(tried))
        _update(site, lambda record: record.model_copy(update={"chosen": (*record.chosen, chosen)}))


def _record(site: Site) -> Registered:
    found = read_record(site.folder)
    assert found is not None, "registered before anything is run"
    return found


def _update(site: Site, change: Callable[[Registered], Registered]) -> None:
    with locked(work_folder(site.folder) / "record.lock", wait=True):
        record = _record(site)
        if (new := change(record)) != record:
            write_record(site.folder, new)


def _each(site: Site, keys: Sequence[CellKey], do: Callable[[CellKey], None]) -> None:
    """Do each cell that no other process is at; return once none is left, whoever did it."""
    left, told = list(keys), False
    while left:
        busy = []
        for key in left:
            with locked(work_folder(site.folder) / f"{key.name}.lock", wait=False) as ours:
                if ours:
                    do(key)
                else:
                    busy.append(key)
        if busy and not told:
            site.ui.say(f"waiting for another process: {', '.join(key.name for key in busy)}")
            told = True
        if busy:
            time.sleep(LOOK_S)
        left = busy
