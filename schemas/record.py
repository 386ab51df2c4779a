"""What all records share: frozen, unknown fields refused, a format version checked
before anything else.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cotbuild.schemas.errors import CotbuildError, DataError

FORMAT_VERSION = 1
"""Version of everything cotbuild writes: journals, shards, manifest.json, build.json.
"""


class Record(BaseModel):
    """A frozen Pydantic model that refuses unknown fields and coercion of wrong types."""

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
        """Build from plain JSON values; a fault becomes one line that starts with
        `where`.
        """
        try:
            return cls.model_validate(value, strict=False)
        except ValidationError as fault:
            raise error(f"{where}: {explain(fault)}") from fault

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """See BaseModel.

        What was computed of the old fields stays behind: a key or fingerprint would be
        of those.
        """
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def explain(fault: ValidationError) -> str:
    """The first fault of a ValidationError as one line, and how many more there are."""
    faults = fault.errors(include_url=False)
    first = faults[0]
    place = ".".join(str(part) for part in first["loc"]) or "record"
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    if (
        first["type"] == "value_error"
    ):  # raised by a validator of ours, which names what is wrong
        return f"{place}: {first['msg'].removeprefix('Value error, ')}{more}."
    return f"{place} is {short(first.get('input'))}. {first['msg']}{more}."


def short(value: object) -> str:
    """The value as errors show it, at most 80 characters."""
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
