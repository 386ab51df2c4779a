"""The time that a study takes, measured on its own rows and questions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from cotbuild.builder.evaluation.task import make_task, untrained_student
from cotbuild.builder.study.context import QuestionSplit, StudyContext
from cotbuild.builder.study.evaluation_settings import evaluation_settings
from cotbuild.builder.study.folder import read_cells
from cotbuild.builder.study.phases import study_phases
from cotbuild.builder.study.plan import CellPlan, grid_points
from cotbuild.builder.study.processors import lacking_units
from cotbuild.builder.study.search import needs_choice, search_trials
from cotbuild.builder.study.sensitivity import StageWork, stage_work
from cotbuild.builder.study.training_settings import kept_precision, study_execution
from cotbuild.builder.ui import format_duration, pluralize
from cotbuild.schemas.study.declaration import CellKey, StudyMetric, TrainingRecipe
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import RowsInfo, TrainConfig
from cotbuild.student.evaluation.evaluate import estimate_evaluation_cost
from cotbuild.student.model import Student, context_length, load_for_inference
from cotbuild.student.precision import processor_kind
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import make_examples
from cotbuild.student.training.train import BaseStudent, estimate_training_cost

Cells = Mapping[CellKey, Cell]


def cost_lines(context: StudyContext) -> Iterator[str]:
    """Yield the time of a study, each line as soon as it is measured.

    First the finished cells of each part, then the time of each recipe that is left,
    then of all. A recipe is not measured if this kind of processor has finished cells of
    it, nor is anything on a machine that runs no cell of the study.
    """
    cells = read_cells(context.folder)
    keys = context.study.all_cells()
    left = [key for key in keys if key not in cells or cells[key].test is None]
    for name, of_part in _parts(context.study, context.registered):
        num_done = len(of_part) - len(set(left) & set(of_part))
        yield f"{name}: {pluralize(len(of_part), 'cell')}, {num_done} of them done"
    sensitivity = stage_work(context)
    if not left and not sensitivity:
        yield "nothing is left to train"
        return
    lacking = lacking_units(context.study)
    if lacking is not None:
        yield lacking
        return
    total, estimator = 0.0, _CostEstimator(context, cells)
    for recipe in dict.fromkeys(key.recipe for key in left):
        cost = estimator.estimate([key for key in left if key.recipe == recipe])
        total += cost.total
        yield _recipe_line(recipe, cost)
    if sensitivity:
        seconds = sum(estimator.estimate_stage(work) for work in sensitivity)
        total += seconds
        yield _stage_line(sensitivity, seconds)
    yield (
        f"about {format_duration(total)} on this machine in one process, "
        f"{estimator.describe_basis()}"
    )


def _parts(
    study: AnyStudy, registered: AnyStudy
) -> list[tuple[str, Sequence[CellKey]]]:
    """Return the parts of a study that end in a report, by name."""
    if isinstance(study, StudyV2) and isinstance(registered, StudyV2):
        phases = study_phases(study, registered)
        return [(phase.name, phase.cells) for phase in phases]
    return [(stage.name, list(study.cells(stage))) for stage in study.stages]


class _CellCost(NamedTuple):
    """Seconds that one cell takes."""

    training: float
    testing: float
    dev: float


def recorded_cost(cells: Iterable[Cell], num_dev: int) -> _CellCost | None:
    """Return the median seconds that finished cells of one recipe took.

    None without any. Cells that did not answer the `num_dev` dev questions are taken to
    answer them at the pace of the test questions.
    """
    training, testing, dev = [], [], []
    for cell in cells:
        if cell.training is None or cell.test is None:
            continue
        of_test = cell.test.figures.seconds
        at_this_pace = of_test * num_dev / cell.test.evaluated.num_questions
        training.append(cell.training.seconds)
        testing.append(of_test)
        dev.append(at_this_pace if cell.dev is None else cell.dev.figures.seconds)
    if not training:
        return None
    return _CellCost(median(training), median(testing), median(dev))


def _costs_here(cells: Cells, num_dev: int) -> dict[TrainingRecipe, _CellCost]:
    """Return what cells of each recipe took on this kind of processor.

    Cells of version 1 do not record theirs.
    """
    here, by_recipe = processor_kind(), defaultdict[TrainingRecipe, list[Cell]](list)
    for key, cell in cells.items():
        if cell.processor == here:
            by_recipe[key.recipe].append(cell)
    costs = {recipe: recorded_cost(of, num_dev) for recipe, of in by_recipe.items()}
    return {recipe: cost for recipe, cost in costs.items() if cost is not None}


class _RecipeCost(NamedTuple):
    """Seconds that the cells of one recipe take."""

    num_cells: int
    training: float
    testing: float
    dev: float
    """On dev and for trials of hyperparameters, over all cells."""
    is_recorded: bool
    """Whether finished cells took so long; measured by a sample otherwise."""

    @property
    def total(self) -> float:
        return self.num_cells * (self.training + self.testing) + self.dev


def _recipe_line(recipe: TrainingRecipe, cost: _RecipeCost) -> str:
    dev = (
        f", and {format_duration(cost.dev)} for trials and dev questions"
        if cost.dev
        else ""
    )
    basis = ", as finished cells took" if cost.is_recorded else ""
    return (
        f"{recipe.variant}, {recipe.student}, {recipe.rows} rows, {recipe.loss.value}: "
        f"{pluralize(cost.num_cells, 'cell')} of {format_duration(cost.training)} training and "
        f"{format_duration(cost.testing)} evaluation{dev}{basis}"
    )


def _stage_line(left: Sequence[StageWork], seconds: float) -> str:
    trials = pluralize(sum(work.num_trials for work in left), "trial")
    cells = pluralize(sum(work.num_cells for work in left), "cell")
    return f"{left[0].stage}: {trials} and {cells} left, {format_duration(seconds)}"


class _CostEstimator:
    """Estimates recipes; each student is loaded and measured once."""

    def __init__(self, context: StudyContext, cells: Cells) -> None:
        """`cells` are those of the study, finished or not."""
        self._context, self._cells = context, cells
        self._recorded = _costs_here(cells, len(context.dev.questions))
        self._estimated: set[TrainingRecipe] = set()
        self._students: dict[str, Student] = {}
        self._seconds_per_token: dict[str, float] = {}
        self._seconds_per_question: dict[tuple[str, int, int, int], float] = {}

    def estimate(self, keys: Sequence[CellKey]) -> _RecipeCost:
        """Estimate at least one cell of the same recipe."""
        each = self._estimate_cell(keys[0])
        study = self._context.registered
        if isinstance(study, StudyV2):
            extra = self._estimate_trials(study, keys, each.training, each.dev)
        else:
            recipe = keys[0].recipe
            extra = self._estimate_gate_and_grid(recipe, each.training, each.dev)
        is_recorded = keys[0].recipe in self._recorded
        return _RecipeCost(len(keys), each.training, each.testing, extra, is_recorded)

    def estimate_stage(self, work: StageWork) -> float:
        """Estimate the seconds of a variant in the sensitivity stage.

        The students of its cells are those of trials, so they are not trained again.
        """
        each = self._estimate_cell(work.key)
        of_trials = work.num_trials * (each.training + each.dev)
        return of_trials + work.num_cells * each.testing

    def describe_basis(self) -> str:
        """Return what the estimates so far rest on."""
        bases = []
        if self._estimated & self._recorded.keys():
            bases.append("by finished cells")
        if self._estimated - self._recorded.keys():
            bases.append("measured on rows and questions of the study")
        return " and ".join(bases)

    def _estimate_cell(self, key: CellKey) -> _CellCost:
        self._estimated.add(key.recipe)
        if key.recipe in self._recorded:
            return self._recorded[key.recipe]
        point = grid_points(self._context.registered.search_grid)[0]
        plan = self._context.planner.plan(key, point)
        assert plan.config is not None, "the cells of a stage are trained"
        tokens, info = self._measure_rows(plan, plan.config)
        return _CellCost(
            training=tokens * self._measure_training(plan, plan.config),
            testing=self._estimate_evaluation(plan, info, self._context.test),
            dev=self._estimate_evaluation(plan, info, self._context.dev),
        )

    def _estimate_trials(
        self, study: StudyV2, keys: Sequence[CellKey], training: float, dev: float
    ) -> float:
        """Estimate the seconds of the recipe's trials, gate and answers to dev.

        The students of the chosen point are those of cells, where they have one.
        """
        recipe = keys[0].recipe
        trials = [trial.key for trial in search_trials(study)]
        of_recipe = [key for key in trials if key.recipe == recipe]
        points = len(grid_points(study.search_grid))
        reused = len(of_recipe) // points if set(of_recipe) & set(keys) else 0
        needs_dev = StudyMetric.TARGET_PROBABILITY in study.secondary_metrics
        of_gate = [key for key in study.gate_cells() if key in keys]
        num_dev = len(keys) if needs_dev else len(of_gate)
        if needs_choice(self._context):
            num_dev += len(of_recipe)
            return (len(of_recipe) - reused) * training + num_dev * dev
        return num_dev * dev

    def _estimate_gate_and_grid(
        self, recipe: TrainingRecipe, training: float, dev: float
    ) -> float:
        """Estimate the seconds on dev; the grid's best run is the first cell's."""
        study = self._context.study
        if recipe.setting != study.main:
            return 0.0
        seconds = 0.0
        points = len(grid_points(study.search_grid))
        if points > 1:
            seconds += (points - 1) * training + points * dev
        if recipe.variant == study.gate.variant:
            seconds += len(study.gate_cells()) * dev
        return seconds

    def _measure_rows(
        self, plan: CellPlan, config: TrainConfig
    ) -> tuple[int, RowsInfo]:
        """Return the training tokens of all epochs, and what a run records of its rows."""
        student = self._load_student(plan)
        examples = make_examples(
            self._context.planner.training_rows(plan.key),
            student.tokenizer,
            config,
            min(config.max_tokens, context_length(student.model)),
        )
        tokens, _ = UpdateDataset(examples, config, student.pad_id).count_tokens()
        return tokens, examples.info

    def _measure_training(self, plan: CellPlan, config: TrainConfig) -> float:
        """Return the seconds of training on one token."""
        name = plan.key.student
        if name not in self._seconds_per_token:
            rows = self._context.planner.training_rows(plan.key)
            cells = self._cells.values()
            kept = kept_precision(self._context.study, plan.key, cells)
            if config.precision is None:
                config = config.model_copy(update={"precision": kept})
            base, execution = BaseStudent(*plan.model), study_execution(config)
            cost = estimate_training_cost(config, rows, base, execution)
            self._seconds_per_token[name] = cost.seconds / cost.tokens
        return self._seconds_per_token[name]

    def _estimate_evaluation(
        self, plan: CellPlan, info: RowsInfo, split: QuestionSplit
    ) -> float:
        """Estimate the seconds of one evaluation.

        It is an upper bound: the untrained student is measured, which seldom ends a
        rationale by itself.
        """
        label_p99 = info.label_tokens.p99 if info.label_tokens else 0
        free_answers = evaluation_settings(self._context.study).free_answers
        # Without free answers to some of them, dev and test take as long a question.
        number = 0 if free_answers is None else len(split.questions)
        measured = plan.key.student, info.rationale_tokens_p99, label_p99, number
        if measured not in self._seconds_per_question:
            loaded = self._load_student(plan)
            rows = plan.rows
            student = untrained_student(plan.model, rows.spec, rows.layout)
            student = student.with_lengths_of(info)
            task = make_task(
                student, split.questions, split.split, free_answers=free_answers
            )
            cost = estimate_evaluation_cost(loaded, task.items, task.plan)
            self._seconds_per_question[measured] = cost.seconds / len(task.items)
        return self._seconds_per_question[measured] * len(split.questions)

    def _load_student(self, plan: CellPlan) -> Student:
        name, model = plan.key.student, plan.model
        if name not in self._students:
            self._students[name] = load_for_inference(
                model.where,
                model.identity,
                revision=model.revision,
                precision=evaluation_settings(self._context.study).precision,
            )
        return self._students[name]
