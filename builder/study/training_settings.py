"""What the trainings of a study have in common: their precision and how they compute.

A difference between two variants of a seed must not come from how their students were
computed. Pure but for the machine's units.
"""

from collections.abc import Iterable

from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.training import Execution, Precision, TrainConfig
from cotbuild.student.precision import resolve_precision
from cotbuild.student.training.execution import default_execution


def kept_precision(
    study: AnyStudy, key: CellKey, cells: Iterable[Cell]
) -> Precision | None:
    """Return the precision that a cell's student is trained in as others were.

    A study of version 1 need not declare one, and then it is that of the machine, which
    another machine or version of cotbuild decides otherwise. It is kept from the cells
    of the same seed, else from all. None if there are none or they differ, and in
    version 2, where machines of one kind run all cells of a seed.
    """
    if not isinstance(study, StudyV1):
        return None
    trained = [cell for cell in cells if cell.training is not None]
    of_seed = [cell for cell in trained if cell.key.seed == key.seed]
    precisions = _precisions(of_seed) or _precisions(trained)
    return precisions.pop() if len(precisions) == 1 else None


def _precisions(cells: Iterable[Cell]) -> set[Precision]:
    return {cell.training.precision for cell in cells if cell.training is not None}


def study_execution(config: TrainConfig) -> Execution:
    """Return how a student of a study computes its updates.

    Nothing is measured, and the longest row is taken to have `max_tokens`: what is best
    for the rows of one variant would be another kernel than that of the next.
    """
    return default_execution(resolve_precision(config), config.max_tokens)
