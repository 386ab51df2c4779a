"""The variants there are: those that ship and a user's own, declared in the same way."""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.variant import VariantSpec

DEFAULT_SET = "paper"


@cache
def builtin_variants() -> dict[str, VariantSpec]:
    """Every variant that ships, by name, in the order of their file."""
    return {spec.name: spec for spec in _parse(_builtin(), "builtin.yaml")}


def variant_sets() -> dict[str, list[str]]:
    """The named sets of variants that ship."""
    return {name: list(names) for name, names in _builtin()["sets"].items()}


def choose_variants(
    only: Iterable[str] | None, files: Iterable[Path]
) -> list[VariantSpec]:
    """The variants to make: those named, of sets too; all of the user's files and,
    where none is named, the paper set.

    A user's variant goes before one of its name that ships. Raises ConfigError on an
    unknown name.
    """
    own = [spec for file in files for spec in read_variants(file)]
    known = builtin_variants() | {spec.name: spec for spec in own}
    wanted = list(only) if only is not None else [] if own else [DEFAULT_SET]
    names = [spec.name for spec in own] if only is None else []
    for name in wanted:
        names += variant_sets().get(name, [name])
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(
            f"variant {unknown[0]!r}: not known. Expected one of the sets {', '.join(variant_sets())}, or of "
            f"{', '.join(known)}."
        )
    return [known[name] for name in dict.fromkeys(names)]


def read_variants(file: Path) -> list[VariantSpec]:
    """The variants of a user's YAML file, a list under `variants`.

    Raises ConfigError, with file and field.
    """
    try:
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}. Expected a readable YAML file.") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{file}: not YAML: {' '.join(str(error).split())}."
        ) from error
    if not isinstance(value, dict) or set(value) != {"variants"}:
        raise ConfigError(
            f"{file}: holds {type(value).__name__}. Expected a list under `variants:` and nothing else."
        )
    return _parse(value, str(file))


def _parse(value: dict[str, Any], where: str) -> list[VariantSpec]:
    entries = value["variants"]
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) for entry in entries
    ):
        raise ConfigError(
            f"{where}: variants is {entries!r:.60}. Expected a list of variants."
        )
    specs = [
        VariantSpec.parse(
            entry, f"{where}: {entry.get('name', f'variant {number}')}", ConfigError
        )
        for number, entry in enumerate(entries)
    ]
    names = [spec.name for spec in specs]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ConfigError(
            f"{where}: {sorted(repeated)} more than once. Expected different names."
        )
    return specs


@cache
def _builtin() -> dict[str, Any]:
    text = (
        resources.files("cotbuild.builder.variants")
        .joinpath("builtin.yaml")
        .read_text(encoding="utf-8")
    )
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
