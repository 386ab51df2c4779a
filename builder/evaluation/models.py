"""What training, evaluation and attribution need of the builder: which model a name
means, where rows come from.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from cotbuild.builder.build.build import Build
from cotbuild.builder.event_loop import run_async
from cotbuild.builder.release.open import is_release_name, open_target, split_revision
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.identity import model_commit, model_identity
from cotbuild.builder.teachers.model_names import COMMIT, hub_commit
from cotbuild.builder.teachers.vllm.embedded import embedded_model
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import file_lock, read_record, write_record
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
"""Packages that come with cotbuild[student]."""
REMEMBERED = "source.json"


class ResolvedModel(NamedTuple):
    """A model that a name means."""

    where: str
    """A folder, or a Hub id."""
    identity: str
    """Weights by digest or commit; no path."""
    revision: str | None
    """The commit, of a Hub id."""


def find_model(
    name: str, revision: str | None, say: Callable[[str], None]
) -> ResolvedModel:
    """The model that `embedded`, a folder or a Hub id means; the embedded one is made
    where this is its first time.

    Raises ConfigError where there is no such model, TeacherError where the Hub cannot
    be reached.
    """

    def commit() -> str:
        stated = revision or "main"
        return (
            stated
            if COMMIT.fullmatch(stated)
            else model_commit(name, stated, "student")
        )

    identity = model_identity(name, commit, "student")
    if identity.startswith("embedded:"):
        log = cache_dir() / "convert.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        return ResolvedModel(str(run_async(embedded_model(log, say))), identity, None)
    if identity.startswith("local:"):
        return ResolvedModel(str(Path(name).expanduser()), identity, None)
    return ResolvedModel(name, identity, hub_commit(identity))


def open_build(source: str, ui: Ui) -> Build:
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
            f"{source!r}: no such folder. Expected the folder of a build or of a release."
        )
    return Build.open(folder)


def _fetched(release: str, ui: Ui) -> Build:
    from cotbuild.builder.release.fetch import fetch_release

    name, revision = split_revision(release)
    target = open_target(name, ui.say)
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


def remember_source(run: Path, source: str) -> None:
    """So that attribution need not be told again; a folder by its whole path.

    Raises StoreError.
    """
    told = (
        source if is_release_name(source) else str(Path(source).expanduser().resolve())
    )
    write_record(run / REMEMBERED, RunSource(source=told))


def remembered_source(run: Path) -> str:
    """Raises ConfigError where the run does not say."""
    remedy = "Delete the file and pass the build with --source."
    recorded = read_record(run / REMEMBERED, RunSource, remedy=remedy, error=StoreError)
    if recorded is None or recorded.source is None:
        raise ConfigError(
            f"{run}: no record of the build it was trained on. Pass the build with --source."
        )
    return recorded.source


def portable_config(config: TrainConfig) -> TrainConfig:
    """As run.json has it: a folder by its name alone, since its path says nothing
    elsewhere.
    """
    folder = Path(config.student).expanduser()
    return (
        config.model_copy(update={"student": folder.resolve().name})
        if folder.is_dir()
        else config
    )


@contextmanager
def student_packages() -> Iterator[None]:
    """Around the import of cotbuild.student: one line where its packages are not
    installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        raise ConfigError(
            f"students need {package!r}, which is not installed. Expected the packages for students. "
            "pip install 'cotbuild[student]'."
        ) from error


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Hold the folder of a run.

    Raises StoreError where another command trains into it, or it cannot be made.
    """
    if not is_main_process():
        yield
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{out}: {error}. Expected a folder that can be written."
        ) from error
    with file_lock(out / ".lock", wait=False) as ours:
        if not ours:
            raise StoreError(
                f"{out}: another cotbuild is at work here. Expected one at a time. Wait, or take another."
            )
        yield


def is_main_process() -> bool:
    """Whether this one speaks: of the processes that `accelerate launch` starts, the
    first.
    """
    return os.environ.get("RANK", "0") == "0"
