"""Results of the sensitivity stage of version 2. Pure."""

from collections.abc import Callable, Iterator, Mapping

from cotbuild.builder.study.finished import FinishedCells, test_of
from cotbuild.builder.study.measures import Measurements
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.record import Cell, StudyRegistration
from cotbuild.schemas.study.results import RecipeAccuracy, SensitivityResult


def sensitivity_results(
    record: StudyRegistration,
    score: Callable[[Measurements], RecipeAccuracy],
    finished: FinishedCells,
    cells: Mapping[CellKey, Cell],
) -> Iterator[SensitivityResult]:
    """Yield each variant that has cells of the stage, by the primary metric.

    `finished` are the cells with the common settings, `cells` those of the stage.
    """
    for choice in record.sensitivity:
        keys = [
            key
            for key, cell in cells.items()
            if key.variant == choice.variant and cell.test is not None
        ]
        keys.sort(key=lambda key: key.seed)
        if not keys:
            continue
        common = [test_of(finished[key]) for key in keys if key in finished]
        yield SensitivityResult(
            variant=choice.variant,
            settings=choice.settings,
            seeds=tuple(key.seed for key in keys),
            accuracy=score([test_of(cells[key]) for key in keys]),
            common=score(common) if len(common) == len(keys) else None,
        )
