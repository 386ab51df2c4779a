"""What was fixed before the first cell, and what has changed since."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cotbuild.builder.study.evaluate import QuestionSplit
from cotbuild.builder.study.folder import (
    now,
    read_cells,
    read_registration,
    read_touches,
    work_folder,
    write_registration,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import file_lock
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.study.declaration import Study
from cotbuild.schemas.study.record import (
    DeclarationChange,
    QuestionSet,
    StudyRegistration,
)


def register(
    folder: Path, study: Study, dev: QuestionSplit, test: QuestionSplit
) -> StudyRegistration:
    """See that study.json holds what STUDY.yaml declared before the first cell, and
    every change since.

    Raises ConfigError where the questions are other ones than then.
    """
    with file_lock(work_folder(folder) / "record.lock", wait=True):
        there = read_registration(folder)
        cells = len(read_cells(folder))
        fresh = registered(study, dev.told, test.told, now())
        if there is None or not (
            cells or read_touches(folder) or there.digest == fresh.digest
        ):
            new = fresh
        else:
            _check_questions(folder, there, dev, test)
            new = there.model_copy(
                update={
                    "changes": (*there.changes, *changes(there, study, now(), cells))
                }
            )
        if new != there:
            write_registration(folder, new)
        return new


def registered(
    study: Study, dev: QuestionSet, test: QuestionSet, at: str
) -> StudyRegistration:
    """A study as it stands before its first cell."""
    return StudyRegistration(
        digest=digest("study/1", study.model_dump(mode="json")),
        at=at,
        study=study,
        dev=dev,
        test=test,
    )


def changes(
    record: StudyRegistration, study: Study, at: str, cells: int
) -> list[DeclarationChange]:
    """Fields in which `study` differs from what stood there last, but `source`: its
    rows and questions have digests.
    """
    last = _flat(record.study.model_dump(mode="json"))
    for change in record.changes:
        last[change.field] = change.now
    current = _flat(study.model_dump(mode="json"))
    return [
        DeclarationChange(
            field=name,
            was=last.get(name),
            now=current.get(name),
            seen_at=at,
            cells=cells,
        )
        for name in dict.fromkeys([*last, *current])
        if last.get(name) != current.get(name) and name != "source"
    ]


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """One entry a comparison, a stage, a setting; by name, so that a new one in between
    changes no other.
    """
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if name in ("comparisons", "stages"):
            found |= {f"{name}.{one['name']}": one for one in inner}
        elif isinstance(inner, dict):
            found |= {f"{name}.{key}": item for key, item in inner.items()}
        else:
            found[name] = inner
    return found


def _check_questions(
    folder: Path, record: StudyRegistration, dev: QuestionSplit, test: QuestionSplit
) -> None:
    for name, was, found in (("dev", record.dev, dev), ("test", record.test, test)):
        if was.rows != found.told.rows:
            raise ConfigError(
                f"{folder}: {name} holds {len(found.told.ids)} other questions than before the first cell "
                f"({len(was.ids)} then). Expected the same, or its cells could not be compared. Change the source or "
                f"{name} back in STUDY.yaml, or begin another study."
            )
