"""The recipe of an import, from the options of the command line."""

from typing import TYPE_CHECKING, Any

from cotbuild.builder.console import print_message
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import COLUMN_FIELDS, FORM_NAMES, ImportRecipe

if TYPE_CHECKING:
    from cotbuild.builder.imports.read import ImportedFile
    from cotbuild.schemas.config import SourceConfig


def check_no_files(source: str | None, file_options: dict[str, object]) -> None:
    """Raise ConfigError if an import without files has no source, or options of files."""
    if source is None:
        raise ConfigError(
            "no file of rationales. Pass one, or --source with questions whose rows hold "
            "rationales, such as gsm8k."
        )
    given = [option for option, value in file_options.items() if value]
    if given:
        raise ConfigError(
            f"{', '.join(given)} without a file of rationales, for which they are. Pass "
            "the file; or leave them out to import the rationales in the rows of --source "
            "(--source-map rationale=COL names their column)."
        )


def recipe_of_source(source: "SourceConfig", given: dict[str, Any]) -> ImportRecipe:
    """Return the recipe that imports the rationales in the rows of the questions."""
    from cotbuild.builder.imports.source_rationales import source_recipe
    from cotbuild.builder.sources.open import open_source

    opened = open_source(source)
    opened.map_option = "--source-map"
    return source_recipe(opened, given)


def check_source(source: str | None, recipe: ImportRecipe) -> None:
    if source is None and recipe.join != "inside":
        raise ConfigError(
            f"recipe {recipe.ref} joins texts to questions by {recipe.join}. Pass "
            "the questions, such as --source commonsense_qa or a file; or their column, "
            "if the rows hold them: --map question=COL --join inside."
        )
    if source is not None and recipe.join == "inside":
        raise ConfigError(
            f"--source {source!r} with --join inside, which takes the questions from "
            "the rows. Leave one of them out."
        )


def choose_recipe(
    first_file: "ImportedFile",
    format: str | None,
    given_columns: dict[str, str] | None,
    given: dict[str, Any],
    *,
    where: dict[str, str] | None,
    once: list[str],
    has_source: bool,
    answer_first: bool,
    target_shown: bool,
) -> ImportRecipe:
    """Return the recipe of --format, of --map, or of the form of the first file."""
    from cotbuild.builder.imports import load_recipe, recipe_from_mapping
    from cotbuild.builder.imports.recognise import (
        describe_form,
        make_recipe,
        recognise,
    )
    from cotbuild.builder.sources.inputs import check_input_names

    columns = given_columns or {}
    check_input_names(columns, COLUMN_FIELDS, first_file.location)
    options = {
        **given,
        "has_source": has_source,
        "where": where or {},
        "once": once,
        "answer_first": answer_first,
        "target_shown": target_shown,
    }
    if format is not None and format not in FORM_NAMES:
        is_given = {
            "--map": given_columns is not None,
            "--where": where is not None,
            "--once": bool(once),
            **{f"--{name.replace('_', '-')}": True for name in given},
            "--answer-first": answer_first,
            "--target-shown": target_shown,
        }
        _refuse_beside_recipe(format, is_given)
        return load_recipe(format)
    if format is None and _is_whole(columns, given, has_source=has_source):
        return recipe_from_mapping(columns, **options)
    try:
        found = recognise(first_file, format, columns)
    except ConfigError:
        if format is None and "text" in columns:
            return recipe_from_mapping(columns, **options)
        raise
    recipe = make_recipe(found, **options)
    for line in describe_form(found, recipe, first_file.location):
        print_message(line)
    return recipe


def _refuse_beside_recipe(format: str, is_given: dict[str, bool]) -> None:
    """Raise ConfigError where an option was given that a recipe decides."""
    options = [option for option, given in is_given.items() if given]
    if options:
        raise ConfigError(
            f"--format {format!r} with {', '.join(options)}. Pass one or the other: a "
            "recipe says all of it."
        )


def _is_whole(
    columns: dict[str, str], given: dict[str, Any], *, has_source: bool
) -> bool:
    """Whether columns say all that an import needs, so that no form is looked for."""
    if "text" not in columns:
        return False
    return has_source or "question" in columns or "join" in given
