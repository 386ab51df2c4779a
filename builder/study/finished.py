"""The finished cells of a study, by recipe. Pure."""

from cotbuild.schemas.study.declaration import CellKey, Study, TrainingRecipe
from cotbuild.schemas.study.record import Cell, Measurement

FinishedCells = dict[CellKey, Cell]
"""Cells with answers to the test questions."""


def order_recipes(study: Study, finished: FinishedCells) -> list[TrainingRecipe]:
    """Return the recipes of all finished cells, those of the main setting first.

    Then they follow the order of the stages, and those of no stage their names.
    """
    keys = study.all_cells()
    positions: dict[TrainingRecipe, int] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key.recipe, position)

    def order(recipe: TrainingRecipe) -> tuple[bool, int, str]:
        position = positions.get(recipe, len(keys))
        return recipe.setting != study.main, position, recipe.variant

    return sorted(dict.fromkeys(key.recipe for key in finished), key=order)


def cells_of(finished: FinishedCells, recipe: TrainingRecipe) -> list[Cell]:
    """Return the recipe's cells by rising seed."""
    keys = sorted(finished, key=lambda key: key.seed)
    return [finished[key] for key in keys if key.recipe == recipe]


def test_of(cell: Cell) -> Measurement:
    assert cell.test is not None, "only finished cells are compared"
    return cell.test
