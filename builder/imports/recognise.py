"""Recognise the form of files of answers, and make the recipe that reads them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Unpack

from cotbuild.builder.imports.forms import (
    FORMS,
    TARGET_NAMES,
    Columns,
    ImportForm,
    find_texts,
)
from cotbuild.builder.imports.read import column_paths
from cotbuild.builder.imports.recipes import RecipeOptions, build_recipe
from cotbuild.builder.imports.shapes import Shape, is_target
from cotbuild.builder.imports.turns import count_earlier_turns
from cotbuild.builder.sources.base import RowReader
from cotbuild.builder.sources.files import describe_rows_inside
from cotbuild.builder.sources.paths import path_root
from cotbuild.builder.sources.read_columns import read_sample
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import (
    COLUMN_FIELDS,
    FORM_NAMES,
    QUESTION_FIELDS,
    TEXT_FIELDS,
    ImportRecipe,
    Join,
)

_NEEDED_FIELDS: dict[Join, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question",),
    "order": (),
    "inside": QUESTION_FIELDS,
}
"""Fields of the question that each join reads."""


class RecognisedForm(NamedTuple):
    """A form, with the columns that it found in a file."""

    form: ImportForm
    columns: Columns
    shape: Shape
    join: Join
    """How its rows are joined with the questions of a named source."""


def recognise(
    rows: RowReader, name: str | None, given: Mapping[str, str]
) -> RecognisedForm:
    """Return the form of a file, or the form `name` with the columns that it finds.

    `given` are the user's columns, which settle what the form leaves open. Raises
    ConfigError if no form or more than one fits, with what to pass, and DataError where
    no row can be read.
    """
    shape = Shape(read_sample(rows))
    forms = [form for form in FORMS if name in (None, form.name)]
    found = [(form, form.find_columns(shape)) for form in forms]
    fitting = [(form, columns) for form, columns in found if columns is not None]
    later = {other for form, _ in fitting for other in form.before}
    fitting = [pair for pair in fitting if pair[0].name not in later]
    if not fitting:
        raise _no_form_error(rows.location, name, shape)
    if len(fitting) > 1:
        raise _several_forms_error(rows.location, [form for form, _ in fitting])
    form, columns = fitting[0]
    if form.name == "rows" and "text" not in given:
        _check_one_text(rows.location, shape)
    columns = {**columns, **given}
    columns = {field: column for field, column in columns.items() if column}
    join = "id" if given.get("id") else form.join
    return RecognisedForm(form, columns, shape, join)


def _check_one_text(location: str, shape: Shape) -> None:
    texts = find_texts(shape)
    if len(texts) > 1:
        options = " or ".join(f"--map text={name}" for name in texts)
        raise ConfigError(
            f"{location}: columns {texts} could each be the text. Pass {options}."
        )


def _no_form_error(location: str, name: str | None, shape: Shape) -> ConfigError:
    if name is not None:
        return ConfigError(
            f"{location}: rows with the columns {list(shape.columns)} do not have the "
            f"form {name!r}. Name their columns, such as --map text=COL --map "
            "question=COL."
        )
    return ConfigError(
        f"{location}: rows with the columns {list(shape.columns)} have none of the forms "
        f"{', '.join(FORM_NAMES)}. Pass their columns, such as --map text=COL --map "
        "question=COL --map target=COL, or --format with a recipe."
        f"{describe_rows_inside(shape.rows)}"
    )


def _several_forms_error(location: str, forms: Sequence[ImportForm]) -> ConfigError:
    names = " and ".join(form.name for form in forms)
    flags = " or ".join(f"--format {form.name}" for form in forms)
    return ConfigError(f"{location}: the rows fit the forms {names}. Pass {flags}.")


def make_recipe(
    found: RecognisedForm,
    *,
    has_source: bool,
    join: Join | None = None,
    **options: Unpack[RecipeOptions],
) -> ImportRecipe:
    """Return the recipe for a recognised form. Raises ConfigError."""
    form = found.form
    join = join or (found.join if has_source else "inside")
    wanted = {*TEXT_FIELDS, *_NEEDED_FIELDS[join]}
    columns = {
        field: column
        for field, column in found.columns.items()
        if field in wanted or field not in COLUMN_FIELDS  # an input
    }
    if join == "inside" and "question" not in columns:
        raise ConfigError(
            f"{form.name}: the files hold texts without their questions. Pass the "
            "questions with --source; rows are joined to them by id."
        )
    options["where"] = options.get("where") or dict(form.where)
    options["once"] = options.get("once") or [
        name for name in form.once if name in found.shape.columns
    ]
    about, origin = f"Recognised: {form.about}.", f"--format {form.name}"
    return build_recipe(form.name, about, columns, join, origin=origin, **options)


def mapping_flags(recipe: ImportRecipe) -> list[str]:
    """Return the options that read files as a recipe does."""
    flags = []
    for field, column in recipe.columns.items():
        flags += ["--map", f"{field}={column}"]
    for column, value in recipe.where.items():
        flags += ["--where", f"{column}={value}"]
    if recipe.once:
        flags += ["--once", ",".join(recipe.once)]
    return [*flags, "--join", recipe.join]


def describe_form(
    found: RecognisedForm, recipe: ImportRecipe, location: str
) -> Iterable[str]:
    """Yield what was recognised, the options that do the same, and what is left out."""
    yield (
        f"{location}: read as {found.form.name} ({found.form.about}), the same as "
        f"{shell_join(mapping_flags(recipe))}"
    )
    if recipe.join != "inside":
        return
    question = recipe.columns["question"]
    earlier = count_earlier_turns(found.shape, question)
    if earlier:
        yield (
            f"{location}: a question is the last turn of the user; {earlier} of the "
            f"first {len(found.shape.rows)} rows have earlier ones, which are left out"
        )
    if found.form.name == "lm_eval" and not question.startswith("doc."):
        fields = list(Shape([row["doc"] for row in found.shape.rows]).columns)
        yield (
            f"{location}: a question is the whole prompt; --map question=doc.FIELD takes "
            f"one of {fields}"
        )
    if "target" not in recipe.columns:
        others = _find_unused_targets(found.shape, recipe)
        hint = f"; --map target=COL names one of {others}" if others else ""
        yield (
            f"{location}: no column of targets such as {', '.join(TARGET_NAMES[:3])}, so "
            f"verdicts are unscored{hint}"
        )


def _find_unused_targets(shape: Shape, recipe: ImportRecipe) -> list[str]:
    """Return the columns that can be targets and that no field of the recipe reads."""
    used = {
        path_root(path)
        for field, column in recipe.columns.items()
        for path in column_paths(column, field)
    }
    return [
        name
        for name in shape.columns
        if name not in used and shape.has(name, is_target)
    ]
