"""What each cell is: its configuration and its rows, told by STUDY.yaml, the build and
what the grid gave.
"""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from cotbuild.builder.build.build import Build
from cotbuild.builder.evaluation.models import ResolvedModel, told_of
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.study.declaration import UNTRAINED, CellKey, Study
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.training import Layout, TrainConfig
from cotbuild.schemas.variant import VariantSpec
from cotbuild.student.evaluation.plan import EVALUATION_VERSION
from cotbuild.student.training.examples import choose_rationales, fingerprint_rows
from cotbuild.student.training.trainer import resolve_learning_rate

Settings = Mapping[str, JsonValue]


class VariantRowsInfo(NamedTuple):
    """The rows that a variant is trained on with so many rationales."""

    spec: VariantSpec
    layout: Layout
    rationales: str
    """Digest of their ids, in order."""
    fingerprint: str


class CellPlan(NamedTuple):
    """A cell before it is trained."""

    key: CellKey
    model: ResolvedModel
    config: TrainConfig | None
    """None: the student is not trained."""
    rows: VariantRowsInfo
    fingerprint: str


class CellPlanner:
    """Plans of a study's cells.

    Raises ConfigError and DataError where the build has not what they need.
    """

    def __init__(
        self, study: Study, build: Build, models: Mapping[str, ResolvedModel], test: str
    ) -> None:
        """`test`: digest of the test questions."""
        self._study, self._build, self._models, self._test = (
            study,
            build,
            models,
            test,
        )
        self._rows: dict[tuple[str, int], VariantRowsInfo] = {}

    def plan(self, key: CellKey, settings: Settings) -> CellPlan:
        """`settings`: what the recipe took of the grid."""
        model, config = self._models[key.student], None
        if key.rows != UNTRAINED:
            config = _config(self._study, key, settings)
        rows = self._of(key.variant, key.rows or self._study.main.rows)
        decides = {
            "config": config and config.model_dump(mode="json"),
            "student": model.identity,
            "rows": config and rows.fingerprint,
            "spec": rows.spec.fingerprint,
            "test": self._test,
            "evaluation": EVALUATION_VERSION,
        }
        return CellPlan(key, model, config, rows, digest("cell/1", decides))

    def _of(self, variant: str, rows: int) -> VariantRowsInfo:
        if (variant, rows) not in self._rows:
            self._rows[variant, rows] = self._read(variant, rows)
        found, first = self._rows[variant, rows], self._study.gate.variant
        if variant != first and found.rationales != self._of(first, rows).rationales:
            raise DataError(
                f"variant {variant!r} has other rationales than {first!r} among its first {rows}. Expected the same, "
                "so that only their form differs. Make both with one `cotbuild variants`, and none that ends in _all."
            )
        return found

    def _read(self, variant: str, rows: int) -> VariantRowsInfo:
        found = self._build.variant_rows(variant)
        chosen = choose_rationales(found.rows, rows)
        if len(chosen) < rows:
            raise ConfigError(
                f"rows {rows}: variant {variant!r} has {len(chosen)} rationales. Expected at most these."
            )
        flat = [row for inner in chosen for row in inner]
        ids = [[inner[0].question_id, inner[0].sample_index] for inner in chosen]
        return VariantRowsInfo(
            found.spec,
            layout_of(found.spec),
            digest("rationales/1", ids),
            fingerprint_rows(flat),
        )


def _config(study: Study, key: CellKey, settings: Settings) -> TrainConfig:
    values = {**study.train, **settings, **key.model_dump(mode="json")}
    config = TrainConfig.parse(values, "STUDY.yaml: train", ConfigError)
    return told_of(config.model_copy(update={"lr": resolve_learning_rate(config)}))


def grid_points(study: Study) -> list[dict[str, JsonValue]]:
    """Every point of the grid; one without settings where there is no grid."""
    return [
        dict(zip(study.grid, values, strict=True))
        for values in product(*study.grid.values())
    ]


def check_same(plan: CellPlan, cell: Cell, where: Path) -> None:
    """Raises ConfigError where the cell in that file is not the one that is planned
    now, naming what differs.
    """
    if cell.fingerprint == plan.fingerprint:
        return
    was, now = _told(cell), _of_plan(plan)
    found = next(
        (
            (name, was.get(name), now[name])
            for name in now
            if was.get(name) != now[name]
        ),
        None,
    )
    what = (
        f"{found[0]} {found[1]!r}, now it is {found[2]!r}"
        if found
        else "other questions or an older evaluation"
    )
    raise ConfigError(
        f"{where}: a cell with {what}. Expected the cell that STUDY.yaml and the build declare. "
        "Change it back, or move the file away to train it anew."
    )


def _told(cell: Cell) -> dict[str, JsonValue]:
    if cell.training is None:
        return {"student": cell.identity}
    config = cell.training.config.model_dump(mode="json")
    return {
        "student": cell.identity,
        "spec": cell.training.spec.ref,
        "row_digest": cell.training.rows,
        **config,
    }


def _of_plan(plan: CellPlan) -> dict[str, JsonValue]:
    if plan.config is None:
        return {"student": plan.model.identity}
    config = plan.config.model_dump(mode="json")
    return {
        "student": plan.model.identity,
        "spec": plan.rows.spec.ref,
        "row_digest": plan.rows.fingerprint,
        **config,
    }
