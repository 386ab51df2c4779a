"""What a study takes, measured on its own rows and questions before it is begun."""

from collections.abc import Iterator

from cotbuild.builder.evaluation.questions import evaluation_rows
from cotbuild.builder.study.cell import StudyContext
from cotbuild.builder.study.evaluate import BATCH_TOKENS, QuestionSplit
from cotbuild.builder.study.folder import read_cells
from cotbuild.builder.study.plan import CellPlan, grid_points
from cotbuild.builder.study.run import gate_cells
from cotbuild.builder.ui import format_duration, pluralize
from cotbuild.schemas.study.declaration import CellKey, TrainingRecipe
from cotbuild.student.evaluation.evaluate import estimate_evaluation_cost
from cotbuild.student.evaluation.plan import EvaluationItem, make_evaluation_plan
from cotbuild.student.model import Student, context_length, load_student
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import make_examples
from cotbuild.student.training.train import BaseStudent, estimate_training_cost


def cost_lines(site: StudyContext) -> Iterator[str]:
    """A line as it is known: cells by stage, then the time of what is left, a recipe
    each, then of all.
    """
    cells = read_cells(site.folder)
    left = [
        key
        for key in site.study.all_cells()
        if key not in cells or cells[key].test is None
    ]
    for stage in site.study.stages:
        keys = list(site.study.cells(stage))
        yield f"{stage.name}: {pluralize(len(keys), 'cell')}, {sum(key not in left for key in keys)} of them done"
    if not left:
        yield "nothing is left to train"
        return
    total, costs = 0.0, _Costs(site)
    for recipe in dict.fromkeys(key.recipe for key in left):
        keys = [key for key in left if key.recipe == recipe]
        plan = _plan(site, keys[0])
        training, asking = costs.training(plan), costs.asking(plan, site.test)
        extra = _extra(site, recipe, training, costs.asking(plan, site.dev))
        total += len(keys) * (training + asking) + extra
        yield _said(recipe, len(keys), training, asking, extra)
    yield f"about {format_duration(total)} on this machine, in one process, measured on rows and questions of the study"


def _said(
    recipe: TrainingRecipe, cells: int, training: float, asking: float, extra: float
) -> str:
    what = (
        f"{recipe.variant}, {recipe.student}, {recipe.rows} rows, {recipe.loss.value}"
    )
    on_dev = f", and {format_duration(extra)} for gate and grid on dev" if extra else ""
    per_cell = (
        f"{format_duration(training)} training and {format_duration(asking)} asking"
    )
    return f"{what}: {pluralize(cells, 'cell')} of {per_cell}{on_dev}"


def _plan(site: StudyContext, key: CellKey) -> CellPlan:
    return site.planner.plan(key, grid_points(site.study)[0])


def _extra(
    site: StudyContext, recipe: TrainingRecipe, training: float, asking: float
) -> float:
    """Seconds on dev: of the grid, whose best run is the first cell's; of the gate's
    cells.
    """
    if recipe.setting != site.study.main:
        return 0.0
    points = len(grid_points(site.study))
    grid = (points - 1) * training + points * asking if points > 1 else 0.0
    return grid + (
        len(gate_cells(site.study)) * asking
        if recipe.variant == site.study.gate.variant
        else 0.0
    )


class _Costs:
    """Seconds, each kind measured once a student."""

    def __init__(self, site: StudyContext) -> None:
        self._site = site
        self._students: dict[str, Student] = {}
        self._per_token: dict[str, float] = {}
        self._per_question: dict[tuple[str, int], float] = {}

    def training(self, plan: CellPlan) -> float:
        assert plan.config is not None
        tokens, _ = self._told(plan)
        if plan.key.student not in self._per_token:
            cost = estimate_training_cost(
                plan.config,
                self._site.build.variant_rows(plan.key.variant),
                BaseStudent(*plan.model),
            )
            self._per_token[plan.key.student] = cost.seconds / cost.tokens
        return tokens * self._per_token[plan.key.student]

    def asking(self, plan: CellPlan, asked: QuestionSplit) -> float:
        """At most: the untrained student is measured, which stops late."""
        _, p99 = self._told(plan)
        which = plan.key.student, p99
        if which not in self._per_question:
            rows = evaluation_rows(plan.rows.spec, asked.questions)
            items = [
                EvaluationItem(question, row)
                for question, row in zip(asked.questions, rows, strict=True)
            ]
            cost = estimate_evaluation_cost(
                self._student(plan),
                items,
                make_evaluation_plan(plan.rows.layout, p99, BATCH_TOKENS),
            )
            self._per_question[which] = cost.seconds / len(items)
        return self._per_question[which] * len(asked.questions)

    def _told(self, plan: CellPlan) -> tuple[int, int]:
        """Tokens of all passes, and the 99th percentile of those before the label."""
        assert plan.config is not None
        student, found = (
            self._student(plan),
            self._site.build.variant_rows(plan.key.variant),
        )
        limit = min(plan.config.max_tokens, context_length(student.model))
        examples = make_examples(found, student.tokenizer, plan.config, limit)
        return UpdateDataset(examples, plan.config, student.pad_id).count_tokens()[
            0
        ], examples.info.rationale_tokens_p99

    def _student(self, plan: CellPlan) -> Student:
        model = plan.model
        if plan.key.student not in self._students:
            loaded = load_student(model.where, model.identity, revision=model.revision)
            self._students[plan.key.student] = loaded
        return self._students[plan.key.student]
