"""The commands that make a build again, as a shell takes them.

Pure; paths are cut to their last part.
"""

import json
import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePath, PureWindowsPath

from cotbuild.builder.imports import builtin_recipes
from cotbuild.builder.variants.registry import builtin_variants, variant_sets
from cotbuild.schemas.config import BuildConfig, SourceConfig
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import VariantSet, VariantSpec

_FLAGS = {"name", "columns", "split", "eval_splits", "on_bad_row"}
"""Fields of the source that `cotbuild import` has a flag for."""


def rebuild_commands(
    config: BuildConfig, manifest: Manifest, out: str = "rebuilt"
) -> str:
    """One command a line, `#` before what has to be at hand for them.

    `out`: the folder they write.
    """
    lines = [*_notes(config, manifest)]
    lines.append(
        _command(
            _generate(config, manifest, out)
            if config.imported is None
            else _import(config, manifest, out)
        )
    )
    if manifest.variants is not None:
        lines.append(_command(_variants(manifest.variants.made, out)))
    return "\n".join([*lines, _command(["cotbuild", "verify", out])])


def _command(words: list[str]) -> str:
    # A line break in a value would read as a command of its own, and # at the start of
    # a line as a comment.
    return shlex.join(
        json.dumps(word) if any(not c.isprintable() for c in word) else word
        for word in words
    )


def _notes(config: BuildConfig, manifest: Manifest) -> Iterator[str]:
    if config.imported is None:
        yield "# build.json is in this repository"
    if _is_file(manifest):
        found = ", ".join(
            f"{split}: {checksum}"
            for split, checksum in manifest.source.checksums.items()
        )
        yield f"# {_word(manifest.source.dataset)} holds the questions; checksums {_word(found)}"
    if manifest.imported is not None:
        for file in manifest.imported.files:
            yield f"# {_word(file.file)}: sha256 {_word(file.checksum)}"
    own = (
        [spec.name for spec in _own(manifest.variants.made)]
        if manifest.variants
        else []
    )
    if own:
        yield f"# variants.yaml: the specs of {', '.join(own)}, from manifest.json, variants.made.specs"


def _is_file(manifest: Manifest) -> bool:
    return manifest.source.hub_id is None and manifest.source.dataset != "bundled"


def _source_name(config: BuildConfig, manifest: Manifest) -> str:
    """Of a file or folder with a ./ before it, since one may be called as a known
    dataset is.
    """
    return (
        f"./{_last(config.source.name)}" if _is_file(manifest) else config.source.name
    )


def _word(value: str) -> str:
    return " ".join(value.split())


def _generate(config: BuildConfig, manifest: Manifest, out: str) -> list[str]:
    words = ["cotbuild", "generate", "--config", "build.json"]
    if _is_file(manifest):
        words += ["--source", _source_name(config, manifest)]
    if manifest.teacher.startswith("local:"):
        words += ["--teacher", _last(config.teacher.model)]
    if config.teacher.endpoints:
        words += ["--endpoint", "URL"]
    for template in config.templates:
        words += ["--template", _last(template)]
    return [*words, "--out", out]


def _import(config: BuildConfig, manifest: Manifest, out: str) -> list[str]:
    assert config.imported is not None
    wanted: ImportConfig = config.imported
    shipped = builtin_recipes().get(wanted.recipe.ref) == wanted.recipe
    words = ["cotbuild", "import", *map(_last, wanted.files)]
    words += ["--format", wanted.recipe.ref if shipped else "recipe.yaml"]
    if wanted.recipe.join != "inside":
        words += ["--source", _source_name(config, manifest)]
    if wanted.order_from is not None:
        words += ["--order-from", _last(wanted.order_from)]
    return [*words, *_source_flags(config.source), "--out", out]


def _source_flags(source: SourceConfig) -> Iterator[str]:
    if source.split is not None:
        yield from ("--split", source.split)
    if source.eval_splits:
        yield from ("--eval-splits", ",".join(source.eval_splits))
    if source.on_bad_row != "stop":
        yield from ("--on-bad-row", source.on_bad_row)
    for field, column in source.columns.items():
        yield from ("--source-map", f"{field}={column}")
    for name, value in _changed(source).items():
        if name not in _FLAGS:
            yield from ("--set", f"source.{name}={value}")


def _variants(made: VariantSet, out: str) -> list[str]:
    words = ["cotbuild", "variants", out, "--only", ",".join(_only(made))]
    words += ["--spec", "variants.yaml"] if _own(made) else []
    for name, value in _changed(made.selection).items():
        words += ["--filter", f"{name}={value}"]
    for name in made.files:
        words += ["--file", f"{name}=PATH"]
    return [*words, "--seed", str(made.seed)]


def _own(made: VariantSet) -> list[VariantSpec]:
    return [spec for spec in made.specs if builtin_variants().get(spec.name) != spec]


def _only(made: VariantSet) -> list[str]:
    """The name of the set they are, where they are one, else their names."""
    names = [spec.name for spec in made.specs]
    return next(
        ([name] for name, members in variant_sets().items() if members == names), names
    )


def _changed(record: Record) -> dict[str, str]:
    """The fields that differ from their defaults, as the command line takes them."""
    found = {}
    for name, value in record:
        if value != type(record).model_fields[name].default:
            found[name] = (
                ",".join(map(str, value))
                if isinstance(value, tuple)
                else _scalar(value)
            )
    return found


def _scalar(value: object) -> str:
    return str(value) if isinstance(value, str | StrEnum) else json.dumps(value)


def _last(name: str) -> str:
    """The last part of a path, of whatever system; a bare name or a name of ours as it
    is.
    """
    return PureWindowsPath(PurePath(name).name).name or name
