"""STUDY.yaml of either format version."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from cotbuild.schemas.errors import CotbuildError, DataError
from cotbuild.schemas.study.declaration import Study
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2

NEWEST_STUDY_VERSION = 2
"""Newest format version of STUDY.yaml."""


def _version_of(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("format_version", 1))
    return str(value.format_version) if isinstance(value, Study) else ""


AnyStudy = Annotated[
    Annotated[StudyV1, Tag("1")] | Annotated[StudyV2, Tag("2")],
    Discriminator(_version_of),
]
"""A study of either format version; one that states none has version 1."""


def parse_study(
    value: Mapping[str, Any], where: str, error: type[CotbuildError] = DataError
) -> StudyV1 | StudyV2:
    """Build a study from plain JSON values, by their format version, 1 or 2.

    Raises `error` in one line that starts with `where` if the values do not fit.
    """
    if value.get("format_version", 1) == 1:
        return StudyV1.parse(value, where, error)
    return StudyV2.parse(value, where, error)
