"""Running a study: the gate on dev first, then the cells, with a report now and then.

Several processes may run one study together. They share its work by locks in the
study's working folder.
"""

from collections.abc import Callable, Sequence

from cotbuild.builder.study.cell import finish_dev, finish_test
from cotbuild.builder.study.check_cells import check_cells
from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import (
    CELLS,
    PAGE,
    REPORT,
    cell_path,
    need_registration,
    read_cell,
    read_cells,
    update_registration,
)
from cotbuild.builder.study.grid import (
    delete_grid_weights,
    recipe_settings,
    run_grid,
)
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.phases import study_phases
from cotbuild.builder.study.plan import CellPlan
from cotbuild.builder.study.processors import belongs_here, left_line
from cotbuild.builder.study.results import decide_gate
from cotbuild.builder.study.search import chosen_settings, run_search
from cotbuild.builder.study.sensitivity import run_sensitivity
from cotbuild.builder.study.tasks import StudyTask, run_tasks
from cotbuild.schemas.errors import DataError, DivergedError
from cotbuild.schemas.study.declaration import UNTRAINED, CellKey, Study
from cotbuild.schemas.study.record import (
    Cell,
    GateResult,
    Measurement,
    StudyRegistration,
)
from cotbuild.schemas.study.version_2 import StudyV2

_REGISTER_ANEW = (
    " Change STUDY.yaml and move cells/ away: the next call registers the study anew."
)
"""What to do after a gate that failed: version 2 runs what its first cell registered."""


def run_study(context: StudyContext, report: Callable[[], None]) -> None:
    """Run what is left of a study.

    `report` is called after each stage of version 1, and after each look of version 2,
    in which this process finished a cell, and at the end. Raises DataError, before any
    test question is evaluated, if the gate fails.
    """
    study, registered = context.study, context.registered
    if isinstance(study, StudyV2) and isinstance(registered, StudyV2):
        _run_looks(context, study, registered, report)
    else:
        _run_stages(context, report)
    _refuse_diverged(context)


def _refuse_diverged(context: StudyContext) -> None:
    """Raise DataError if the training of a cell diverged."""
    if not context.diverged:
        return
    name, how = next(iter(context.diverged.items()))
    more = (
        f" (and {len(context.diverged) - 1} more)" if len(context.diverged) > 1 else ""
    )
    raise DataError(
        f"{name}{more}: {how} The other cells are finished, but no look has the seed of "
        "one that is not. Begin another study with other settings in a new folder."
    )


def _run_stages(context: StudyContext, report: Callable[[], None]) -> None:
    """Run a study of version 1: the gate, then stage by stage, each with its grid."""
    study = context.study
    keys = study.gate_cells()
    run_grid(context, keys, [_dev_task(context, _gate_baseline(study))])
    _run_gate(context, study)
    baselines = [_test_task(context, key) for key in untrained_cells(study, study)]
    for stage in study.stages:
        keys = list(study.cells(stage))
        run_grid(context, keys, baselines)
        num_finished = len(context.durations)
        run_tasks(context, [_test_task(context, key) for key in keys])
        delete_grid_weights(context)
        if len(context.durations) > num_finished or stage is study.stages[-1]:
            report()


def _run_looks(
    context: StudyContext,
    study: StudyV2,
    registered: StudyV2,
    report: Callable[[], None],
) -> None:
    """Run a study of version 2: hyperparameters and the gate, then look by look.

    All of that is as registered; stages that `study` adds are further cells.
    """
    run_search(context, registered, [_dev_task(context, _gate_baseline(registered))])
    _run_gate(context, registered)
    baselines = untrained_cells(study, registered)
    run_tasks(context, [_test_task(context, key) for key in baselines])
    phases = study_phases(study, registered)
    for phase in phases:
        num_finished = len(context.durations)
        run_tasks(context, [_test_task(context, key) for key in phase.cells])
        is_new = len(context.durations) > num_finished
        if is_new or phase is phases[-1] or _lacks_report(context, phase.cells):
            context.ui.say(_phase_line(context, phase.name, phase.cells))
            report()
    if study.sensitivity is not None and not _unfinished_seeds(context):
        run_sensitivity(context, study.sensitivity, registered)
        report()
    line = left_line(context.folder, _unfinished_seeds(context))
    if line is not None:
        context.ui.say(line)


def _lacks_report(context: StudyContext, keys: Sequence[CellKey]) -> bool:
    """Whether the cells were all finished before, and no report was drawn since.

    So it is if the process that finished the last of them was killed.
    """
    page = context.folder / REPORT / PAGE
    cells = read_cells(context.folder)
    if any(key not in cells or cells[key].test is None for key in keys):
        return False
    newest = max(cell_path(context.folder, key).stat().st_mtime for key in keys)
    return not page.exists() or page.stat().st_mtime < newest


def _phase_line(context: StudyContext, name: str, keys: Sequence[CellKey]) -> str:
    cells = read_cells(context.folder)
    num_done = sum(key in cells and cells[key].test is not None for key in keys)
    return f"{name}: {num_done} of {len(keys)} cells are finished"


def _unfinished_seeds(context: StudyContext) -> list[int]:
    cells, keys = read_cells(context.folder), context.study.all_cells()
    return [key.seed for key in keys if key not in cells or cells[key].test is None]


def untrained_cells(study: Study, registered: Study) -> list[CellKey]:
    """Return the cell of each untrained student, with the gate variant's prompts.

    `study` names the students, `registered` the gate.
    """
    students = dict.fromkeys(cell.student for cell in study.all_cells())
    return [untrained_key(registered, student) for student in students]


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


def _gate_baseline(study: Study) -> CellKey:
    return untrained_key(study, study.main.student)


def _run_gate(context: StudyContext, study: Study) -> None:
    """Decide the gate of a declaration from the dev answers of its cells, and record it.

    It is decided anew in each call; answers on disk are not computed again.
    """
    keys = study.gate_cells()
    baseline = _gate_baseline(study)
    run_tasks(context, [_dev_task(context, key) for key in (baseline, *keys)])
    cells = read_cells(context.folder)
    _refuse_diverged(context)
    missing = [key.seed for key in keys if key not in cells or cells[key].dev is None]
    if missing:
        raise DataError(
            f"gate: cells with seeds {missing} are left to the kind of processor that "
            "began them. Run the study on such a machine first."
        )
    of_gate = {key: cells[key] for key in (baseline, *keys)}
    check_cells(need_registration(context.folder), of_gate, CELLS)
    trained = [_dev_of(cells[key]) for key in keys]
    measure = make_measure(study.metric, context.dev.registered)
    result = decide_gate(study, measure, trained, _dev_of(cells[baseline]))
    update_registration(context.folder, lambda record: _with_gate(record, result))
    summary = (
        f"{study.gate.variant} is {result.difference:+.1f} points over the untrained "
        f"student on dev, standard error {result.standard_error:.1f}"
    )
    if not result.passed:
        is_first_version = study.format_version == 1
        hint = "grid" if is_first_version else "hyperparameters"
        anew = "" if is_first_version else _REGISTER_ANEW
        raise DataError(
            f"gate failed: {summary}; {result.needed:g} standard errors are required. "
            "No test question was evaluated. Try more rows or epochs, another learning "
            f"rate ({hint}), a larger student, another label form, or easier data.{anew}"
        )
    context.ui.say(f"gate passed: {summary}")


def _with_gate(record: StudyRegistration, result: GateResult) -> StudyRegistration:
    return record.model_copy(update={"gate": result})


def _dev_of(cell: Cell) -> Measurement:
    assert cell.dev is not None, "evaluated just before"
    return cell.dev


# -- tasks ------------------------------------------------------------------------------


def _dev_task(context: StudyContext, key: CellKey) -> StudyTask:
    def do() -> None:
        cell = read_cell(context.folder, key)
        is_done = cell is not None and cell.dev is not None
        if is_done or _is_ours(context, key):
            _finish(context, key, finish_dev)

    return StudyTask(key.name, do)


def _test_task(context: StudyContext, key: CellKey) -> StudyTask:
    def do() -> None:
        cell = read_cell(context.folder, key)
        is_done = cell is not None and cell.test is not None
        if is_done or _is_ours(context, key):
            _finish(context, key, finish_test)

    return StudyTask(key.name, do)


def _finish(
    context: StudyContext,
    key: CellKey,
    finish: Callable[[StudyContext, CellPlan], None],
) -> None:
    """Finish a cell. One whose training diverges is noted, and others go on."""
    if key.name in context.diverged:
        return
    try:
        finish(context, _plan_cell(context, key))
    except DivergedError as error:
        context.diverged[key.name] = str(error)
        context.ui.say(f"{key.name}: {error}")


def _is_ours(context: StudyContext, key: CellKey) -> bool:
    """Whether this kind of processor runs a cell; in version 1 any kind does.

    So does any that evaluates the untrained student, which no seed belongs to.
    """
    registered = context.registered
    if not isinstance(registered, StudyV2) or key.rows == UNTRAINED:
        return True
    return belongs_here(context.folder, key.seed, registered)


def _plan_cell(context: StudyContext, key: CellKey) -> CellPlan:
    """Plan a cell with the settings that were chosen for it on dev."""
    if isinstance(context.study, StudyV2):
        return context.planner.plan(key, chosen_settings(context))
    return context.planner.plan(key, recipe_settings(context, key))
