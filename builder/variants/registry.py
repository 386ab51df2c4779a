"""The variants that ship and a user's own, and what else a command selects: the
rationales and the files that variants refer to.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import read_yaml
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.variant import Placement, Selection, VariantSpec
from cotbuild.schemas.yaml_text import parse_yaml

DEFAULT_SET = "paper"
_LIST_FIELDS = frozenset({"verdicts", "having", "without", "attempt", "evaluation"})


@cache
def builtin_variants() -> dict[str, VariantSpec]:
    """Return every variant that ships, by name, in the order of its file."""
    specs = _parse_specs(_load_builtin()["variants"], "builtin.yaml", {})
    return {spec.name: spec for spec in specs}


@cache
def earlier_variants() -> dict[str, VariantSpec]:
    """Return every version that shipped and was replaced, by `name@version`."""
    entries = _load_builtin()["earlier"]
    specs = _parse_specs(entries, "builtin.yaml", builtin_variants())
    return {spec.ref: spec for spec in specs}


def variant_sets() -> dict[str, list[str]]:
    """Return the names of the variants of every named set."""
    return {name: list(names) for name, names in _load_builtin()["sets"].items()}


def choose_variants(
    only: Iterable[str] | None, files: Iterable[Path]
) -> list[VariantSpec]:
    """Return the variants to derive.

    `only` names variants and sets; `name@version` is that version of a variant, which
    may have been replaced since. None stands for all variants of the user's `files`, or
    for the default set if there are no files. A user's variant replaces one of the same
    name that ships. Raises ConfigError if a name is unknown, if two versions of a
    variant are named, or if a file is invalid.
    """
    own: list[VariantSpec] = []
    known = builtin_variants()
    for file in files:
        own += read_variants(file, known)
        known = known | {spec.name: spec for spec in own}
    sets = variant_sets()
    names: list[str] = []
    if only is None and own:
        names = [spec.name for spec in own]
    else:
        for name in [DEFAULT_SET] if only is None else only:
            names += sets.get(name, [name])
    versions = earlier_variants() | {spec.ref: spec for spec in known.values()}
    chosen: dict[str, VariantSpec] = {}
    for name in names:
        spec = versions.get(name) or known.get(name)
        if spec is None:
            raise ConfigError(
                f"variant {name!r}: not known. Choose one of the sets "
                f"{', '.join(sets)}, or of {', '.join(known)}."
            )
        if chosen.setdefault(spec.name, spec) != spec:
            raise ConfigError(
                f"variant {name!r}: version {chosen[spec.name].version} is chosen too, "
                "and a build has one version of a variant. Leave one out."
            )
    return list(chosen.values())


def read_variants(
    file: Path, known: Mapping[str, VariantSpec] | None = None
) -> list[VariantSpec]:
    """Read a user's YAML file, which has a list of variants under `variants`.

    `known` are the variants that a mix may name beside those of the file; None for
    those that ship. Raises ConfigError with the file and the field at fault.
    """
    value = read_yaml(file)
    if not isinstance(value, dict) or set(value) != {"variants"}:
        found = sorted(map(str, value)) if isinstance(value, dict) else value
        raise ConfigError(
            f"{file}: expected the single key `variants`, found {short_repr(found)}. "
            "List the variants under `variants:`."
        )
    return _parse_specs(value["variants"], str(file), known or builtin_variants())


def parse_selection(filters: Iterable[str]) -> Selection:
    """Parse `--filter NAME=VALUE` arguments; lists are separated by commas.

    Raises ConfigError with the argument at fault.
    """
    values: dict[str, Any] = {}
    for text in filters:
        name, value = _split_pair(text, "--filter", "share=0.1")
        if name not in Selection.model_fields:
            fields = ", ".join(Selection.model_fields)
            raise ConfigError(
                f"--filter {text!r}: unknown name {name!r}. Choose one of {fields}."
            )
        values[name] = (
            value.split(",")
            if name in _LIST_FIELDS
            else parse_yaml(value, f"--filter {name}")
        )
    return Selection.parse(values, "--filter", ConfigError)


def parse_file_arguments(files: Iterable[str]) -> dict[str, Path]:
    """Parse `--file NAME=PATH` arguments.

    Raises ConfigError with the argument at fault.
    """
    paths = {}
    for text in files:
        name, path = _split_pair(text, "--file", "scores=scores.parquet")
        paths[name] = Path(path)
    return paths


def _split_pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise ConfigError(
            f"{option} {text!r}: not NAME=VALUE. Write it as in {option} {example}."
        )
    return name, value


def _parse_specs(
    entries: Any, where: str, known: Mapping[str, VariantSpec]
) -> list[VariantSpec]:
    """Parse the variants of a file in order; a mix may name those before it."""
    is_list = isinstance(entries, list)
    if not is_list or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(
            f"{where}: variants is {short_repr(entries)}, not a list of variants. "
            "Write each variant as a list item with its fields."
        )
    specs: list[VariantSpec] = []
    for number, entry in enumerate(entries):
        name = entry.get("name", f"variant {number}")
        if "mix" in entry:
            above = {**known, **{spec.name: spec for spec in specs}}
            entry = _resolve_mix(entry, f"{where}: {name}", above)
        spec = VariantSpec.parse(entry, f"{where}: {name}", ConfigError)
        if any(spec.name == other.name for other in specs):
            raise ConfigError(
                f"{where}: two variants are named {spec.name!r}. Rename one."
            )
        specs.append(spec)
    return specs


def _resolve_mix(
    entry: dict[str, Any], where: str, known: Mapping[str, VariantSpec]
) -> dict[str, Any]:
    """Replace the names of a mix, `{variant: share}`, by the variants they stand for.

    Raises ConfigError if a name is unknown.
    """
    shares = entry["mix"]
    if not isinstance(shares, dict) or not shares:
        raise ConfigError(
            f"{where}: mix is {short_repr(shares)}, not a share for each variant. Write "
            "it as in mix: {pre_cot: 0.5, label_only: 0.5}."
        )
    parts = []
    for name, share in shares.items():
        if name not in known:
            raise ConfigError(
                f"{where}: mix names {short_repr(name)}, which is not known. Name "
                "variants that ship (cotbuild variants --list) or that are defined above."
            )
        parts.append({"spec": known[name], "share": share})
    first = parts[0]["spec"]
    stated = {"placement": Placement.MIX, "format": first.format}
    return {**stated, **entry, "mix": parts}


@cache
def _load_builtin() -> dict[str, Any]:
    file = resources.files("cotbuild.builder.variants").joinpath("builtin.yaml")
    return dict(parse_yaml(file.read_text(encoding="utf-8"), file.name))
