"""The base class of all records, and the check of a file's format version."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cotbuild.schemas.errors import CotbuildError, DataError

FORMAT_VERSION = 1
"""Version of every format that cotbuild writes: journals, shards, manifest.json,
build.json.
"""

MIN_INT, MAX_INT = -(1 << 63), (1 << 63) - 1
"""Range of a whole number in JSON, YAML and parquet: that of a column."""


class Record(BaseModel):
    """A frozen Pydantic model that rejects unknown fields and does not coerce types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )

    @classmethod
    def parse(
        cls,
        value: Mapping[str, Any],
        where: str,
        error: type[CotbuildError] = DataError,
    ) -> Self:
        """Build a record from plain JSON values.

        Raises `error` in one line that starts with `where` if the values do not fit.
        """
        try:
            return cls.model_validate(value, strict=False)
        except ValidationError as fault:
            raise error(f"{where}: {explain_validation_error(fault)}") from fault

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """Copy the record, without its cached properties.

        A cached key or fingerprint would be that of the old fields.
        """
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def explain_validation_error(fault: ValidationError) -> str:
    """Describe the first fault in one line, and count the others."""
    faults = fault.errors(include_url=False)
    first = faults[0]
    place = ".".join(str(part) for part in first["loc"]) or "record"
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    if first["type"] == "value_error":
        # One of our own validators, whose message names the value.
        return f"{place}: {first['msg'].removeprefix('Value error, ')}{more}."
    return f"{place} is {short_repr(first.get('input'))}. {first['msg']}{more}."


def short_repr(value: object) -> str:
    """Return a value's repr for an error message, at most 80 characters long."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def check_format(
    version: object, where: str, error: type[CotbuildError] = DataError
) -> None:
    """Raise `error` unless `version` is a format version that this code reads."""
    if type(version) is not int or version < 1:
        raise error(
            f"{where}: format version {version!r}. "
            f"Expected a whole number from 1 to {FORMAT_VERSION}."
        )
    if version > FORMAT_VERSION:
        raise error(
            f"{where}: format version {version}, written by a newer cotbuild; "
            f"this one reads versions up to {FORMAT_VERSION}. Upgrade cotbuild."
        )
