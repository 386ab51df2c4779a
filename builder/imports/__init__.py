"""Imports: rationales made elsewhere, brought in with the same answers, verdicts and provenance as asked ones."""

from cotbuild.builder.imports.imported import Import, open_import
from cotbuild.builder.imports.inside import open_import_source
from cotbuild.builder.imports.recipe import builtin_recipes, load_recipe, recipe_from_mapping
from cotbuild.builder.imports.texts import Unmatched

__all__ = [
    "Import",
    "Unmatched",
    "builtin_recipes",
    "load_recipe",
    "open_import",
    "open_import_source",
    "recipe_from_mapping",
]
