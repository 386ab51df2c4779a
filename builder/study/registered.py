"""The declaration that a study goes by: STUDY.yaml as it was before the first cell."""

from pathlib import Path

from cotbuild.builder.study.folder import (
    STUDY,
    has_begun,
    read_registration,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.study.record import StudyRegistration
from cotbuild.schemas.study.version_2 import StudyV2


def registered_study(folder: Path, study: AnyStudy) -> AnyStudy:
    """Return the declaration as of the first cell; before that, the current `study`.

    A study of version 1 runs by the current one. Raises ConfigError if the registered
    one has another format version, and DataError.
    """
    record = read_registration(folder)
    if record is None or not has_begun(folder):
        return study
    check_version(folder, record, study)
    return record.study if isinstance(study, StudyV2) else study


def check_version(folder: Path, record: StudyRegistration, study: AnyStudy) -> None:
    """Raise ConfigError if STUDY.yaml has another format version than was registered.

    The versions have different rules, so cells of one cannot be judged by the other.
    """
    registered, current = record.study.format_version, study.format_version
    if registered != current:
        raise ConfigError(
            f"{folder / STUDY}: format_version is {current}, and the study was registered "
            f"with {registered}. Change it back, or begin another study in a new folder."
        )
