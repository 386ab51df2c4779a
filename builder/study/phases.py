"""The order in which the cells of version 2 run: look by look, and seed by seed. Pure."""

from typing import NamedTuple

from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.version_2 import StudyV2


class Phase(NamedTuple):
    """Cells after which there is something to report."""

    name: str
    cells: tuple[CellKey, ...]


def study_phases(study: StudyV2, registered: StudyV2) -> list[Phase]:
    """Return a phase for each planned look, then one of all other cells if there are any.

    The cells of a look are those of the main setting with its seeds that no earlier look
    has, seed by seed and each seed's variants in the order of the stages. Setting, looks
    and seeds are those of `registered`, and `study` names the cells.
    """
    main = registered.main
    left = study.all_cells()
    looks, phases = registered.planned_looks, list[Phase]()
    for number, num_seeds in enumerate(looks, start=1):
        seeds = registered.planned_seeds[:num_seeds]
        cells = [key for key in left if key.setting == main and key.seed in seeds]
        cells.sort(key=lambda key: seeds.index(key.seed))
        of_look = set(cells)
        left = [key for key in left if key not in of_look]
        name = f"look {number} of {len(looks)} ({num_seeds} seeds)"
        phases.append(Phase(name, tuple(cells)))
    if left:
        phases.append(Phase("further cells", tuple(left)))
    return phases
