"""What each cell is: its configuration and its rows, from STUDY.yaml and the build."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from cotbuild.builder.evaluation.models import ResolvedModel, portable_config
from cotbuild.builder.study.evaluation_settings import evaluation_settings
from cotbuild.builder.study.training_rows import TrainingRows
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.study.declaration import UNTRAINED, CellKey
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.study.version_2 import RowsPerSeed, StudyV2
from cotbuild.schemas.training import Layout, TrainConfig, VariantRows
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_rows import VariantRow
from cotbuild.student.evaluation.plan import EVALUATION_VERSION
from cotbuild.student.model import load_tokenizer
from cotbuild.student.tokenize_parts import LabelEnds
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
    labels: frozenset[str] = frozenset()
    """Texts of their labels."""


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
    """Plans the cells of a study."""

    def __init__(
        self,
        study: AnyStudy,
        rows: TrainingRows,
        models: Mapping[str, ResolvedModel],
        test_digest: str,
    ) -> None:
        """`models`: by the names of the students. `test_digest`: of the test questions."""
        self._study = study
        self._training_rows = rows
        self._models = models
        self._test_digest = test_digest
        self._rows: dict[tuple[str, int, int], VariantRowsInfo] = {}
        self._label_ends: dict[tuple[str, str], LabelEnds] = {}

    def plan(self, key: CellKey, settings: Settings) -> CellPlan:
        """Plan a cell with the settings that its recipe chose from the grid.

        Raises ConfigError and DataError if the build lacks what the cell needs.
        """
        model = self._models[key.student]
        rows = self._rows_of(key)
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
            **evaluation_settings(self._study).digest_values(),
        }
        if self._has_merged_ends(model, rows):
            # Cells of versions that counted the next token as a label's end are others.
            inputs["merged_label_ends"] = True
        return CellPlan(key, model, config, rows, digest("cell/1", inputs))

    def _has_merged_ends(self, model: ResolvedModel, rows: VariantRowsInfo) -> bool:
        """Whether the last token of any label reaches past it, and so ends it."""
        after = rows.layout.text_after_label
        if not after:
            return False
        place = model.where, after
        if place not in self._label_ends:
            tokenizer = load_tokenizer(model.where, model.revision)
            self._label_ends[place] = LabelEnds(tokenizer, after)
        return self._label_ends[place].any_merged(rows.labels)

    def training_rows(self, key: CellKey) -> VariantRows:
        """Return the rows that a cell chooses its rationales from."""
        return self._training_rows.of_cell(key, self._num_rationales(key))

    def _num_rationales(self, key: CellKey) -> int:
        """Return how many rationales a cell is trained on.

        An untrained student is planned with the rows of the main setting.
        """
        return key.rows or self._study.main.rows

    def _rows_of(self, key: CellKey) -> VariantRowsInfo:
        """Return the rows of a cell; they must be of the gate variant's rationales."""
        info = self._read_rows(key)
        gate = self._study.gate.variant
        expected = self._read_rows(key.model_copy(update={"variant": gate})).rationales
        if info.rationales != expected:
            raise DataError(
                f"variant {key.variant!r} has other rationales than {gate!r} among its "
                f"first {self._num_rationales(key)}, so more than their form would "
                "differ. Derive both with one `cotbuild variants`, and none that ends "
                "in _all."
            )
        return info

    def _read_rows(self, key: CellKey) -> VariantRowsInfo:
        variant, num_rationales = key.variant, self._num_rationales(key)
        has_own = (
            isinstance(self._study, StudyV2)
            and self._study.rows_per_seed is RowsPerSeed.OWN
        )
        place = variant, num_rationales, key.seed if has_own else 0
        known = self._rows.get(place)
        if known is not None:
            return known
        all_rows = self.training_rows(key)
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
            labels=frozenset(_label_texts(row for rows in chosen for row in rows)),
        )
        self._rows[place] = info
        return info


def _label_texts(rows: Iterable[VariantRow]) -> Iterator[str]:
    for row in rows:
        if row.label_start is not None:
            yield row.completion_text[row.label_start : row.label_end]


def check_answers_alone(spec: VariantSpec) -> None:
    """Raise ConfigError for a variant whose students cannot answer a question alone."""
    if not layout_of(spec).has_label or spec.evaluated.gives_rationale:
        raise ConfigError(
            f"variant {spec.name!r}: its students say no label, or need a rationale in "
            "their prompt, so a study cannot compare them. Leave it out of STUDY.yaml."
        )


def _train_config(study: AnyStudy, key: CellKey, settings: Settings) -> TrainConfig:
    values = {**study.train, **settings, **key.model_dump(mode="json")}
    if isinstance(study, StudyV2) and study.precision is not None:
        values["precision"] = study.precision.training.value
    config = TrainConfig.parse(values, "STUDY.yaml: train", ConfigError)
    return portable_config(
        config.model_copy(update={"lr": resolve_learning_rate(config)})
    )


def grid_points(
    grid: Mapping[str, Sequence[JsonValue]],
) -> list[dict[str, JsonValue]]:
    """Return every point of a grid; of an empty grid, one point without settings."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


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
