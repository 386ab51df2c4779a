"""A cell with answers to other questions than the study's is refused in a line."""

import pytest

from cotbuild.builder.study.check_cells import check_cells
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.record import Cell
from tests.support.studies.cells_made import make_cell, make_record, make_tiers

STUDY = make_tiers()
RECORD = make_record(STUDY, 4)
KEY, SECOND = [key for key in STUDY.all_cells() if key.variant == "post_cot"][:2]


def cell(number: int, rows: str = "0" * 64) -> Cell:
    """A cell with answers to a number of questions."""
    made = make_cell(SECOND, [False] * number)
    assert made.test is not None
    evaluated = made.test.evaluated.model_copy(update={"rows": rows})
    return made.model_copy(
        update={"test": made.test.model_copy(update={"evaluated": evaluated})}
    )


def test_cells_with_answers_to_every_question_are_accepted() -> None:
    check_cells(RECORD, {KEY: make_cell(KEY, [False] * 4), SECOND: cell(4)}, "cells")
    unfinished = cell(3).model_copy(update={"test": None})
    check_cells(RECORD, {SECOND: unfinished}, "cells")


@pytest.mark.parametrize("number", [3, 5])
def test_a_cell_with_more_or_fewer_answers_is_refused(number: int) -> None:
    with pytest.raises(DataError) as caught:
        check_cells(RECORD, {SECOND: cell(number)}, "cells")
    assert str(caught.value) == (
        f"cells/{SECOND.name}.json: holds no answers to the 4 test questions of the "
        "study. Move the file away to run the cell again."
    )
    of_dev = cell(number).model_copy(update={"dev": cell(number).test, "test": None})
    with pytest.raises(DataError, match="4 dev questions"):
        check_cells(RECORD, {SECOND: of_dev}, "cells")


def test_a_cell_of_another_study_is_refused() -> None:
    assert SECOND.variant == KEY.variant
    cells = {KEY: make_cell(KEY, [False] * 4), SECOND: cell(4, "1" * 64)}
    with pytest.raises(DataError, match=r"sensitivity/.*: holds answers to other test"):
        check_cells(RECORD, cells, "sensitivity")
