"""The rules of a plan's chains: written by the planner, read by a worker."""

from pydantic import Field, TypeAdapter

from cotbuild.builder.generate.chains import ChainRules
from cotbuild.builder.generate.code_digest import code_digest
from cotbuild.builder.generate.exemplars import ExemplarPool
from cotbuild.builder.generate.grading import open_grading
from cotbuild.prompts.exemplar import Exemplar
from cotbuild.prompts.template import Template
from cotbuild.schemas.config import ExemplarsConfig
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Purpose
from cotbuild.schemas.record import Record
from cotbuild.schemas.work import WorkPlan, WorkTemplate

ASKING = (
    "cotbuild.schemas",
    "cotbuild.prompts.exemplar",
    "cotbuild.prompts.inputs",
    "cotbuild.prompts.response_format",
    "cotbuild.prompts.template",
    "cotbuild.builder.generate.chains",
    "cotbuild.builder.generate.exemplars",
    "cotbuild.builder.generate.follow",
    "cotbuild.builder.generate.grading",
    "cotbuild.builder.math_metric",
    "cotbuild.builder.sources.overlap",
)
"""Modules whose code decides the requests of a chain: that of planner and worker has to
be the same.
"""


class DrawnExemplar(Record):
    """An exemplar of a pool."""

    text: str = Field(description="Normalised text of the question it is about.")
    exemplar: Exemplar = Field(description="The exemplar.")


class DrawnExemplars(Record):
    """An ExemplarPool as a record."""

    config: ExemplarsConfig = Field(description="Settings of the draw.")
    by_kind: dict[QuestionKind, tuple[DrawnExemplar, ...]] = Field(
        description="The exemplars of each kind, in the order of the draw."
    )


def asking_code() -> str:
    """Return the digest of the code that decides the requests of a chain."""
    return code_digest(ASKING)


def dump_templates(rules: ChainRules) -> tuple[WorkTemplate, ...]:
    """Return the templates of a plan."""
    return tuple(
        WorkTemplate(
            purpose=purpose, kind=kind, content=template.model_dump(mode="json")
        )
        for purpose, by_kind in rules.templates.items()
        for kind, template in by_kind.items()
    )


def dump_pool(pool: ExemplarPool | None) -> dict[str, object] | None:
    """Return the exemplars of a plan as plain JSON values; None for none."""
    if pool is None:
        return None
    by_kind = {
        kind: tuple(
            DrawnExemplar(text=text, exemplar=exemplar) for text, exemplar in drawn
        )
        for kind, drawn in pool.by_kind.items()
    }
    drawn = DrawnExemplars(config=pool.config, by_kind=by_kind)
    return TypeAdapter(dict[str, object]).validate_python(drawn.model_dump(mode="json"))


def load_rules(plan: WorkPlan, where: str) -> ChainRules:
    """Return the rules of a plan's chains.

    `where` names the plan in errors. Raises ConfigError where another version of
    cotbuild planned it or a package is missing, StoreError if it is damaged.
    """
    if plan.code != asking_code():
        raise ConfigError(
            f"{where}: planned by another version of cotbuild or Python, whose requests "
            "may differ. Install the version of the planner on this machine."
        )
    templates: dict[Purpose, dict[QuestionKind, Template]] = {}
    for entry in plan.templates:
        name = f"{where}: template for {entry.purpose.value}, {entry.kind.value}"
        template = Template.parse(entry.content, name, StoreError)
        templates.setdefault(entry.purpose, {})[entry.kind] = template
    return ChainRules(
        plan.config,
        plan.teacher,
        templates,
        _load_pool(plan, where),
        open_grading(plan.config.grading),
    )


def _load_pool(plan: WorkPlan, where: str) -> ExemplarPool | None:
    if plan.exemplars is None:
        return None
    drawn = DrawnExemplars.parse(plan.exemplars, f"{where}: exemplars", StoreError)
    by_kind = {
        kind: [(one.text, one.exemplar) for one in exemplars]
        for kind, exemplars in drawn.by_kind.items()
    }
    return ExemplarPool(drawn.config, by_kind)
