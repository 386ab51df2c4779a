"""A study: what was declared, how far its cells are, and what its claims came to."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cotbuild.builder.study.folder import (
    PAGE,
    REPORT,
    STUDY,
    read_cells,
    read_registration,
    read_study,
)
from cotbuild.builder.study.report.write import PICTURE, RESULTS
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.evaluation import Proportion
from cotbuild.schemas.files import read_record
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.study.declaration import CellKey, Study
from cotbuild.schemas.study.record import Cell, StudyRegistration
from cotbuild.schemas.study.results import StudyResults

MAX_REPORT_BYTES: Final = 64 << 20
REPORT_FILES: Final = (
    PAGE,
    RESULTS,
    PICTURE,
    "recipes.csv",
    "seeds.csv",
    "comparisons.csv",
    "claims.csv",
    "variants.csv",
    "classes.csv",
    "confusion.csv",
)
"""The files of a report: the page and what it links to."""


@dataclass(frozen=True)
class CellView:
    """A cell of a study and what is known of it."""

    key: CellKey
    stage: str
    """The first stage that has it."""
    cell: Cell | None
    """None if it was not begun."""

    @property
    def accuracy(self) -> Proportion | None:
        """Accuracy on the test questions; None until evaluated, and for prose."""
        if self.cell is None or self.cell.test is None:
            return None
        return self.cell.test.figures.accuracy

    @property
    def is_finished(self) -> bool:
        """Whether it answered the test questions."""
        return self.cell is not None and self.cell.test is not None


@dataclass(frozen=True)
class StudyView:
    """A study as its folder holds it."""

    study: Study
    """The declaration as of now."""
    registration: StudyRegistration | None
    """None if no cell was begun."""
    cells: tuple[CellView, ...]
    """All cells that the stages declare, in the order in which they run."""
    results: StudyResults | None
    """Of the last report; None if none was written."""
    has_report: bool

    @property
    def num_finished(self) -> int:
        """Cells with answers to the test questions."""
        return sum(cell.is_finished for cell in self.cells)


def view_study(folder: Path) -> StudyView:
    """Read a study; raises ConfigError, DataError."""
    study = read_study(folder / STUDY)
    found = read_cells(folder)
    return StudyView(
        study=study,
        registration=read_registration(folder),
        cells=tuple(_cell_views(study, found)),
        results=_read_results(folder),
        has_report=_is_file(folder / REPORT / PAGE),
    )


def _cell_views(study: Study, found: dict[CellKey, Cell]) -> Iterator[CellView]:
    seen: set[CellKey] = set()
    for stage in study.stages:
        for key in study.cells(stage):
            if key not in seen:
                seen.add(key)
                yield CellView(key, stage.name, found.get(key))


def _read_results(folder: Path) -> StudyResults | None:
    path = folder / REPORT / RESULTS
    if not _is_file(path):
        return None
    return read_record(path, StudyResults, remedy="Write the report again.")


def read_report_file(folder: Path, name: str) -> bytes:
    """Return a file of a study's report; `name` is one of REPORT_FILES.

    Raises NotFoundError if there is none, DataError if it is too large or cannot be
    read.
    """
    path = folder / REPORT / name
    if name not in REPORT_FILES or not _is_file(path):
        raise NotFoundError(
            f"{folder.name}: no file {short_repr(name)} of a report. Run `cotbuild "
            "study` until it writes one."
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_REPORT_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    if len(data) > MAX_REPORT_BYTES:
        raise DataError(
            f"{path}: larger than {MAX_REPORT_BYTES >> 20} MiB. Open it in its folder."
        )
    return data


def _is_file(path: Path) -> bool:
    """Whether a path is a regular file; neither it nor its folder is a link."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()
