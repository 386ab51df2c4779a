"""The time that a study takes, measured on its own rows and questions."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cotbuild.builder.evaluation.task import make_task, untrained_student
from cotbuild.builder.study.context import QuestionSplit, StudyContext
from cotbuild.builder.study.folder import read_cells
from cotbuild.builder.study.plan import CellPlan, grid_points
from cotbuild.builder.study.run import gate_cells
from cotbuild.builder.ui import format_duration, pluralize
from cotbuild.schemas.study.declaration import CellKey, TrainingRecipe
from cotbuild.schemas.training import RowsInfo, TrainConfig
from cotbuild.student.evaluation.evaluate import estimate_evaluation_cost
from cotbuild.student.model import Student, context_length, load_student
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import make_examples
from cotbuild.student.training.train import BaseStudent, estimate_training_cost


def cost_lines(context: StudyContext) -> Iterator[str]:
    """Yield what `--dry-run` prints, each line as soon as it is measured.

    First the finished cells of each stage, then the time of each recipe that is left,
    then of all.
    """
    cells = read_cells(context.folder)
    keys = context.study.all_cells()
    left = [key for key in keys if key not in cells or cells[key].test is None]
    for stage in context.study.stages:
        of_stage = list(context.study.cells(stage))
        num_done = sum(key not in left for key in of_stage)
        yield f"{stage.name}: {pluralize(len(of_stage), 'cell')}, {num_done} of them done"
    if not left:
        yield "nothing is left to train"
        return
    total, estimator = 0.0, _CostEstimator(context)
    for recipe in dict.fromkeys(key.recipe for key in left):
        cost = estimator.estimate([key for key in left if key.recipe == recipe])
        total += cost.total
        yield _recipe_line(recipe, cost)
    yield (
        f"about {format_duration(total)} on this machine in one process, measured on rows and "
        "questions of the study"
    )


class _RecipeCost(NamedTuple):
    """Seconds that the cells of one recipe take."""

    num_cells: int
    training: float
    testing: float
    dev: float
    """On dev, for gate and grid, over all cells."""

    @property
    def total(self) -> float:
        return self.num_cells * (self.training + self.testing) + self.dev


def _recipe_line(recipe: TrainingRecipe, cost: _RecipeCost) -> str:
    dev = (
        f", and {format_duration(cost.dev)} for gate and grid on dev"
        if cost.dev
        else ""
    )
    return (
        f"{recipe.variant}, {recipe.student}, {recipe.rows} rows, {recipe.loss.value}: "
        f"{pluralize(cost.num_cells, 'cell')} of {format_duration(cost.training)} training and "
        f"{format_duration(cost.testing)} evaluation{dev}"
    )


class _CostEstimator:
    """Estimates recipes; each student is loaded and measured once."""

    def __init__(self, context: StudyContext) -> None:
        self._context = context
        self._students: dict[str, Student] = {}
        self._seconds_per_token: dict[str, float] = {}
        self._seconds_per_question: dict[tuple[str, int, int], float] = {}

    def estimate(self, keys: Sequence[CellKey]) -> _RecipeCost:
        """Estimate at least one cell of the same recipe."""
        point = grid_points(self._context.study)[0]
        plan = self._context.planner.plan(keys[0], point)
        assert plan.config is not None, "the cells of a stage are trained"
        tokens, info = self._measure_rows(plan, plan.config)
        training = tokens * self._measure_training(plan, plan.config)
        testing = self._estimate_evaluation(plan, info, self._context.test)
        dev = self._estimate_evaluation(plan, info, self._context.dev)
        extra = self._estimate_gate_and_grid(keys[0].recipe, training, dev)
        return _RecipeCost(len(keys), training, testing, extra)

    def _estimate_gate_and_grid(
        self, recipe: TrainingRecipe, training: float, dev: float
    ) -> float:
        """Estimate the seconds on dev; the grid's best run is the first cell's."""
        study = self._context.study
        if recipe.setting != study.main:
            return 0.0
        seconds = 0.0
        points = len(grid_points(study))
        if points > 1:
            seconds += (points - 1) * training + points * dev
        if recipe.variant == study.gate.variant:
            seconds += len(gate_cells(study)) * dev
        return seconds

    def _measure_rows(
        self, plan: CellPlan, config: TrainConfig
    ) -> tuple[int, RowsInfo]:
        """Return the training tokens of all epochs, and what a run records of its rows."""
        student = self._load_student(plan)
        examples = make_examples(
            self._context.build.variant_rows(plan.key.variant),
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
            rows = self._context.build.variant_rows(config.variant)
            cost = estimate_training_cost(config, rows, BaseStudent(*plan.model))
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
        measured = plan.key.student, info.rationale_tokens_p99, label_p99
        if measured not in self._seconds_per_question:
            loaded = self._load_student(plan)
            rows = plan.rows
            student = untrained_student(plan.model, rows.spec, rows.layout)
            student = student.with_lengths_of(info)
            task = make_task(student, split.questions, split.split)
            cost = estimate_evaluation_cost(loaded, task.items, task.plan)
            self._seconds_per_question[measured] = cost.seconds / len(task.items)
        return self._seconds_per_question[measured] * len(split.questions)

    def _load_student(self, plan: CellPlan) -> Student:
        name, model = plan.key.student, plan.model
        if name not in self._students:
            self._students[name] = load_student(
                model.where, model.identity, revision=model.revision
            )
        return self._students[name]
