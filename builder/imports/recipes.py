"""Import recipes: built-in ones, a user's file, or a mapping of columns."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TypedDict, Unpack

from cotbuild.prompts.versioned import load_builtin, load_by_ref, parse_yaml_record
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import MAPPING, ImportRecipe, Join


def parse_recipe(text: str, where: str) -> ImportRecipe:
    """Return a recipe from YAML text. Raises ConfigError that begins with `where`."""
    return parse_yaml_record(text, where, ImportRecipe, "recipe")


@cache
def builtin_recipes() -> dict[str, ImportRecipe]:
    """Return every built-in recipe by name@version, in the order of the names."""
    return load_builtin("cotbuild.builder.imports", "recipes", parse_recipe)


def load_recipe(ref: str) -> ImportRecipe:
    """Return a built-in recipe by name@version or name, or one from a .yaml file.

    See `load_by_ref`.
    """
    return load_by_ref(ref, builtin_recipes(), parse_recipe, "recipe")


class RecipeOptions(TypedDict, total=False):
    """What an import can say about its files beside their columns.

    `build_recipe` has the defaults.
    """

    where: Mapping[str, str]
    once: Sequence[str]
    made_by: str
    licence: str
    url: str | None
    answer_first: bool
    target_shown: bool


def recipe_from_mapping(
    columns: Mapping[str, str],
    *,
    join: Join | None = None,
    has_source: bool = True,
    **options: Unpack[RecipeOptions],
) -> ImportRecipe:
    """Return the recipe for `--map FIELD=COLUMN`.

    `join`: None joins by id, else by question, else by order, whichever column there
    is; without a source of questions they are inside the rows. Raises ConfigError.
    """
    if not columns.get("text"):
        raise ConfigError(
            f"--map {dict(columns)}: no column for the text. Expected --map text=COL."
        )
    about = "Columns named on the command line."
    join = join or _choose_join(columns, has_source=has_source)
    return build_recipe(MAPPING, about, columns, join, origin="--map", **options)


def build_recipe(
    name: str,
    about: str,
    columns: Mapping[str, str],
    join: Join,
    *,
    origin: str,
    where: Mapping[str, str] = MappingProxyType({}),
    once: Sequence[str] = (),
    made_by: str = "unknown",
    licence: str = "unknown",
    url: str | None = None,
    answer_first: bool = False,
    target_shown: bool = False,
) -> ImportRecipe:
    """Return the recipe that reads some columns.

    A column for the answer takes the place of the answer in the text. Raises ConfigError
    that begins with `origin`.
    """
    from_text = "first" if answer_first else "last"
    value = {
        "name": name,
        "version": 1,
        "about": about,
        "made_by": made_by,
        "licence": licence,
        "url": url,
        "join": join,
        "columns": dict(columns),
        "where": dict(where),
        "once": list(once),
        "answer": "column" if "answer" in columns else from_text,
        "target_shown": target_shown,
    }
    return ImportRecipe.parse(value, origin, ConfigError)


def _choose_join(columns: Mapping[str, str], *, has_source: bool) -> Join:
    if "question" in columns and not has_source:
        return "inside"
    if "id" in columns:
        return "id"
    return "question" if "question" in columns else "order"
