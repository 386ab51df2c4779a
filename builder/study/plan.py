"""What each cell is: its configuration and its rows, from STUDY.yaml and the build."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.evaluation.models import ResolvedModel, portable_config
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
"""Training settings that a recipe chose from the grid, by name."""


class VariantRowsInfo(NamedTuple):
    """The rows that a variant is trained on with a given number of rationales."""

    spec: VariantSpec
    layout: Layout
    rationales: str
    """Digest of the ids of the rationales, in order."""
    fingerprint: str
    """Digest of the rows, in order."""


class CellPlan(NamedTuple):
    """A cell before it is trained."""

    key: CellKey
    model: ResolvedModel
    config: TrainConfig | None
    """None: the student is not trained."""
    rows: VariantRowsInfo
    fingerprint: str
    """Digest of everything that decides the cell's answers."""


class CellPlanner:
    """Plans the cells of a study; the rows of each variant are read once."""

    def __init__(
        self,
        study: Study,
        build: StoredBuild,
        models: Mapping[str, ResolvedModel],
        test_digest: str,
    ) -> None:
        """`models`: by the names of the students. `test_digest`: of the test questions."""
        self._study = study
        self._build = build
        self._models = models
        self._test_digest = test_digest
        self._rows: dict[tuple[str, int], VariantRowsInfo] = {}

    def plan(self, key: CellKey, settings: Settings) -> CellPlan:
        """Plan a cell with the settings that its recipe chose from the grid.

        Raises ConfigError and DataError if the build lacks what the cell needs.
        """
        model = self._models[key.student]
        rows = self._rows_of(key.variant, key.rows or self._study.main.rows)
        config = None
        if key.rows != UNTRAINED:
            config = _train_config(self._study, key, settings)
        inputs = {
            "config": config.model_dump(mode="json") if config else None,
            "student": model.identity,
            "rows": rows.fingerprint if config else None,
            "spec": rows.spec.fingerprint,
            "test": self._test_digest,
            "evaluation": EVALUATION_VERSION,
        }
        return CellPlan(key, model, config, rows, digest("cell/1", inputs))

    def _rows_of(self, variant: str, num_rationales: int) -> VariantRowsInfo:
        """Return the rows of a variant; they must be of the gate variant's rationales."""
        info = self._read_rows(variant, num_rationales)
        gate = self._study.gate.variant
        expected = self._read_rows(gate, num_rationales).rationales
        if info.rationales != expected:
            raise DataError(
                f"variant {variant!r} has other rationales than {gate!r} among its "
                f"first {num_rationales}, so more than their form would differ. Derive "
                "both with one `cotbuild variants`, and none that ends in _all."
            )
        return info

    def _read_rows(self, variant: str, num_rationales: int) -> VariantRowsInfo:
        known = self._rows.get((variant, num_rationales))
        if known is not None:
            return known
        all_rows = self._build.variant_rows(variant)
        check_answers_alone(all_rows.spec)
        chosen = choose_rationales(all_rows.rows, num_rationales)
        if len(chosen) < num_rationales:
            raise ConfigError(
                f"rows {num_rationales}: variant {variant!r} has {len(chosen)} "
                "rationales. Train on fewer."
            )
        ids = [[rows[0].question_id, rows[0].sample_index] for rows in chosen]
        info = VariantRowsInfo(
            spec=all_rows.spec,
            layout=layout_of(all_rows.spec),
            rationales=digest("rationales/1", ids),
            fingerprint=fingerprint_rows(row for rows in chosen for row in rows),
        )
        self._rows[variant, num_rationales] = info
        return info


def check_answers_alone(spec: VariantSpec) -> None:
    """Raise ConfigError for a variant whose students cannot answer a question alone."""
    if not layout_of(spec).has_label or spec.evaluated.gives_rationale:
        raise ConfigError(
            f"variant {spec.name!r}: its students say no label, or need a rationale in "
            "their prompt, so a study cannot compare them. Leave it out of STUDY.yaml."
        )


def _train_config(study: Study, key: CellKey, settings: Settings) -> TrainConfig:
    values = {**study.train, **settings, **key.model_dump(mode="json")}
    config = TrainConfig.parse(values, "STUDY.yaml: train", ConfigError)
    return portable_config(
        config.model_copy(update={"lr": resolve_learning_rate(config)})
    )


def grid_points(study: Study) -> list[dict[str, JsonValue]]:
    """Return every point of the grid; without a grid, one point without settings."""
    return [
        dict(zip(study.grid, values, strict=True))
        for values in product(*study.grid.values())
    ]


def check_same(plan: CellPlan, cell: Cell, path: Path) -> None:
    """Raise ConfigError if the cell in a file is not the planned one.

    The message names the first field that differs.
    """
    if cell.fingerprint == plan.fingerprint:
        return
    recorded, planned = _cell_fields(cell), _plan_fields(plan)
    difference = "other questions or an older evaluation"
    for name, value in planned.items():
        if recorded.get(name) != value:
            difference = f"{name} {recorded.get(name)!r}, now it is {value!r}"
            break
    raise ConfigError(
        f"{path}: a cell with {difference}. Change STUDY.yaml or the build back, or "
        "move the file away to train the cell again."
    )


def _cell_fields(cell: Cell) -> dict[str, JsonValue]:
    training = cell.training
    if training is None:
        return {"student": cell.identity}
    spec, rows = training.spec, training.rows
    return _trained_fields(cell.identity, spec, rows, training.config)


def _plan_fields(plan: CellPlan) -> dict[str, JsonValue]:
    identity = plan.model.identity
    if plan.config is None:
        return {"student": identity}
    rows = plan.rows
    return _trained_fields(identity, rows.spec, rows.fingerprint, plan.config)


def _trained_fields(
    identity: str, spec: VariantSpec, row_digest: str, config: TrainConfig
) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {
        "student": identity,
        "spec": spec.ref,
        "row_digest": row_digest,
    }
    return fields | config.model_dump(mode="json")
