"""What the students of a study have in common: precision, and how they compute."""

import pytest

from cotbuild.builder.study.training_settings import kept_precision, study_execution
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.training import Loss, Precision, TrainConfig
from tests.support.studies.cells_made import make_cell, make_study, make_tiers

FULL, LOW = Precision.FLOAT32, Precision.BFLOAT16


def key(seed: int, rows: int = 100) -> CellKey:
    return CellKey(
        variant="post_cot", student="embedded", rows=rows, loss=Loss.PARTS, seed=seed
    )


def cell(seed: int, precision: Precision) -> Cell:
    made = make_cell(key(seed), [True, False])
    assert made.training is not None
    training = made.training.model_copy(update={"precision": precision})
    return made.model_copy(update={"training": training})


UNTRAINED = make_cell(key(0, rows=0), [True, False])


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        ([], None),
        ([UNTRAINED], None),
        ([cell(0, FULL), UNTRAINED], FULL),
        ([cell(1, LOW)], LOW),  # of another seed
        ([cell(0, FULL), cell(1, LOW)], FULL),  # that of the seed
        ([cell(1, FULL), cell(2, LOW)], None),
        ([cell(0, FULL), cell(0, LOW), cell(1, LOW)], None),
    ],
)
def test_a_study_of_version_1_keeps_the_precision_of_its_cells(
    cells: list[Cell], kept: Precision | None
) -> None:
    assert kept_precision(make_study(), key(0), cells) is kept
    assert kept_precision(make_tiers(), key(0), cells) is None


@pytest.mark.parametrize("precision", Precision)
def test_all_students_of_a_study_are_computed_alike(precision: Precision) -> None:
    """Whatever the variant and its rows: of the settings alone, and not measured."""
    configs = [
        TrainConfig(variant=variant, seed=seed, precision=precision)
        for variant in ("label_only", "post_cot")
        for seed in range(2)
    ]
    executions = {study_execution(config).model_dump_json() for config in configs}
    assert len(executions) == 1
    assert not study_execution(configs[0]).measured
