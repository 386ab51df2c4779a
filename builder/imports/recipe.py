"""Recipes: those that ship with cotbuild, a user's own file, or a mapping from the command line."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.recipe import Join, Recipe


def parse_recipe(text: str, where: str) -> Recipe:
    """A recipe from YAML text. Raises ConfigError, with `where` in it, on any fault."""
    try:
        value: Any = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: holds a {type(value).__name__}. Expected the fields of a recipe.")
    return Recipe.parse(value, where, ConfigError)


@cache
def builtin_recipes() -> dict[str, Recipe]:
    """Every recipe that ships with cotbuild, by name@version, in the order of their names."""
    found = {}
    for file in resources.files("cotbuild.builder.imports").joinpath("recipes").iterdir():
        if file.name.endswith(".yaml"):
            recipe = parse_recipe(file.read_text(encoding="utf-8"), f"recipes/{file.name}")
            found[recipe.ref] = recipe
    return dict(sorted(found.items()))


def load_recipe(ref: str) -> Recipe:
    """A built-in recipe by name@version (or bare name: its newest version), or one from a .yaml file.

    Raises ConfigError where there is none.
    """
    if ref.endswith((".yaml", ".yml")):
        try:
            return parse_recipe(Path(ref).read_text(encoding="utf-8"), ref)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"recipe {ref!r}: {error}. Expected a readable file of UTF-8 text.") from error
    known = builtin_recipes()
    versions = [recipe for recipe in known.values() if recipe.name == ref]
    if ref in known:
        return known[ref]
    if versions:
        return max(versions, key=lambda recipe: recipe.version)
    raise ConfigError(f"recipe {ref!r}: not known. Expected a .yaml file or one of {', '.join(known)}.")


def recipe_from_mapping(
    columns: Mapping[str, str],
    *,
    join: Join | None = None,
    made_by: str = "unknown",
    licence: str = "unknown",
    url: str | None = None,
    answer_first: bool = False,
    target_shown: bool = False,
) -> Recipe:
    """The recipe `--map FIELD=COLUMN` stands for; `join` None: by id, else by question, else by order.

    With a column for the answer, that one counts and not what the text says. Raises ConfigError.
    """
    if not columns.get("text"):
        raise ConfigError(f"--map {dict(columns)}: no column for the text. Expected --map text=COL.")
    told: Join = "id" if "id" in columns else "question" if "question" in columns else "order"
    from_text = "first" if answer_first else "last"
    value = {
        "name": "mapping",
        "version": 1,
        "about": "Columns named on the command line.",
        "made_by": made_by,
        "licence": licence,
        "url": url,
        "join": join or told,
        "columns": dict(columns),
        "answer": "column" if "answer" in columns else from_text,
        "target_shown": target_shown,
    }
    return Recipe.parse(value, "--map", ConfigError)
