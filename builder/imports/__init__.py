"""Imports: rationales that were written elsewhere, graded as requested ones are."""

from cotbuild.builder.imports.embedded_questions import open_import_source
from cotbuild.builder.imports.read import UnmatchedText
from cotbuild.builder.imports.recipes import (
    builtin_recipes,
    load_recipe,
    recipe_from_mapping,
)
from cotbuild.builder.imports.run import RationaleImport, open_import

__all__ = [
    "RationaleImport",
    "UnmatchedText",
    "builtin_recipes",
    "load_recipe",
    "open_import",
    "open_import_source",
    "recipe_from_mapping",
]
