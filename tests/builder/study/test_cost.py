"""What a study takes, by its finished cells."""

import pytest

from cotbuild.builder.study.cost import recorded_cost
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.record import Cell, Measurement
from cotbuild.schemas.training import Loss
from tests.support.studies.cells_made import make_cell, make_measured


def measured(seconds: float, num_questions: int) -> Measurement:
    """Return an evaluation that took so long."""
    one = make_measured([True, False] * (num_questions // 2), "post_cot")
    figures = one.figures.model_copy(update={"seconds": seconds})
    return one.model_copy(update={"figures": figures})


def finished(seed: int, training: float, testing: float, dev: float | None) -> Cell:
    """Return a cell with 40 test questions and, unless None, 10 dev questions."""
    key = CellKey(
        variant="post_cot", student="embedded", rows=8, loss=Loss.PARTS, seed=seed
    )
    cell = make_cell(key, [True, False] * 20)
    assert cell.training is not None
    update = {
        "training": cell.training.model_copy(update={"seconds": training}),
        "test": measured(testing, 40),
        "dev": None if dev is None else measured(dev, 10),
    }
    return cell.model_copy(update=update)


def test_a_recipe_takes_what_half_of_its_finished_cells_took_at_most() -> None:
    cells = [
        finished(0, training=60.0, testing=100.0, dev=20.0),
        finished(1, training=70.0, testing=120.0, dev=30.0),
        finished(2, training=900.0, testing=110.0, dev=25.0),
    ]
    assert recorded_cost(cells, num_dev=10) == (70.0, 110.0, 25.0)


def test_dev_questions_that_no_cell_answered_take_as_long_as_test_questions() -> None:
    cell = finished(0, training=60.0, testing=100.0, dev=None)
    assert recorded_cost([cell], num_dev=20) == (60.0, 100.0, 50.0)


@pytest.mark.parametrize("missing", ["test", "training"])
def test_cells_that_are_not_finished_tell_nothing(missing: str) -> None:
    cell = finished(0, training=60.0, testing=100.0, dev=20.0)
    unfinished = cell.model_copy(update={missing: None})
    assert recorded_cost([unfinished], num_dev=10) is None
    assert recorded_cost([], num_dev=10) is None
