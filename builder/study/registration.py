"""What was registered before the first cell, and what has changed since."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cotbuild.builder.study.context import QuestionSplit
from cotbuild.builder.study.folder import (
    declaration_digest,
    has_begun,
    lock_registration,
    need_registration,
    now,
    read_cells,
    read_registration,
    update_registration,
    write_registration,
)
from cotbuild.builder.study.registered import check_version
from cotbuild.builder.study.results import variant_facts
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import (
    DeclarationChange,
    QuestionSet,
    ScoringStudent,
    StudyRegistration,
)

_ORDERED = ("stages", "tiers")
"""Lists whose order counts: of the cells, and of the tests."""


def register_study(
    folder: Path,
    study: AnyStudy,
    dev: QuestionSplit,
    test: QuestionSplit,
    scoring_students: tuple[ScoringStudent, ...] = (),
) -> StudyRegistration:
    """Ensure study.json holds STUDY.yaml as of the first cell, and every change since.

    Raises ConfigError if dev or test holds other questions than at the first cell, or
    the format version is another.
    """
    with lock_registration(folder):
        existing = read_registration(folder)
        num_cells = len(read_cells(folder))
        new = make_registration(study, dev.registered, test.registered, now())
        if existing is not None:
            if has_begun(folder) or _is_same(existing, new):
                check_version(folder, existing, study)
                _check_questions(folder, existing, dev, test)
                changes = find_changes(existing, study, new.at, num_cells)
                new = existing.model_copy(
                    update={"changes": (*existing.changes, *changes)}
                )
            else:
                # Trials that were run before the change are still used.
                processors = existing.seed_processors
                new = new.model_copy(update={"seed_processors": processors})
        new = new.model_copy(update={"scoring_students": scoring_students})
        if new != existing:
            write_registration(folder, new)
        return new


def _is_same(a: StudyRegistration, b: StudyRegistration) -> bool:
    """Whether two registrations are of the same declaration and questions."""
    return (a.digest, a.dev.rows, a.test.rows) == (b.digest, b.dev.rows, b.test.rows)


def make_registration(
    study: AnyStudy, dev: QuestionSet, test: QuestionSet, at: str
) -> StudyRegistration:
    """Return the registration of a study before its first cell; `at` is UTC, ISO 8601."""
    return StudyRegistration(
        digest=declaration_digest(study),
        at=at,
        study=study,
        dev=dev,
        test=test,
    )


def prepare_report(
    folder: Path, study: AnyStudy, manifest: Manifest | None
) -> StudyRegistration:
    """Record what a report shows besides the cells in study.json; return the record.

    That is what has changed in STUDY.yaml, and the build's figures of the variants, so
    that a later report needs no build; without a manifest these stay as they are. Raises
    ConfigError if no cell was begun, or with another format version.
    """
    check_version(folder, need_registration(folder), study)
    facts = variant_facts(study, manifest) if manifest else ()
    num_cells = len(read_cells(folder))

    def prepare(record: StudyRegistration) -> StudyRegistration:
        by_name = {one.name: one for one in (*record.variants, *facts)}
        changes = find_changes(record, study, now(), num_cells)
        update = {
            "variants": tuple(by_name.values()),
            "changes": (*record.changes, *changes),
        }
        return record.model_copy(update=update)

    return update_registration(folder, prepare)


def find_changes(
    record: StudyRegistration, study: AnyStudy, at: str, num_cells: int
) -> list[DeclarationChange]:
    """Return the fields in which `study` differs from what was last recorded.

    `source` is left out: the rows and the questions of the build have digests of their
    own.
    """
    registered = record.study.model_dump(mode="json")
    declared = study.model_dump(mode="json")
    last, current = _flatten(registered), _flatten(declared)
    for change in record.changes:
        last[change.field] = change.now
    for field in _ORDERED:
        names = last.pop(field, None) or _names(registered, field)
        current_names = _names(declared, field)
        if _differ_in_order(names, current_names):
            last[field], current[field] = names, current_names
    return [
        DeclarationChange(
            field=name,
            was=last.get(name),
            now=current.get(name),
            seen_at=at,
            cells=num_cells,
        )
        for name in dict.fromkeys([*last, *current])
        if last.get(name) != current.get(name) and name != "source"
    ]


def _names(declared: Mapping[str, Any], field: str) -> list[str]:
    return [one["name"] for one in declared.get(field, ())]


def _differ_in_order(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the names that two lists share stand in another order."""
    shared = set(names) & set(others)
    return [one for one in names if one in shared] != [
        one for one in others if one in shared
    ]


def _flatten(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry for each setting, claim, tier and stage.

    The named ones go by their names, so a new one in between changes no other.
    """
    entries: dict[str, Any] = {}
    for name, inner in value.items():
        if name in ("comparisons", "stages", "tiers", "secondary"):
            entries |= {f"{name}.{one['name']}": one for one in inner}
        elif isinstance(inner, dict):
            entries |= {f"{name}.{key}": item for key, item in inner.items()}
        else:
            entries[name] = inner
    return entries


def _check_questions(
    folder: Path, record: StudyRegistration, dev: QuestionSplit, test: QuestionSplit
) -> None:
    for name, registered, current in (
        ("dev", record.dev, dev.registered),
        ("test", record.test, test.registered),
    ):
        if registered.rows != current.rows:
            raise ConfigError(
                f"{folder}: {name} holds {len(current.ids)} other questions than "
                f"before the first cell ({len(registered.ids)} then), so cells could "
                f"not be compared. Change the source or {name} back in STUDY.yaml, or "
                "begin another study."
            )
