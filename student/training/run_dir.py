"""The folder of a training run.

run.json       what is trained on what, and how; `finished` once model/ is complete
metrics.jsonl  a line per update
loss.png       both parts of the loss over the updates
base.json      of a LoRA run: the folder of its base model on this machine
model/         the trained student as transformers saves it; LoRA matrices as peft does
checkpoints/   what an interrupted run resumes from; deleted once it is finished
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import Record, short_repr
from cotbuild.schemas.training import Precision, StudentRun

if TYPE_CHECKING:
    from cotbuild.student.model import Student

RUN, MODEL, CHECKPOINTS = "run.json", "model", "checkpoints"

CHECKPOINT_COMPLETE = "whole"
"""Name of the empty file that marks a checkpoint as complete; written last."""

MEASURED_OF_ROWS = {
    "label_tokens",
    "rationale_tokens",
    "multiline_labels",
    "merged_label_ends",
}
"""What a run records about its rows and what follows from them. Runs that are older than
these fields are resumed and evaluated without them.
"""

LIBRARIES = (
    "cotbuild",
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "tokenizers",
)


# -- run.json ----------------------------------------------------------------------------


def read_run(
    folder: Path, *, remedy: str = "Delete the folder, or train into another one."
) -> StudentRun | None:
    """Read run.json, or return None if there is none.

    Raises DataError, with `remedy`, if it is damaged.
    """
    return read_record(folder / RUN, StudentRun, remedy=remedy)


def refuse_other_content(folder: Path) -> None:
    """Raise ConfigError if a folder without a run has a model or checkpoints.

    They are a user's own, and a run replaces and deletes what has these names.
    """
    for name in (MODEL, CHECKPOINTS):
        if (folder / name).exists():
            raise ConfigError(
                f"{folder}: holds {name!r} and is no training run, which would replace "
                "it. Choose a new or empty folder."
            )


def open_run(folder: Path) -> StudentRun:
    """Read run.json of a run, finished or not.

    Raises DataError if there is none or it cannot be read.
    """
    run = read_run(folder)
    if run is None:
        raise DataError(
            f"{folder}: no {RUN}, so this is not a training run. "
            "Pass the folder that `cotbuild train --out` wrote."
        )
    return run


def open_finished_run(folder: Path) -> StudentRun:
    """Read run.json as `open_run` does; raises DataError if training has not finished."""
    run = open_run(folder)
    if not run.finished:
        raise DataError(
            f"{folder}: training has not finished. "
            "Run the same `cotbuild train` command again to resume it."
        )
    return run


def write_run(folder: Path, run: StudentRun) -> None:
    """Write run.json atomically. Raises StoreError."""
    write_record(folder / RUN, run)


def run_identity(run: StudentRun) -> str:
    """Return the identity of the trained student.

    It is `trained:` and a digest of the base model, the rows and the configuration; no
    path is part of it.
    """
    values = run.model_dump(mode="json", include={"config", "student"})
    values["rows"] = run.data.fingerprint
    return f"trained:{digest('student run/1', values)}"


def check_same_run(folder: Path, existing: StudentRun, new: StudentRun) -> None:
    """Raise ConfigError if the run in a folder differs from the one to resume.

    The message names the first field in which they differ.
    """
    old_fields, new_fields = _deciding_fields(existing), _deciding_fields(new)
    for field, value in new_fields.items():
        old_value = old_fields.get(field)
        if old_value != value:
            raise ConfigError(
                f"{folder}: holds a run with {field} {short_repr(old_value)}, now it "
                f"is {short_repr(value)}. Train into another --out, or delete the run."
            )


def check_same_rules(folder: Path, run: StudentRun, empty_updates: int) -> None:
    """Raise ConfigError if an older run with these rows would be resumed by other rules.

    Versions that recorded no execution supervised the token after a label also where the
    label's last token reaches past the label, and stepped the optimiser in updates
    without rows.
    """
    reason = None
    if run.data.merged_label_ends:
        reason = "supervised another end of some labels"
    elif empty_updates:
        reason = "stepped the optimiser in updates without rows"
    if reason is not None:
        raise ConfigError(
            f"{folder}: holds an unfinished run of an older version, which {reason}. "
            "Train into another --out, or delete the run."
        )


def _deciding_fields(run: StudentRun) -> dict[str, Any]:
    """Return the fields that decide a run's result, as `config.lr`.

    They are the same ones for every run, also where run.json leaves out a default.
    """
    return {
        **_fields_of("config", run.config),
        "student": run.student,
        **_fields_of("data", run.data),
        **_fields_of("layout", run.layout),
    }


def _fields_of(name: str, record: Record) -> dict[str, Any]:
    written = record.model_dump(mode="json")
    return {
        f"{name}.{key}": written.get(key, getattr(record, key))
        for key in type(record).model_fields
        if key not in MEASURED_OF_ROWS
    }


def library_versions() -> dict[str, str]:
    """Return the versions of cotbuild and of the libraries that affect training."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            versions[name] = "unknown"
    return versions


# -- models ------------------------------------------------------------------------------


def load_trained(folder: Path, precision: Precision | None = None) -> "Student":
    """Load the student of a finished run to evaluate or attribute it.

    `precision` None is float32, as trained. LoRA matrices are put on the base model
    that run.json names. See `load_for_inference` for the device. Raises DataError if
    the run has not finished, ConfigError if the model cannot be loaded, or its base is
    gone or has changed.
    """
    # Imported here: torch takes seconds, and a run is read without it.
    from cotbuild.student.model import load_for_inference
    from cotbuild.student.training.lora_base import find_base

    run = open_finished_run(folder)
    identity, precision = run_identity(run), precision or Precision.FLOAT32
    model = folder / MODEL
    if run.config.lora_rank is None:
        return load_for_inference(model, identity, precision=precision)
    base, revision = find_base(folder, run, model)
    return load_for_inference(
        base, identity, revision=revision, precision=precision, adapter=model
    )


def find_last_checkpoint(folder: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, or None."""
    marks = (folder / CHECKPOINTS).glob(f"checkpoint-*/{CHECKPOINT_COMPLETE}")
    return max((mark.parent for mark in marks), key=checkpoint_step, default=None)


def checkpoint_step(checkpoint: Path) -> int:
    """Return the number of updates done at a checkpoint."""
    return int(checkpoint.name.rpartition("-")[2])
