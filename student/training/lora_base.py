"""The base model of a LoRA run: where it is, and whether it is the one trained on.

model/ of such a run holds LoRA matrices alone, which mean nothing on other weights. If
the base is a Hub model, run.json has its name and commit. If it is a folder, as the
embedded model is too, base.json of the run says where it is on this machine.
"""

import json
from pathlib import Path

from pydantic import Field

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import read_record, write_record, write_text_atomic
from cotbuild.schemas.model_folder import model_folder_digest
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.training import StudentRun
from cotbuild.student.model import ADAPTER_CONFIG

BASE = "base.json"
"""File in the folder of a LoRA run whose base is a folder."""


class RunBase(Record):
    """base.json in the folder of a LoRA run: where its base is, on this machine."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    folder: str = Field(min_length=1, description="Folder of the base model.")


def record_base(run_folder: Path, run: StudentRun, source: str) -> None:
    """Record where the base model of a LoRA run is, unless it is on the Hub.

    Raises StoreError.
    """
    if _hub_model(run.student) is None:
        write_record(run_folder / BASE, RunBase(folder=str(Path(source).resolve())))


def name_base_portably(adapter: Path, identity: str) -> None:
    """Name the base model in adapter_config.json without a path of this machine.

    It is a Hub id with its commit, which peft loads, or else the identity of the base.
    Raises OSError.
    """
    path = adapter / ADAPTER_CONFIG
    values = json.loads(path.read_text(encoding="utf-8"))
    name, commit = _hub_model(identity) or (identity, None)
    values |= {"base_model_name_or_path": name, "revision": commit}
    write_text_atomic(path, json.dumps(values, indent=2, sort_keys=True) + "\n")


def find_base(
    run_folder: Path, run: StudentRun, adapter: Path
) -> tuple[str, str | None]:
    """Return the base model of a LoRA run: a folder, or a Hub id with its commit.

    `adapter` is the folder of the LoRA matrices, whose adapter_config.json names the
    folder of runs that are older than base.json. Raises ConfigError if the folder is
    gone or its files are not those trained on. The embedded model's are not compared:
    its folder in the cache has a digest in its name.
    """
    on_hub = _hub_model(run.student)
    if on_hub is not None:
        return on_hub
    sample = json.dumps({"format_version": FORMAT_VERSION, "folder": "FOLDER"})
    remedy = f"Put the model back, or write its FOLDER to {run_folder / BASE}: {sample}"
    folder = _recorded_folder(run_folder, adapter, remedy)
    if not folder.is_dir():
        raise ConfigError(
            f"{run_folder}: the base model of this LoRA run is not in {str(folder)!r} "
            f"any more. {remedy}"
        )
    kind, _, trained_on = run.student.partition(":")
    if kind == "local" and model_folder_digest(folder) != trained_on:
        raise ConfigError(
            f"{run_folder}: the base model of this LoRA run, {str(folder)!r}, has "
            f"changed: it is not {run.student[:24]!r}. {remedy}"
        )
    return str(folder), None


def _hub_model(identity: str) -> tuple[str, str] | None:
    """Return id and commit of the Hub model `hub:ID@COMMIT`; None for another one."""
    kind, _, rest = identity.partition(":")
    name, _, commit = rest.rpartition("@")
    return (name, commit) if kind == "hub" else None


def _recorded_folder(run_folder: Path, adapter: Path, remedy: str) -> Path:
    recorded = read_record(run_folder / BASE, RunBase, remedy=remedy, error=ConfigError)
    if recorded is not None:
        return Path(recorded.folder).expanduser()
    values = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    return Path(values["base_model_name_or_path"])
