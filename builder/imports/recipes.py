"""Recipes: those that ship with cotbuild, a user's own file, or a mapping from the
command line.
"""

from collections.abc import Mapping
from functools import cache

from cotbuild.prompts.versioned import load_builtin, load_by_ref, parse_yaml_record
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import ImportRecipe, Join


def parse_recipe(text: str, where: str) -> ImportRecipe:
    """A recipe from YAML text. Raises ConfigError, with `where` in it, on any fault."""
    return parse_yaml_record(text, where, ImportRecipe, "recipe")


@cache
def builtin_recipes() -> dict[str, ImportRecipe]:
    """Every recipe that ships with cotbuild, by name@version, in the order of their
    names.
    """
    return load_builtin("cotbuild.builder.imports", "recipes", parse_recipe)


def load_recipe(ref: str) -> ImportRecipe:
    """A built-in recipe by name@version or name, or one from a .yaml file; see
    `load_by_ref`.
    """
    return load_by_ref(ref, builtin_recipes(), parse_recipe, "recipe")


def recipe_from_mapping(
    columns: Mapping[str, str],
    *,
    join: Join | None = None,
    made_by: str = "unknown",
    licence: str = "unknown",
    url: str | None = None,
    answer_first: bool = False,
    target_shown: bool = False,
) -> ImportRecipe:
    """The recipe `--map FIELD=COLUMN` stands for; `join` None: by id, else by question,
    else by order.

    With a column for the answer, that one counts and not what the text says. Raises
    ConfigError.
    """
    if not columns.get("text"):
        raise ConfigError(
            f"--map {dict(columns)}: no column for the text. Expected --map text=COL."
        )
    told: Join = (
        "id" if "id" in columns else "question" if "question" in columns else "order"
    )
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
    return ImportRecipe.parse(value, "--map", ConfigError)
