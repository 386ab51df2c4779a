"""Models, builds and run folders, as training, evaluation and attribution need them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.event_loop import run_async
from cotbuild.builder.packages import needed_packages
from cotbuild.builder.release.open import is_release_name, open_release
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.identity import model_identity, resolve_model_commit
from cotbuild.builder.teachers.model_names import COMMIT, hub_commit
from cotbuild.builder.teachers.vllm.embedded import embedded_model
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import file_lock, read_record, write_error, write_record
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.training import TrainConfig

EXTRA = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "captum",
    "scipy",
    "jinja2",
    "markupsafe",
)
"""Packages that come with the extra `student`."""

RUN_SOURCE = "source.json"
"""File in the folder of a run that records the build it was trained on."""


class ResolvedModel(NamedTuple):
    """The model that a name stands for."""

    where: str
    """A folder, or a Hub id."""
    identity: str
    """Digest or commit of the weights, without a path."""
    revision: str | None
    """The commit of a Hub id; None for a folder."""


def find_model(
    name: str, revision: str | None, say: Callable[[str], None]
) -> ResolvedModel:
    """Resolve `embedded`, a folder or a Hub id to a model.

    The embedded model is converted on first use. Raises ConfigError if there is no such
    model, TeacherError if the Hub cannot be reached.
    """

    def commit() -> str:
        stated = revision or "main"
        if COMMIT.fullmatch(stated):
            return stated
        return resolve_model_commit(name, stated, "student")

    identity = model_identity(name, commit, "student")
    if identity.startswith("embedded:"):
        log = cache_dir() / "convert.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return ResolvedModel(str(run_async(embedded_model(log, say))), identity, None)
    if identity.startswith("local:"):
        return ResolvedModel(str(Path(name).expanduser()), identity, None)
    return ResolvedModel(name, identity, hub_commit(identity))


def open_build(source: str, ui: Ui) -> StoredBuild:
    """Open the build in a folder, or a release (ORG/NAME@TAG), downloaded to the cache.

    A release that the cache holds completely is not downloaded again. Raises
    ConfigError if there is no such folder, DataError if it holds no finished build,
    PublishError if there is no such release.
    """
    if is_release_name(source):
        return _fetched(source, ui)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"{source!r}: no such folder. Pass the folder of a build, or a release as ORG/NAME@TAG."
        )
    return StoredBuild.open(folder)


def _fetched(release: str, ui: Ui) -> StoredBuild:
    from cotbuild.builder.release.fetch import fetch_release

    target, revision = open_release(release, ui.say)
    commit = target.read_state(revision).commit
    folder = cache_dir() / "releases" / digest("release", [target.name, commit])[:16]
    with ui.counting("bytes") as progress:
        _, build = fetch_release(target, commit or revision, folder, progress)
    return build


class RunSource(Record):
    """source.json in the folder of a run: where its rows came from, on this machine."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    source: str | None = Field(
        default=None, description="Folder of a build, or ORG/NAME@TAG; None: not known."
    )


def record_run_source(run: Path, source: str) -> None:
    """Record the build that a run was trained on, a folder by its absolute path.

    Later commands need no --source then. Raises StoreError.
    """
    if not is_release_name(source):
        source = str(Path(source).expanduser().resolve())
    write_record(run / RUN_SOURCE, RunSource(source=source))


def read_run_source(run: Path) -> str:
    """Return the build that a run was trained on.

    Raises ConfigError if the run does not record it.
    """
    remedy = "Delete the file and pass the build with --source."
    recorded = read_record(run / RUN_SOURCE, RunSource, remedy=remedy, error=StoreError)
    if recorded is None or recorded.source is None:
        raise ConfigError(
            f"{run}: no record of the build it was trained on. Pass the build with --source."
        )
    return recorded.source


def portable_config(config: TrainConfig) -> TrainConfig:
    """Return the configuration as run.json records it.

    A student's folder goes by its name alone, since its path means nothing on another
    machine.
    """
    folder = Path(config.student).expanduser()
    if not folder.is_dir():
        return config
    return config.model_copy(update={"student": folder.resolve().name})


@contextmanager
def student_packages() -> Iterator[None]:
    """Raise ConfigError if an import of cotbuild.student inside lacks a package."""
    with needed_packages("student", EXTRA, "students need"):
        yield


@contextmanager
def lock_run_folder(out: Path) -> Iterator[None]:
    """Create and lock the folder of a run.

    Raises StoreError if another process trains into it, or it cannot be created.
    """
    if not is_main_process():
        yield
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(out, error) from error
    with file_lock(out / ".lock", wait=False) as is_locked:
        if not is_locked:
            raise StoreError(
                f"{out}: another cotbuild process is training here. Wait for it to "
                "finish, or pass another --out."
            )
        yield


def is_main_process() -> bool:
    """Return whether this is the first process that `accelerate launch` started."""
    return os.environ.get("RANK", "0") == "0"
