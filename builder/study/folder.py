"""The folder of a study.

STUDY.yaml      what was declared study.json      as it stood before the first cell; the
gate, the grid, and what has changed since cells/          a small file a cell: all that
resume needs, on any machine touches.jsonl   a line each time that a cell began to ask
the test questions report/         index.html and tables, drawn of these files alone
.work/          weights of cells that are not finished; nothing else needs it
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import yaml

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import (
    append_json_line,
    read_json_lines,
    read_record,
    write_error,
    write_record,
)
from cotbuild.schemas.record import Record, check_format
from cotbuild.schemas.study.declaration import CellKey, Study
from cotbuild.schemas.study.record import Cell, QuestionAccess, StudyRegistration

STUDY, RECORD, TOUCHES, CELLS, REPORT, WORK = (
    "STUDY.yaml",
    "study.json",
    "touches.jsonl",
    "cells",
    "report",
    ".work",
)
R = TypeVar("R", bound=Record)


def read_study(path: Path) -> Study:
    """What STUDY.yaml declares. Raises ConfigError."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{path}: not YAML: {' '.join(str(error).split())}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: {error}. Expected a study. `cotbuild study init SOURCE` writes one."
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(
            f"{path}: holds a {type(value).__name__}. Expected a study. See `cotbuild study init`."
        )
    check_format(value.get("format_version"), str(path), ConfigError)
    return Study.parse(value, str(path), ConfigError)


def read_registration(folder: Path) -> StudyRegistration | None:
    """study.json; None: no cell was begun. Raises DataError."""
    return _read(folder / RECORD, StudyRegistration)


def write_registration(folder: Path, record: StudyRegistration) -> None:
    """Write study.json, whole or not at all. Raises StoreError."""
    write_record(folder / RECORD, record, indent=None)


def read_cells(folder: Path) -> dict[CellKey, Cell]:
    """All cells of cells/, finished or not. Raises DataError."""
    paths = sorted((folder / CELLS).glob("*.json"))
    cells = [_read(path, Cell) for path in paths]
    return {cell.key: cell for cell in cells if cell is not None}


def read_cell(folder: Path, key: CellKey) -> Cell | None:
    """One cell; None: not begun. Raises DataError."""
    return _read(cell_path(folder, key), Cell)


def write_cell(folder: Path, cell: Cell) -> None:
    """Write a cell, whole or not at all. Raises StoreError."""
    write_record(cell_path(folder, cell.key), cell, indent=None)


def cell_path(folder: Path, key: CellKey) -> Path:
    """Where a cell's file is."""
    return folder / CELLS / f"{key.name}.json"


def add_touch(folder: Path, cell: Cell) -> None:
    """Record that a cell is about to read the test questions. Raises StoreError."""
    touch = QuestionAccess(cell=cell.key.name, fingerprint=cell.fingerprint, at=now())
    append_json_line(folder / TOUCHES, touch.model_dump_json(), fsync=True)


def read_touches(folder: Path) -> list[QuestionAccess]:
    """Read every access to the test questions, in order.

    A torn last line, as a kill leaves it, is left out. Raises DataError.
    """
    path = folder / TOUCHES
    lines = read_json_lines(path, remedy="Restore it from a copy of the study.")
    return [
        QuestionAccess.parse(value, f"{path} record {number}")
        for number, value in enumerate(lines.values, start=1)
    ]


def work_folder(folder: Path) -> Path:
    """`.work`, made where it is missing, out of git's sight. Raises StoreError."""
    work = folder / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        (work / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise write_error(work, error) from error
    return work


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path, model: type[R]) -> R | None:
    return read_record(path, model, remedy="Move the file away to run it again.")
