"""The folder of a training run.

run.json      what was asked, of which student and rows; `finished` once model/ is whole
metrics.jsonl a line an update loss.png      both parts of the loss over the updates
model/        the trained student in transformers' form; with LoRA its matrices alone,
in peft's checkpoints/  what a run that was cut off goes on from; gone once it is
finished
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import (
    append_json_line,
    read_json_lines,
    read_record,
    write_error,
    write_record,
    write_text_atomic,
)
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.training import StudentRun, UpdateMetrics

if TYPE_CHECKING:
    from cotbuild.student.model import Student

RUN, METRICS, PLOT, MODEL, CHECKPOINTS = (
    "run.json",
    "metrics.jsonl",
    "loss.png",
    "model",
    "checkpoints",
)
WHOLE = "whole"
"""Stands in a checkpoint that was written to its end."""
LIBRARIES = ("cotbuild", "torch", "transformers", "trl", "peft", "accelerate")


def open_run(folder: Path) -> StudentRun:
    """What run.json says, finished or not; raises DataError where there is none or it
    cannot be read.
    """
    run = read_run(folder)
    if run is None:
        raise DataError(
            f"{folder}: no {RUN}. Expected the folder of a training run. See `cotbuild train`."
        )
    return run


def read_run(folder: Path) -> StudentRun | None:
    """As `open_run`; None where there is none."""
    remedy = "Delete the folder, or train into another one."
    return read_record(folder / RUN, StudentRun, remedy=remedy)


def run_identity(run: StudentRun) -> str:
    """Who the trained student is: `trained:` and a digest of what it was trained from,
    on, and how. No path.
    """
    said = run.model_dump(mode="json", include={"config", "student"})
    return f"trained:{digest('student run/1', {**said, 'rows': run.data.fingerprint})}"


def open_finished_run(folder: Path) -> StudentRun:
    """As `open_run`; raises DataError where it is not finished too."""
    run = open_run(folder)
    if not run.finished:
        raise DataError(
            f"{folder}: not trained to its end. Expected a finished run. Run the same command again."
        )
    return run


def load_trained(folder: Path) -> "Student":
    """The student of a finished run, with LoRA on its base.

    Raises DataError where the run is not finished.
    """
    from cotbuild.student.model import (
        load_student,  # here, since torch takes seconds, and a run is read without it
    )

    run = open_finished_run(folder)
    return load_student(folder / MODEL, run_identity(run))


def write_run(folder: Path, run: StudentRun) -> None:
    """Write run.json atomically. Raises StoreError."""
    write_record(folder / RUN, run)


def check_same_run(folder: Path, there: StudentRun, new: StudentRun) -> None:
    """Raise ConfigError where another run stands in the folder, naming the first field
    in which they differ.
    """
    for name in ("config", "student", "data", "layout"):
        fields = _flat(name, getattr(there, name)), _flat(name, getattr(new, name))
        for field, value in fields[1].items():
            if fields[0].get(field) != value:
                raise ConfigError(
                    f"{folder}: holds a run with {field} {short_repr(fields[0].get(field))}, now it is {short_repr(value)}. "
                    "Expected the same to go on with it. Train into another --out, or remove it."
                )


def _flat(name: str, value: Any) -> dict[str, Any]:
    if not hasattr(value, "model_dump"):
        return {name: value}
    return {
        f"{name}.{key}": inner for key, inner in value.model_dump(mode="json").items()
    }


def find_last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole."""
    marks = (folder / CHECKPOINTS).glob(f"checkpoint-*/{WHOLE}")
    return max(
        (mark.parent for mark in marks),
        key=lambda path: int(path.name.rpartition("-")[2]),
        default=None,
    )


def library_versions() -> dict[str, str]:
    """Of cotbuild and the libraries that matter to a run."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            found[name] = "unknown"
    return found


# -- metrics -------------------------------------------------------------------------------------------------------


def read_metrics(folder: Path, upto: int | None = None) -> list[UpdateMetrics]:
    """Read the updates so far, in order; with `upto` only those up to this step.

    Raises DataError if a line other than a torn last one is damaged.
    """
    remedy = "Delete the run's folder and train again."
    path = folder / METRICS
    lines = read_json_lines(path, remedy=remedy)
    try:
        updates = [UpdateMetrics(**value) for value in lines.values]
    except TypeError as error:
        raise DataError(f"{path}: {error}. {remedy}") from error
    return [update for update in updates if upto is None or update.step <= upto]


def write_metrics(folder: Path, updates: list[UpdateMetrics]) -> None:
    """Begin metrics.jsonl with the updates up to the checkpoint that training resumes
    from; later ones are run again. Raises StoreError.
    """
    path = folder / METRICS
    text = "".join(f"{_metrics_line(update)}\n" for update in updates)
    try:
        write_text_atomic(path, text)
    except OSError as error:
        raise write_error(path, error) from error


def append_metrics(folder: Path, update: UpdateMetrics) -> None:
    """Append a line to metrics.jsonl. Raises StoreError."""
    append_json_line(folder / METRICS, _metrics_line(update), fsync=False)


def _metrics_line(update: UpdateMetrics) -> str:
    return json.dumps(update._asdict())


def summarize_metrics(updates: list[UpdateMetrics]) -> dict[str, Any]:
    """What a run came to; losses are means over the last tenth of its updates."""
    last = updates[-max(1, len(updates) // 10) :]
    losses = {
        name: sum(getattr(u, name) for u in last) / len(last)
        for name in ("loss", "label_loss", "rationale_loss")
    }
    tokens, seconds = sum(u.tokens for u in updates), sum(u.seconds for u in updates)
    return {
        "updates": len(updates),
        "tokens": tokens,
        "seconds": round(seconds, 2),
        **losses,
    }
