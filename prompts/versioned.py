"""Versioned records that are declared in YAML: templates and import recipes.

Some ship with cotbuild, one file a version; a user can write others. They are found by
name@version or by file.
"""

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Protocol, TypeVar

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import read_yaml_text
from cotbuild.schemas.record import Record, short_repr
from cotbuild.schemas.yaml_text import parse_yaml

RecordT = TypeVar("RecordT", bound=Record)


class Versioned(Protocol):
    """A record with a name and a version."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def ref(self) -> str:
        """name@version."""


VersionedT = TypeVar("VersionedT", bound=Versioned)
Parser = Callable[[str, str], VersionedT]
"""Parses YAML text; its second argument says where the text is from, for errors."""


def parse_yaml_record(
    text: str, where: str, model: type[RecordT], what: str
) -> RecordT:
    """Parse a record from YAML text.

    `what` names such a record in errors. Raises ConfigError, which starts with `where`,
    if the text is invalid.
    """
    value = parse_yaml(text, where)
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}: holds a {type(value).__name__}. "
            f"Write the fields of a {what}, one a line."
        )
    return model.parse(value, where, ConfigError)


def load_builtin(
    package: str, folder: str, parse: Parser[VersionedT]
) -> dict[str, VersionedT]:
    """Load every YAML file in the folder of a package, by name@version, sorted."""
    records = {}
    for file in resources.files(package).joinpath(folder).iterdir():
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            record = parse(text, f"{folder}/{file.name}")
            records[record.ref] = record
    return dict(sorted(records.items()))


def load_by_ref(
    ref: str,
    builtin: Mapping[str, VersionedT],
    parse: Parser[VersionedT],
    what: str,
) -> VersionedT:
    """Load a record by name@version, by name (its newest version), or from a file.

    `what` names such a record in errors. Raises ConfigError if there is none, or a
    .yaml file cannot be read.
    """
    if ref.endswith((".yaml", ".yml")):
        remedy = f"Pass a readable file as the {what}."
        return parse(read_yaml_text(Path(ref), remedy=remedy), ref)
    if ref in builtin:
        return builtin[ref]
    versions = [record for record in builtin.values() if record.name == ref]
    if not versions:
        raise ConfigError(
            f"{what} {short_repr(ref)}: not known. "
            f"Pass a .yaml file, or one of {', '.join(builtin)}."
        )
    return max(versions, key=lambda record: record.version)
