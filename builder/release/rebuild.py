"""The commands that make a build again, as a shell takes them.

Pure. Paths are cut to their last part.
"""

import json
import shlex
from collections.abc import Iterator
from enum import StrEnum

from cotbuild.builder.imports import builtin_recipes
from cotbuild.builder.imports.recognise import mapping_flags
from cotbuild.builder.release.file_names import public_file_name
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.sources.files import parse_parallel
from cotbuild.builder.variants.registry import (
    builtin_variants,
    earlier_variants,
    variant_sets,
)
from cotbuild.schemas.config import BUNDLED, BuildConfig, SourceConfig
from cotbuild.schemas.grading import GradingConfig
from cotbuild.schemas.import_recipe import MAPPING, ImportConfig, ImportRecipe
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_set import (
    VariantSet,
)

_FIELDS_WITH_FLAGS = {
    "name",
    "columns",
    "tags",
    "split",
    "eval_splits",
    "on_bad_row",
}
"""Fields of the source that `cotbuild import` has a flag for."""


def rebuild_commands(
    config: BuildConfig, manifest: Manifest, out: str = "rebuilt"
) -> str:
    """Return the commands that make a build again in the directory `out`, one a line.

    Lines that begin with `#` say what the commands need.
    """
    if config.imported is None:
        first = _generate_words(config, manifest, out)
    else:
        first = _import_words(config.imported, config, manifest, out)
    lines = [*_requirements(config, manifest), _join_words(first)]
    if manifest.variants is not None:
        lines.append(_join_words(_variants_words(manifest.variants.made, out)))
    lines.append(_join_words(["cotbuild", "verify", out]))
    return "\n".join(lines)


def _requirements(config: BuildConfig, manifest: Manifest) -> Iterator[str]:
    if config.imported is None:
        yield "# build.json is in this repository"
    if _is_file_source(manifest):
        by_split = manifest.source.checksums.items()
        checksums = ", ".join(f"{split}: {checksum}" for split, checksum in by_split)
        dataset = _on_one_line(manifest.source.dataset)
        yield f"# {dataset} holds the questions; checksums {_on_one_line(checksums)}"
    has_files = config.imported is not None and bool(config.imported.files)
    if manifest.imported is not None and has_files:
        for file in manifest.imported.files:
            name, checksum = _on_one_line(file.file), _on_one_line(file.checksum)
            yield f"# {name}: sha256 {checksum}"
    if manifest.attempts is not None:
        for file in manifest.attempts.files:
            name, checksum = _on_one_line(file.file), _on_one_line(file.checksum)
            yield f"# {name}: sha256 {checksum}, the attempts"
    if manifest.variants is not None:
        names = [spec.name for spec in _custom_specs(manifest.variants.made)]
        if names:
            yield (
                f"# variants.yaml: the specs of {', '.join(names)}, from manifest.json, "
                "variants.made.specs"
            )


# -- generate and import ---------------------------------------------------------------


def _generate_words(config: BuildConfig, manifest: Manifest, out: str) -> list[str]:
    words = ["cotbuild", "generate", "--config", "build.json"]
    if _is_file_source(manifest):
        words += ["--source", _source_name(config, manifest)]
    if manifest.teacher.startswith("local:"):
        words += ["--teacher", last_part(config.teacher.model)]
    if config.teacher.endpoints:
        words += ["--endpoint", "URL"]
    if config.attempts is not None:
        words += ["--attempts", public_file_name(config.attempts.file)]
    for template in config.templates:
        words += ["--template", last_part(template)]
    return [*words, "--out", out]


def _import_words(
    imported: ImportConfig, config: BuildConfig, manifest: Manifest, out: str
) -> list[str]:
    recipe = imported.recipe
    is_builtin = builtin_recipes().get(recipe.ref) == recipe
    words = ["cotbuild", "import", *(public_file_name(file) for file in imported.files)]
    if imported.file_format is not None:
        words += ["--as", imported.file_format]
    if imported.header:
        words += ["--header", ",".join(imported.header)]
    if imported.rows_under is not None:
        words += ["--rows-under", imported.rows_under]
    if is_builtin:
        words += ["--format", recipe.ref]
    else:
        words += _recipe_words(recipe)
    if recipe.join != "inside":
        words += ["--source", _source_name(config, manifest)]
    if imported.order_from is not None:
        words += ["--order-from", last_part(imported.order_from)]
    words += [*_source_flags(config.source), *_grading_flags(config.grading)]
    return [*words, "--out", out]


def _recipe_words(recipe: ImportRecipe) -> list[str]:
    """Return the options for a recipe that does not ship."""
    if recipe.is_from_source:
        return _author_words(recipe)
    if not recipe.is_mapping:
        return ["--format", "recipe.yaml"]
    words = [] if recipe.name == MAPPING else ["--format", recipe.name]
    words += mapping_flags(recipe)
    words += _author_words(recipe)
    words += ["--answer-first"] if recipe.answer == "first" else []
    return [*words, "--target-shown"] if recipe.target_shown else words


def _author_words(recipe: ImportRecipe) -> list[str]:
    words = ["--made-by", recipe.made_by, "--licence", recipe.licence]
    return words if recipe.url is None else [*words, "--url", recipe.url]


def _is_file_source(manifest: Manifest) -> bool:
    return manifest.source.hub_id is None and manifest.source.dataset not in BUNDLED


def _source_name(config: BuildConfig, manifest: Manifest) -> str:
    """Return the name of the source; a file gets ./, as it may be named like a dataset.

    Files side by side have their columns before them.
    """
    name = config.source.name
    if not _is_file_source(manifest) or parse_parallel(name) is not None:
        return name
    return f"./{last_part(name)}"


def _source_flags(source: SourceConfig) -> Iterator[str]:
    if source.split is not None:
        yield from ("--split", source.split)
    if source.eval_splits:
        yield from ("--eval-splits", ",".join(source.eval_splits))
    if source.on_bad_row != "stop":
        yield from ("--on-bad-row", source.on_bad_row)
    for field, column in source.columns.items():
        yield from ("--source-map", f"{field}={column}")
    for tag, column in source.tags.items():
        yield from ("--tag", f"{tag}={column}")
    for name, value in _changed_values(source).items():
        if name not in _FIELDS_WITH_FLAGS:
            yield from ("--set", f"source.{name}={value}")


def _grading_flags(grading: GradingConfig) -> Iterator[str]:
    for name, value in _changed_values(grading).items():
        yield from ("--set", f"grading.{name}={value}")


# -- variants --------------------------------------------------------------------------


def _variants_words(variants: VariantSet, out: str) -> list[str]:
    words = ["cotbuild", "variants", out, "--only", ",".join(_variant_names(variants))]
    if _custom_specs(variants):
        words += ["--spec", "variants.yaml"]
    for name, value in _changed_values(variants.selection).items():
        words += ["--filter", f"{name}={value}"]
    for name in variants.files:
        words += ["--file", f"{name}=PATH"]
    return [*words, "--seed", str(variants.seed)]


def _custom_specs(variants: VariantSet) -> list[VariantSpec]:
    """Return the specs that do not ship with cotbuild."""
    return [spec for spec in variants.specs if not _ships(spec)]


def _ships(spec: VariantSpec) -> bool:
    return spec in (
        builtin_variants().get(spec.name),
        earlier_variants().get(spec.ref),
    )


def _variant_names(variants: VariantSet) -> list[str]:
    """Return the name of the shipped set that the variants are, else their names."""
    earlier = earlier_variants()
    names = [
        spec.ref if earlier.get(spec.ref) == spec else spec.name
        for spec in variants.specs
    ]
    for set_name, members in variant_sets().items():
        if members == names:
            return [set_name]
    return names


# -- words -----------------------------------------------------------------------------


def _changed_values(record: Record) -> dict[str, str]:
    """Return the fields that differ from their defaults, as flags take their values."""
    values = {}
    for name, value in record:
        if value == type(record).model_fields[name].default:
            continue
        if isinstance(value, tuple):
            values[name] = ",".join(map(str, value))
        elif isinstance(value, str | StrEnum):
            values[name] = str(value)
        else:
            values[name] = json.dumps(value)
    return values


def _join_words(words: list[str]) -> str:
    """Return a command line that a shell reads as one command.

    A line break in a word would begin another command, and a # after it a comment, so
    words with unprintable characters are written as JSON.
    """
    return shlex.join(
        word if word.isprintable() else json.dumps(word) for word in words
    )


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
