"""Things declared in YAML, a file a version: those that ship and a user's own, found by
name@version or by file.
"""

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import Record

R = TypeVar("R", bound=Record)


class Versioned(Protocol):
    """What all of them have."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def ref(self) -> str: ...


V = TypeVar("V", bound=Versioned)


def parse_declared(text: str, where: str, model: type[R], what: str) -> R:
    """A record from YAML text. Raises ConfigError, with `where` in it, on any fault."""
    try:
        value: Any = yaml.load(
            text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{where}: not YAML: {' '.join(str(error).split())}."
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}: holds a {type(value).__name__}. Expected the fields of a {what}."
        )
    return model.parse(value, where, ConfigError)


def shipped(package: str, folder: str, parse: Callable[[str, str], V]) -> dict[str, V]:
    """Every one of a package's folder, by name@version, in the order of their names."""
    found = {}
    for file in resources.files(package).joinpath(folder).iterdir():
        if file.name.endswith(".yaml"):
            one = parse(file.read_text(encoding="utf-8"), f"{folder}/{file.name}")
            found[one.ref] = one
    return dict(sorted(found.items()))


def find_declared(
    ref: str, known: Mapping[str, V], parse: Callable[[str, str], V], what: str
) -> V:
    """A known one by name@version (or bare name: its newest version), or one from a
    .yaml file.

    Raises ConfigError where there is none.
    """
    if ref.endswith((".yaml", ".yml")):
        try:
            return parse(Path(ref).read_text(encoding="utf-8"), ref)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{what} {ref!r}: {error}. Expected a readable file of UTF-8 text."
            ) from error
    if ref in known:
        return known[ref]
    if versions := [one for one in known.values() if one.name == ref]:
        return max(versions, key=lambda one: one.version)
    raise ConfigError(
        f"{what} {ref!r}: not known. Expected a .yaml file or one of {', '.join(known)}."
    )
