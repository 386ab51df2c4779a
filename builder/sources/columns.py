"""Find the columns of files of unknown shape."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.choices import without_empty_end
from cotbuild.builder.sources.files import describe_rows_inside
from cotbuild.builder.sources.inputs import check_input_names
from cotbuild.builder.sources.paths import (
    check_paths,
    find_value,
    follow_path,
    path_root,
)
from cotbuild.builder.sources.question_form import (
    Getter,
    find_form_columns,
    is_question_form,
    make_form_getter,
    make_joined_getter,
)
from cotbuild.builder.sources.suggest import (
    UNKNOWN_COLUMN,
    find_unmapped_choices,
    find_unmapped_distractors,
    has_data_for_names,
    suggest_columns,
)
from cotbuild.builder.sources.targets import is_missing
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import short_repr

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question",),
    "choices": ("choices",),
    "distractors": ("distractors",),
    "target": ("target", "answer", "answerKey"),
    "other_targets": ("other_targets",),
    "kind": ("kind",),
    "rationale": ("rationale",),
}
"""Field to the column names recognised without a mapping, in order of precedence."""

_MAX_LIKELY_OPTIONS = 10
_OPTIONAL_FIELDS = ("id", "target", "other_targets", "kind", "rationale")
"""Fields that one split may have and another may lack under the same mapping."""
_LIST_FIELDS = ("choices", "distractors")


def resolve_columns(
    columns: Mapping[str, str],
    present: Sequence[str],
    sample: Sequence[Row],
    location: str,
    base: Mapping[str, str] | None = None,
    *,
    has_labels: bool = False,
) -> dict[str, str]:
    """Return the column of each field, "" for a field that the file does not have.

    `columns` is the user's mapping of fields and inputs to columns, `present` the
    columns of all rows; other fields get the names in COLUMN_NAMES. A column may be a path
    ("question.stem", "choices[0].text") into nested values; see `paths`. "a,b,c" names
    several: as choices or distractors they are options in order, as question their
    texts are joined by a space. A question or an input may also be a form,
    "Premise: {a}\\nHypothesis: {b}". "" means that the file has no such column.

    `base` has the columns of another split under the same mapping: those that may be
    absent from a split without targets are then "" if they are. `has_labels`: all
    questions share their choices, so that columns of choices are not used.

    Raises ConfigError for unknown fields and columns, and with the --map options to add
    if the question, the target or the choices are not recognised.
    """
    check_input_names(columns, COLUMN_NAMES, location)
    given = columns
    if has_labels:
        columns = {**columns, "choices": "", "distractors": ""}
    names = {field: _find_column(field, columns, present) for field in COLUMN_NAMES}
    inputs = [name for name in columns if name not in COLUMN_NAMES]
    names |= {name: columns[name] for name in inputs}
    if base is not None:
        for field in (*_OPTIONAL_FIELDS, *inputs):
            if not _are_present(names[field], present):
                names[field] = ""
    may_lack_target = "target" in columns or bool(base and base["target"])
    lacks_target = not names["target"] and not may_lack_target
    unmapped_choices = find_unmapped_choices(columns, names, sample)
    distractors = find_unmapped_distractors(columns, names, sample)
    is_unclear = bool(unmapped_choices or distractors)
    if not names["question"] or lacks_target or is_unclear:
        suggested = suggest_columns(
            names, columns, present, sample, unmapped_choices, distractors
        )
        if has_data_for_names(present, sample):
            raise _no_header_error(present, location)
        error = _unknown_columns_error(given, present, suggested, location)
        inside = describe_rows_inside(sample)
        raise ConfigError(f"{error}.{inside}") if inside else error
    _check_columns(names, present, location)
    _check_paths(columns, present, sample, location)
    return names


def check_tags(
    tags: Mapping[str, str],
    present: Sequence[str],
    sample: Sequence[Row],
    location: str,
    *,
    is_base: bool,
) -> dict[str, str]:
    """Return the column of each tag, without those that the split does not have.

    `is_base`: the split is the configured one, which must have them all. Raises
    ConfigError, as for a path that no row has.
    """
    found = {name: tag for name, tag in tags.items() if _are_present(tag, present)}
    for name, column in tags.items():
        if is_base and name not in found:
            raise ConfigError(
                f"{location}: --tag {shell_quote(f'{name}={column}')}: no column "
                f"{column!r} in its rows, which have {short_repr(list(present))}."
            )
    _check_paths(found, present, sample, location, option="--tag")
    return found


def make_getters(names: Mapping[str, str], present: Sequence[str]) -> dict[str, Getter]:
    """Return a getter for each field that has a column."""
    return {
        field: _make_getter(name, field, present)
        for field, name in names.items()
        if name
    }


def split_columns(name: str, present: Sequence[str]) -> list[str]:
    """Return the columns that a mapping names: one, "a,b,c", or those of a form.

    Raises ValueError for a form that cannot be filled.
    """
    if name in present:
        return [name]
    if is_question_form(name):
        return find_form_columns(name)
    return [part.strip() for part in name.split(",")]


def find_place(name: str, present: Sequence[str]) -> int:
    """Return the place of the first column that a mapping names, among all columns."""
    first = split_columns(name, present)[0]
    column = first if first in present else path_root(first)
    return list(present).index(column) if column in present else len(present)


def find_unused_columns(names: Iterable[str], present: Sequence[str]) -> list[str]:
    """Return the columns that no field reads, not even a part of them."""
    used = set()
    for name in names:
        for part in split_columns(name, present):
            used.add(part if part in present else path_root(part))
    return [name for name in present if name not in used]


def _find_column(field: str, columns: Mapping[str, str], present: Sequence[str]) -> str:
    """Return the mapped or recognised column of a field, "" if there is none."""
    if field in columns:
        return columns[field]
    recognised = (name for name in COLUMN_NAMES[field] if name in present)
    return next(recognised, "")


def _check_columns(
    names: Mapping[str, str], present: Sequence[str], location: str
) -> None:
    for field, name in names.items():
        if not name:
            continue
        may_be_form = field == "question" or field not in COLUMN_NAMES
        if is_question_form(name) and name not in present and not may_be_form:
            raise ConfigError(
                f"{location}: --map {field}={name}: a form in braces is for question "
                "and inputs. Name one column, or several with commas."
            )
        try:
            parts = split_columns(name, present)
        except ValueError as error:
            raise ConfigError(f"{location}: --map {field}={name} {error}.") from error
        for part in parts:
            _check_column(field, part, present, location)


def _check_paths(
    columns: Mapping[str, str],
    present: Sequence[str],
    sample: Sequence[Row],
    location: str,
    option: str = "--map",
) -> None:
    """Raise ConfigError for a path that no row of the sample has."""
    for field, name in columns.items():
        parts = split_columns(name, present) if name else []
        found = check_paths(dict.fromkeys(parts), sample)
        if found is not None:
            path, stop = found
            raise ConfigError(
                f"{location}: {option} {field}={path}: in the first rows "
                f"{stop.describe()}."
            )


def _check_column(
    field: str, column: str, present: Sequence[str], location: str
) -> None:
    if _are_present(column, present):
        return
    remedy = ""
    if field == "target":
        remedy = " Pass --map target= if no row has one."
    raise ConfigError(
        f"{location}: no column {column!r} in its rows, which have {short_repr(list(present))}."
        f"{remedy}"
    )


def _are_present(name: str, present: Sequence[str]) -> bool:
    if name in present:
        return True
    parts = [path_root(part.strip()) for part in name.split(",")]
    return any(part in present for part in parts)


def _make_getter(name: str, field: str, present: Sequence[str]) -> Getter:
    parts = split_columns(name, present)
    if is_question_form(name) and name not in present:
        return make_form_getter(
            name, {part: _path_getter(part, "", present) for part in parts}
        )
    if len(parts) == 1:
        return _path_getter(parts[0], field, present)
    # A row may lack some of several columns.
    ordered = [_path_getter(part, "", present) for part in parts]
    if field not in _LIST_FIELDS:
        return make_joined_getter(ordered)
    return lambda row: without_empty_end([get(row) for get in ordered], is_missing)


def _path_getter(path: str, field: str, present: Sequence[str]) -> Getter:
    if path in present:
        return lambda row: row.get(path)
    if field != "question":
        return lambda row: find_value(row, path)

    def get_question(row: Row) -> Any:
        value, stop = follow_path(row, path)
        if stop is not None:
            raise BadRow(BadRowReason.MISSING_FIELD, f"no question: {stop.describe()}.")
        return value

    return get_question


def _no_header_error(present: Sequence[str], location: str) -> ConfigError:
    return ConfigError(
        f"{location}: its columns seem to be named by a row of data, "
        f"{short_repr(list(present))}. Add the names of its {len(present)} columns, such "
        f"as: --header {_likely_header(len(present))}"
    )


def _likely_header(num_columns: int) -> str:
    """Return names for the columns of a table without a header: options come between."""
    options = [chr(ord("A") + number) for number in range(num_columns - 2)]
    if len(options) == 1 or len(options) > _MAX_LIKELY_OPTIONS:
        options = [f"column{number}" for number in range(2, num_columns)]
    return ",".join(["question", *options, "answer"])


def _unknown_columns_error(
    columns: Mapping[str, str],
    present: Sequence[str],
    suggested: Mapping[str, str],
    location: str,
) -> ConfigError:
    unknown = list(suggested) or ["question"]
    optional = [field for field in ("target", "choices") if field in unknown]
    without = " ".join(f"--map {field}=" for field in optional)
    hint = f" ({without} if the file has none)" if optional else ""
    if UNKNOWN_COLUMN in suggested.values():
        hint = f", with a column for {UNKNOWN_COLUMN}{hint}"
    return ConfigError(
        f"{location}: no column named {' or '.join(unknown)} among "
        f"{list(present)}. Columns id, question, choices, answer or target are "
        f"recognised. Add: {_format_options(columns, suggested)}{hint}"
    )


def _format_options(columns: Mapping[str, str], suggested: Mapping[str, str]) -> str:
    """Return --map options with the given columns, then the suggested ones."""
    given = {field: name for field, name in columns.items() if field not in suggested}
    pairs = {**given, **suggested}.items()
    return " ".join(f"--map {shell_quote(f'{field}={name}')}" for field, name in pairs)
