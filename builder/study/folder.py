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

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import (
    append_json_line,
    file_lock,
    read_json_lines,
    read_record,
    read_yaml,
    write_error,
    write_record,
)
from cotbuild.schemas.fingerprint import digest
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
PAGE = "index.html"
"""The page in report/."""
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
    study = parse_study(value, str(path), ConfigError)
    _check_each_once(path, study)
    return study


def _check_each_once(path: Path, study: StudyV1 | StudyV2) -> None:
    """Raise ConfigError if a stage or grid names something twice: it would count twice.

    A registered study is not checked: it runs as it was begun.
    """
    lists: dict[str, Sequence[object]] = {
        f"grid.{name}": values for name, values in study.search_grid.items()
    }
    for stage in study.stages:
        for field in ("variants", "seeds", "rows", "losses", "students"):
            lists[f"stages.{stage.name}.{field}"] = getattr(stage, field)
    for name, values in lists.items():
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ConfigError(f"{path}: {name} has {twice[0]!r} twice. Name it once.")


# -- study.json -------------------------------------------------------------------------


def read_registration(folder: Path) -> StudyRegistration | None:
    """Read study.json; None if no cell was started.

    Raises DataError, also if the declaration in it is not what was registered.
    """
    path = folder / REGISTRATION
    record = read_record(
        path, StudyRegistration, remedy="Restore it from a copy of the study."
    )
    if record is not None and record.digest != declaration_digest(record.study):
        raise DataError(
            f"{path}: `study` is not the declaration that was registered, whose digest is "
            f"{record.digest}. Restore it from a copy of the study."
        )
    return record


def declaration_digest(study: StudyV1 | StudyV2) -> str:
    """Return the digest by which a study is registered.

    Later versions keep it: a field that they add is left out of the text where it has
    its default.
    """
    return digest("study/1", study.model_dump(mode="json"))


def check_declaration(
    folder: Path, record: StudyRegistration, registered: StudyV2
) -> None:
    """Raise ConfigError if the declaration that a process runs by is not the recorded one."""
    if record.digest != declaration_digest(registered):
        raise ConfigError(
            f"{folder}: another process has begun the study with another {STUDY}. Run the "
            "command again."
        )


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
    folder: Path,
    change: Callable[[StudyRegistration], StudyRegistration],
    registered: StudyV2 | None = None,
) -> StudyRegistration:
    """Change study.json while no other process can, and return the new record.

    `registered` is the declaration that this process runs by. Raises ConfigError if
    another process has registered another one since, and as `need_registration` does.
    """
    with lock_registration(folder):
        record = need_registration(folder)
        if registered is not None:
            check_declaration(folder, record, registered)
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
    place = folder / part
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: is not a folder. Restore the cells from a copy.")
    cells = [_read_cell_file(path) for path in sorted(place.glob("*.json"))]
    return {cell.key: cell for cell in cells if cell is not None}


def read_cell(folder: Path, key: CellKey, part: str = CELLS) -> Cell | None:
    """Read one cell; None if it was not begun. Raises DataError."""
    return _read_cell_file(cell_path(folder, key, part))


def _read_cell_file(path: Path) -> Cell | None:
    """Read the file of a cell, which has its name."""
    cell = _read(path, Cell)
    if cell is not None and path.name != f"{cell.key.name}.json":
        raise DataError(
            f"{path}: holds the cell {cell.key.name!r}. Move the file out of "
            f"{path.parent.name}, or give it the name of its cell."
        )
    return cell


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
    path = _trial_path(folder, key, fingerprint)
    trial = _read(path, Cell)
    if trial is None or trial.fingerprint != fingerprint:
        return None
    if trial.key != key:
        raise DataError(
            f"{path}: holds a trial of {trial.key.name!r}. Move the file away to run it "
            "again."
        )
    return trial


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
    with lock_registration(folder):
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
