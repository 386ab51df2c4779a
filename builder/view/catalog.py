"""The catalogue: builds, training runs, evaluations and studies by name.

What a folder is shows in its files. Everything is looked up again at each call, so that
a new folder appears and a deleted one goes, but a file is only read again where its
status changed: 200 folders that did not change are listed in some milliseconds.

No link is followed, neither to a folder nor to the file that says what a folder is.
"""

import re
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import CONFIG, INSTALLING, MANIFEST
from cotbuild.builder.storage.answer_store import ANSWERS
from cotbuild.builder.storage.lock_holder import find_held_inodes, is_store_held
from cotbuild.builder.study.folder import REGISTRATION, STUDY, read_study
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.schemas.errors import CotbuildError, DataError
from cotbuild.schemas.evaluation import EVALUATION_RECORD, Evaluation
from cotbuild.schemas.files import read_record
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record, short_repr
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import StudentRun

RUN = "run.json"
"""Name of the record of a training run."""
MAX_ENTRIES = 10_000
"""Most folders that are listed, in the order of their names."""

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_TARGET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
"""Names of folders under the root of a service, as `schemas.service.job.TargetName`."""
_REMEDY = "Run the command that wrote it again."


class EntryKind(StrEnum):
    """What a folder holds."""

    BUILD = "build"
    RUN = "run"
    EVALUATION = "evaluation"
    STUDY = "study"


class CatalogEntry(Record):
    """A folder of the catalogue, and what a list says about it."""

    name: str = Field(description="Its name in URLs.")
    kind: EntryKind = Field(description="What it holds.")
    folder: Path = Field(exclude=True, repr=False, description="Where it is.")
    title: str = Field(description="What it is called; its name if it says nothing.")
    about: str = Field(description="What it is, in a few words.")
    changed_at: str = Field(
        description="When its record was last written, UTC, ISO 8601."
    )
    is_complete: bool = Field(
        description="Whether it is finished; of a build, whether it has a manifest."
    )
    is_live: bool = Field(
        default=False, description="Whether a run of cotbuild is writing to it now."
    )
    num_rows: int | None = Field(
        default=None,
        description="Rationales of a build, questions of an evaluation, cells of a study, "
        "rows that a run trains on; None if not known.",
    )
    verdicts: dict[str, int] = Field(
        default={}, description="Rationales of a build by verdict; empty for others."
    )
    fault: str | None = Field(
        default=None,
        description="Why it cannot be shown, on one line; None if it can.",
    )


class _FileState(NamedTuple):
    """The status of a file that tells what a folder is."""

    name: str
    is_regular: bool
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class _Facts:
    """What the files of a folder say; it stays as long as they do."""

    kind: EntryKind
    title: str | None
    about: str
    is_complete: bool
    num_rows: int | None = None
    verdicts: dict[str, int] = field(default_factory=dict)
    fault: str | None = None


_MARKERS = (MANIFEST, CONFIG, EVALUATION_RECORD, RUN, REGISTRATION, STUDY)
"""The files that tell what a folder is. The first one decides."""


class Catalog:
    """Finds folders by name: those given, and those in folders given.

    With `is_root`, as for a service, only those in the folders given, by their own
    names: a folder whose name a service could not have given is left out. Otherwise
    names are made plain, and different. It may be used from several threads.
    """

    def __init__(self, folders: Sequence[Path], *, is_root: bool = False) -> None:
        self.folders = tuple(folder.expanduser().absolute() for folder in folders)
        """What it was made of; the database must be allowed to read below these."""
        self._is_root = is_root
        self._facts: dict[Path, tuple[tuple[_FileState, ...], _Facts]] = {}
        self._lock = threading.Lock()

    def entries(self) -> list[CatalogEntry]:
        """Return everything there is, by name."""
        held = find_held_inodes()
        found = []
        for name, folder in self._named_folders():
            entry = self._entry(name, folder, held)
            if entry is not None:
                found.append(entry)
        return sorted(found, key=lambda entry: entry.name)

    def find(self, name: str, kind: EntryKind | None = None) -> CatalogEntry:
        """Return the entry of a name; raises NotFoundError if there is none.

        With a `kind`, one that is something else counts as none.
        """
        for found, folder in self._named_folders():
            if found != name:
                continue
            entry = self._entry(name, folder, find_held_inodes())
            if entry is not None and kind in (None, entry.kind):
                return entry
        what = "build, run, evaluation or study" if kind is None else kind.value
        raise NotFoundError(f"{short_repr(name)}: there is no {what} of this name.")

    def open_build(self, name: str) -> StoredBuild:
        """Open the finished build of a name; raises NotFoundError, DataError."""
        entry = self.find(name, EntryKind.BUILD)
        return open_build(entry.folder)

    # -- folders and their names -------------------------------------------------------

    def _named_folders(self) -> Iterator[tuple[str, Path]]:
        """Yield the folders that may be something, each with its own name."""
        taken: set[str] = set()
        for folder in islice(self._candidates(), MAX_ENTRIES):
            plain_name = folder.name if self._is_root else _url_name(folder)
            name = _free_name(plain_name, taken)
            taken.add(name)
            yield name, folder

    def _candidates(self) -> Iterator[Path]:
        for folder in self.folders:
            if self._is_root:
                subfolders = _subfolders(folder)
                yield from (f for f in subfolders if _TARGET_NAME.fullmatch(f.name))
            elif _is_something(folder):
                yield folder
            else:
                yield from filter(_is_something, _subfolders(folder))

    # -- what a folder is --------------------------------------------------------------

    def _entry(
        self, name: str, folder: Path, held: frozenset[int] | None
    ) -> CatalogEntry | None:
        states = _file_states(folder)
        if not states and not _has_answers(folder):
            return None
        facts = self._read_facts(folder, states)
        changed = max((state.mtime_ns for state in states), default=0)
        is_build = facts.kind is EntryKind.BUILD
        return CatalogEntry(
            name=name,
            kind=facts.kind,
            folder=folder,
            title=facts.title or name,
            about=facts.about,
            changed_at=_time_text(changed or _folder_mtime(folder)),
            is_complete=facts.is_complete,
            is_live=is_build and is_store_held(folder, held),
            num_rows=facts.num_rows,
            verdicts=facts.verdicts,
            fault=facts.fault,
        )

    def _read_facts(self, folder: Path, states: tuple[_FileState, ...]) -> _Facts:
        with self._lock:
            known = self._facts.get(folder)
        if known is not None and known[0] == states:
            return known[1]
        facts = _read_facts(folder, states)
        with self._lock:
            if len(self._facts) >= MAX_ENTRIES:
                self._facts.clear()
            self._facts[folder] = (states, facts)
        return facts


def open_build(folder: Path) -> StoredBuild:
    """Open a finished build whose manifest is a file of its own, not a link.

    Raises DataError if there is none or it cannot be read.
    """
    for state in _file_states(folder):
        if state.name == MANIFEST and not state.is_regular:
            raise DataError(_link_fault(folder, MANIFEST))
    return StoredBuild.open(folder)


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are neither hidden nor links, by name."""
    try:
        children = [child for child in folder.iterdir() if child.name[:1] != "."]
    except OSError:
        return []
    return sorted(child for child in children if _is_folder(child))


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _is_something(folder: Path) -> bool:
    return bool(_file_states(folder)) or _has_answers(folder)


def _has_answers(folder: Path) -> bool:
    return _is_folder(folder / ANSWERS) or _is_folder(folder / INSTALLING)


def _file_states(folder: Path) -> tuple[_FileState, ...]:
    """Return the status of the files that tell what a folder is, without links."""
    states = []
    for name in _MARKERS:
        try:
            status = (folder / name).lstat()
        except (OSError, ValueError):
            continue
        is_regular = stat.S_ISREG(status.st_mode)
        states.append(
            _FileState(
                name, is_regular, status.st_ino, status.st_size, status.st_mtime_ns
            )
        )
    return tuple(states)


def _url_name(folder: Path) -> str:
    """Return the name of a folder as a plain part of a URL."""
    return _NOT_IN_A_NAME.sub("-", folder.name).strip(".-") or "folder"


def _free_name(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number if another folder has it already."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _folder_mtime(folder: Path) -> int:
    try:
        return folder.lstat().st_mtime_ns
    except OSError:
        return 0


def _time_text(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return moment.isoformat(timespec="seconds")


# -- what files say ------------------------------------------------------------------------


def _read_facts(folder: Path, states: tuple[_FileState, ...]) -> _Facts:
    names = [state.name for state in states]
    kind = _kind_of(names)
    links = [state.name for state in states if not state.is_regular]
    try:
        if links:
            raise DataError(_link_fault(folder, links[0]))
        return _READERS[kind](folder)
    except CotbuildError as fault:
        line = " ".join(str(fault).split())
        return _Facts(kind, None, "damaged", is_complete=False, fault=line)


def _link_fault(folder: Path, name: str) -> str:
    return f"{folder / name}: not a regular file. Replace it by the file."


def _kind_of(markers: Sequence[str]) -> EntryKind:
    """Return what a folder with these files is; one with none holds only answers."""
    if not markers or MANIFEST in markers or CONFIG in markers:
        return EntryKind.BUILD
    if EVALUATION_RECORD in markers:
        return EntryKind.EVALUATION
    return EntryKind.RUN if RUN in markers else EntryKind.STUDY


def _read_build(folder: Path) -> _Facts:
    manifest = read_record(folder / MANIFEST, Manifest, remedy=_REMEDY)
    if manifest is None:
        return _Facts(EntryKind.BUILD, None, "not finished", is_complete=False)
    source = manifest.source
    num_variants = len(manifest.variants.variants) if manifest.variants else 0
    plural = "" if num_variants == 1 else "s"
    variants = f", {num_variants} variant{plural}" if num_variants else ""
    return _Facts(
        EntryKind.BUILD,
        manifest.title,
        f"{source.dataset}/{source.split} by {manifest.teacher}{variants}",
        is_complete=True,
        num_rows=manifest.num_planned,
        verdicts=manifest.verdicts,
    )


def _read_run(folder: Path) -> _Facts:
    run = read_record(folder / RUN, StudentRun, remedy=_REMEDY)
    if run is None:
        raise DataError(f"{folder / RUN}: it is gone. {_REMEDY}")
    return _Facts(
        EntryKind.RUN,
        None,
        f"{run.config.student} trained on {run.data.spec.name}",
        is_complete=run.finished,
        num_rows=run.data.num_rows,
    )


def _read_evaluation(folder: Path) -> _Facts:
    record = read_record(folder / EVALUATION_RECORD, Evaluation, remedy=_REMEDY)
    if record is None:
        raise DataError(f"{folder / EVALUATION_RECORD}: it is gone. {_REMEDY}")
    evaluated = record.evaluated
    return _Facts(
        EntryKind.EVALUATION,
        None,
        f"{evaluated.student} on {evaluated.dataset}/{evaluated.split}",
        is_complete=True,
        num_rows=evaluated.num_questions,
    )


def _read_study(folder: Path) -> _Facts:
    study = read_study(folder / STUDY)
    planned = "claims" if isinstance(study, StudyV2) else "planned comparisons"
    return _Facts(
        EntryKind.STUDY,
        study.name,
        f"{study.num_planned} {planned} on {study.source_name}",
        is_complete=True,
    )


_READERS = {
    EntryKind.BUILD: _read_build,
    EntryKind.RUN: _read_run,
    EntryKind.EVALUATION: _read_evaluation,
    EntryKind.STUDY: _read_study,
}
