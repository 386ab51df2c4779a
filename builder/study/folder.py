"""The folder of a study.

- STUDY.yaml: what was declared.
- study.json: the declaration as of the first cell, the gate, the grid, the build's
  figures of the variants, and what has changed since.
- cells/: a small file for each cell, enough to resume the study on any machine.
- trials/: a small file for each trial of hyperparameters on dev, of version 2.
- sensitivity/: the cells of that stage of version 2, like those of cells/.
- touches.jsonl: a line each time a cell began to evaluate the test questions.
- report/: index.html and tables, made from the files above alone.
- .work/: weights of unfinished cells, and locks; nothing else needs it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import (
    append_json_line,
    file_lock,
    read_json_lines,
    read_record,
    read_yaml,
    write_error,
    write_record,
)
from cotbuild.schemas.record import Record, check_format
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.parse import NEWEST_STUDY_VERSION, parse_study
from cotbuild.schemas.study.record import Cell, QuestionAccess, StudyRegistration
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2

STUDY = "STUDY.yaml"
REGISTRATION = "study.json"
CELLS = "cells"
SENSITIVITY = "sensitivity"
TRIALS = "trials"
TOUCHES = "touches.jsonl"
REPORT = "report"
WORK = ".work"

R = TypeVar("R", bound=Record)


def read_study(path: Path) -> StudyV1 | StudyV2:
    """Read STUDY.yaml. Raises ConfigError if it is missing or not a study."""
    value = read_yaml(path, remedy="Write a study with `cotbuild study init SOURCE`.")
    if not isinstance(value, dict):
        raise ConfigError(
            f"{path}: holds a {type(value).__name__}, not a study. See `cotbuild study "
            "init`."
        )
    version = value.get("format_version")
    check_format(version, str(path), ConfigError, newest=NEWEST_STUDY_VERSION)
    return parse_study(value, str(path), ConfigError)


# -- study.json -------------------------------------------------------------------------


def read_registration(folder: Path) -> StudyRegistration | None:
    """Read study.json; None if no cell was started. Raises DataError."""
    return _read(folder / REGISTRATION, StudyRegistration)


def need_registration(folder: Path) -> StudyRegistration:
    """Read study.json. Raises ConfigError if no cell was started, DataError."""
    record = read_registration(folder)
    if record is None:
        raise ConfigError(
            f"{folder}: no cell was started. Run "
            f"`cotbuild study {shell_quote(folder / STUDY)}` first."
        )
    return record


def write_registration(folder: Path, record: StudyRegistration) -> None:
    """Write study.json atomically. Raises StoreError."""
    write_record(folder / REGISTRATION, record, indent=None)


def update_registration(
    folder: Path, change: Callable[[StudyRegistration], StudyRegistration]
) -> StudyRegistration:
    """Change study.json while no other process can, and return the new record.

    Raises as `need_registration` does.
    """
    with lock_registration(folder):
        record = need_registration(folder)
        changed = change(record)
        if changed != record:
            write_registration(folder, changed)
        return changed


def has_begun(folder: Path) -> bool:
    """Whether a cell was begun, from when on the registered declaration is fixed."""
    has_cells = any((folder / CELLS).glob("*.json"))
    return has_cells or bool(read_question_accesses(folder))


@contextmanager
def lock_registration(folder: Path) -> Iterator[None]:
    """Wait for the lock on study.json and hold it."""
    with file_lock(work_folder(folder) / "record.lock", wait=True):
        yield


# -- cells ------------------------------------------------------------------------------


def read_cells(folder: Path, part: str = CELLS) -> dict[CellKey, Cell]:
    """Read all cells of cells/ or sensitivity/, finished or not. Raises DataError."""
    paths = sorted((folder / part).glob("*.json"))
    cells = [_read(path, Cell) for path in paths]
    return {cell.key: cell for cell in cells if cell is not None}


def read_cell(folder: Path, key: CellKey, part: str = CELLS) -> Cell | None:
    """Read one cell; None if it was not begun. Raises DataError."""
    return _read(cell_path(folder, key, part), Cell)


def write_cell(folder: Path, cell: Cell, part: str = CELLS) -> None:
    """Write a cell atomically. Raises StoreError."""
    write_record(cell_path(folder, cell.key, part), cell, indent=None)


def cell_path(folder: Path, key: CellKey, part: str = CELLS) -> Path:
    """Return the path of a cell's file; `part` is the folder that it is in."""
    return folder / part / f"{key.name}.json"


# -- trials of hyperparameters -----------------------------------------------------------


def read_trial(folder: Path, key: CellKey, fingerprint: str) -> Cell | None:
    """Read one trial; None if it was not finished. Raises DataError.

    `fingerprint` is that of the trial: of its student and of the dev questions.
    """
    trial = _read(_trial_path(folder, key, fingerprint), Cell)
    return trial if trial is not None and trial.fingerprint == fingerprint else None


def write_trial(folder: Path, trial: Cell) -> None:
    """Write a trial atomically. Raises StoreError."""
    path = _trial_path(folder, trial.key, trial.fingerprint)
    write_record(path, trial, indent=None)


def _trial_path(folder: Path, key: CellKey, fingerprint: str) -> Path:
    """Return the path of a trial, which settings and dev questions tell from others."""
    return folder / TRIALS / f"{key.name}.{fingerprint[:12]}.json"


# -- accesses to the test questions -----------------------------------------------------


def log_question_access(folder: Path, cell: Cell, part: str = CELLS) -> None:
    """Record that a cell is about to evaluate the test questions. Raises StoreError.

    One of another folder than cells/ has that in its name.
    """
    name = cell.key.name if part == CELLS else f"{part}/{cell.key.name}"
    access = QuestionAccess(cell=name, fingerprint=cell.fingerprint, at=now())
    append_json_line(folder / TOUCHES, access.model_dump_json(), fsync=True)


def read_question_accesses(folder: Path) -> list[QuestionAccess]:
    """Read every access to the test questions, in order.

    A torn last line, as a kill leaves it, is left out. Raises DataError.
    """
    path = folder / TOUCHES
    lines = read_json_lines(path, remedy="Restore it from a copy of the study.")
    return [
        QuestionAccess.parse(value, f"{path} record {number}")
        for number, value in enumerate(lines.values, start=1)
    ]


# -- everything else --------------------------------------------------------------------


def work_folder(folder: Path) -> Path:
    """Return `.work`, which is created if missing and ignored by git.

    Raises StoreError.
    """
    work = folder / WORK
    try:
        work.mkdir(parents=True, exist_ok=True)
        (work / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise write_error(work, error) from error
    return work


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path, model: type[R]) -> R | None:
    return read_record(path, model, remedy="Move the file away to run it again.")
