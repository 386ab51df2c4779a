"""The folder of a study.

STUDY.yaml      what was declared study.json      as it stood before the first cell; the
gate, the grid, and what has changed since cells/          a small file a cell: all that
resume needs, on any machine touches.jsonl   a line each time that a cell began to ask
the test questions report/         index.html and tables, drawn of these files alone
.work/          weights of cells that are not finished; nothing else needs it
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import yaml

from cotbuild.schemas.errors import ConfigError, DataError, StoreError
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.record import Record, check_format
from cotbuild.schemas.study.declaration import CellKey, Study
from cotbuild.schemas.study.record import Cell, StudyRegistration, TestAccess

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
    try:
        check_format(value.get("format_version"), str(path))
    except DataError as error:
        raise ConfigError(str(error)) from error
    return Study.parse(value, str(path), ConfigError)


def read_record(folder: Path) -> StudyRegistration | None:
    """study.json; None: no cell was begun. Raises DataError."""
    path = folder / RECORD
    return _read(path, StudyRegistration) if path.exists() else None


def write_record(folder: Path, record: StudyRegistration) -> None:
    """Write study.json, whole or not at all. Raises StoreError."""
    _write(folder / RECORD, record)


def read_cells(folder: Path) -> dict[CellKey, Cell]:
    """All cells of cells/, finished or not. Raises DataError."""
    cells = (_read(path, Cell) for path in sorted((folder / CELLS).glob("*.json")))
    return {cell.key: cell for cell in cells}


def read_cell(folder: Path, key: CellKey) -> Cell | None:
    """One cell; None: not begun. Raises DataError."""
    path = cell_path(folder, key)
    return _read(path, Cell) if path.exists() else None


def write_cell(folder: Path, cell: Cell) -> None:
    """Write a cell, whole or not at all. Raises StoreError."""
    _write(cell_path(folder, cell.key), cell)


def cell_path(folder: Path, key: CellKey) -> Path:
    """Where a cell's file is."""
    return folder / CELLS / f"{key.name}.json"


def add_touch(folder: Path, cell: Cell) -> None:
    """Record that the cell begins to ask the test questions. Raises StoreError."""
    line = TestAccess(
        cell=cell.key.name, fingerprint=cell.fingerprint, at=now()
    ).model_dump_json()
    path = folder / TOUCHES
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error) from error


def read_touches(folder: Path) -> list[TestAccess]:
    """All of them, in order.

    Raises DataError; a last line that a kill cut off is left out.
    """
    path = folder / TOUCHES
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return []
    try:
        return [
            TestAccess.parse(json.loads(line), f"{path} line {n}")
            for n, line in enumerate(lines, 1)
            if line
        ]
    except ValueError as error:
        raise DataError(f"{path}: {error}. Expected a JSON object a line.") from error


def work_folder(folder: Path) -> Path:
    """`.work`, made where it is missing, out of git's sight. Raises StoreError."""
    work = folder / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        (work / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(work, error) from error
    return work


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path, form: type[R]) -> R:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: {error}. Expected a file of a study. Move it away to make it anew."
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"{path}: holds a {type(value).__name__}. Expected a file of a study. Move it away."
        )
    check_format(value.get("format_version"), str(path))
    return form.parse(value, str(path))


def _write(path: Path, record: Record) -> None:
    try:
        write_text_atomic(
            path, json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n"
        )
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: {error}. Expected room to write the study.")
