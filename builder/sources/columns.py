"""Find the columns of files of unknown shape, or suggest the --map options for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.paths import (
    check_paths,
    find_stop,
    find_value,
    path_root,
)
from cotbuild.builder.sources.targets import is_missing
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError

Getter = Callable[[Row], Any]
"""Returns the raw value of a field from a row."""

COLUMN_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question",),
    "choices": ("choices",),
    "target": ("target", "answer", "answerKey"),
    "other_targets": ("other_targets",),
    "kind": ("kind",),
    "rationale": ("rationale",),
}
"""Field to the column names recognised without a mapping, in order of precedence."""

_REQUIRED_FIELDS = ("question", "target")
_LIKELY_NAMES: dict[str, tuple[str, ...]] = {
    "question": (
        "question",
        "query",
        "problem",
        "prompt",
        "question_stem",
        "stem",
        "input",
        "text",
        "body",
    ),
    "choices": ("choices", "options", "endings", "candidates", "alternatives"),
    "target": (
        "target",
        "answer",
        "answerkey",
        "label",
        "gold",
        "correct",
        "solution",
        "output",
        "response",
        "truth",
    ),
}
"""Field to lower-case column names that are suggested, the likeliest first."""


def resolve_columns(
    columns: Mapping[str, str], sample: Sequence[Row], location: str
) -> dict[str, Getter]:
    """Return a getter for each field that the file has.

    `columns` is the user's mapping of fields to columns; other fields get the names in
    COLUMN_NAMES. A column may be a path ("question.stem", "choices[0].text") into nested
    values; see `paths`.
    "a,b,c" names several: as choices they are the options in order, as question their
    texts are joined by a space. "" means that the file has no such column.

    Raises ConfigError for unknown fields and columns, and with the --map options to add
    if the question, the target or the choices are not recognised.
    """
    present = _column_names(sample)
    _check_fields(columns, location)
    names = {field: _find_column(field, columns, present) for field in COLUMN_NAMES}
    is_incomplete = any(
        not names[field] and field not in columns for field in _REQUIRED_FIELDS
    )
    unmapped_choices = _find_unmapped_choices(columns, names, sample)
    if not names["question"] or is_incomplete or unmapped_choices:
        raise _unknown_columns_error(
            names, columns, present, unmapped_choices, location
        )
    _check_columns(columns.values(), present, location)
    _check_paths(columns, present, sample, location)
    return {
        field: _make_getter(name, field, present)
        for field, name in names.items()
        if name
    }


def _column_names(sample: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in sample for name in row))


def _find_column(field: str, columns: Mapping[str, str], present: Sequence[str]) -> str:
    """Return the mapped or recognised column of a field, "" if there is none."""
    if field in columns:
        return columns[field]
    recognised = (name for name in COLUMN_NAMES[field] if name in present)
    return next(recognised, "")


def _check_fields(columns: Mapping[str, str], location: str) -> None:
    for field, name in columns.items():
        if field not in COLUMN_NAMES:
            raise ConfigError(
                f"{location}: --map {field}={name}: no such field. Use one of "
                f"{list(COLUMN_NAMES)}."
            )


def _check_columns(names: Iterable[str], present: Sequence[str], location: str) -> None:
    for name in names:
        if not name:
            continue
        for part in _split_name(name, present):
            if part not in present and path_root(part) not in present:
                raise ConfigError(
                    f"{location}: no column {part!r} in the first rows, which have "
                    f"{list(present)}."
                )


def _check_paths(
    columns: Mapping[str, str],
    present: Sequence[str],
    sample: Sequence[Row],
    location: str,
) -> None:
    """Raise ConfigError for a path that no row of the sample has."""
    for field, name in columns.items():
        parts = _split_name(name, present) if name else []
        found = check_paths(dict.fromkeys(parts), sample)
        if found is not None:
            path, stop = found
            raise ConfigError(
                f"{location}: --map {field}={path}: in the first rows {stop.describe()}."
            )


def _split_name(name: str, present: Sequence[str]) -> list[str]:
    """Split "a,b,c" into its columns, unless there is a column of that very name."""
    if name in present:
        return [name]
    return [part.strip() for part in name.split(",")]


def _make_getter(name: str, field: str, present: Sequence[str]) -> Getter:
    parts = _split_name(name, present)
    if len(parts) == 1:
        return _path_getter(parts[0], field, present)
    # A row may lack some of several columns.
    getters = [_path_getter(part, "", present) for part in parts]

    def get_choices(row: Row) -> list[Any]:
        return _without_empty_end([get(row) for get in getters])

    def get_joined(row: Row) -> str:
        values = [get(row) for get in getters]
        return " ".join(str(value).strip() for value in values if not is_missing(value))

    return get_choices if field == "choices" else get_joined


def _path_getter(path: str, field: str, present: Sequence[str]) -> Getter:
    if path in present:
        return lambda row: row.get(path)
    if field != "question":
        return lambda row: find_value(row, path)

    def get_question(row: Row) -> Any:
        stop = find_stop(row, path)
        if stop is not None:
            raise BadRow(BadRowReason.MISSING_FIELD, f"no question: {stop.describe()}.")
        return find_value(row, path)

    return get_question


def _without_empty_end(values: list[Any]) -> list[Any]:
    while values and is_missing(values[-1]):
        values.pop()
    return values


def _find_unmapped_choices(
    columns: Mapping[str, str], names: Mapping[str, str], sample: Sequence[Row]
) -> str:
    """Return a column that seems to hold the choices under another name, "" for none.

    Without its choices a target such as "B" would be taken for a short text.
    """
    if names["choices"] or "choices" in columns:
        return ""
    first = sample[0]
    nested = [name for name in first if isinstance(first[name], list | dict)]
    return _guess_column("choices", nested)


def _unknown_columns_error(
    names: Mapping[str, str],
    columns: Mapping[str, str],
    present: Sequence[str],
    unmapped_choices: str,
    location: str,
) -> ConfigError:
    unknown = [
        field
        for field in _REQUIRED_FIELDS
        if not names[field] and columns.get(field) != ""
    ]
    unused = [name for name in present if name not in names.values()]
    suggested: dict[str, str] = {}
    for field in unknown:
        guess = _guess_column(field, unused)
        if guess:
            unused.remove(guess)
        suggested[field] = guess or "COL"
    if unmapped_choices:
        suggested["choices"] = unmapped_choices
        unknown.append("choices")
    hint = " (--map target= if the file has none)" if "target" in unknown else ""
    return ConfigError(
        f"{location}: no column named {' or '.join(unknown) or 'question'} among "
        f"{list(present)}. Columns id, question, choices, answer or target are "
        f"recognised. Add: {_format_options(columns, suggested)}{hint}"
    )


def _format_options(columns: Mapping[str, str], suggested: Mapping[str, str]) -> str:
    """Return --map options with the given columns, then the suggested ones."""
    given = {field: name for field, name in columns.items() if field not in suggested}
    pairs = {**given, **suggested}.items()
    return " ".join(f"--map {shell_quote(f'{field}={name}')}" for field, name in pairs)


def _guess_column(field: str, present: Sequence[str]) -> str:
    """Return the likeliest column of a field, "" if there is none.

    It has a likely name, in upper or lower case, or else one that contains such a name.
    """
    by_lower_name = {name.lower(): name for name in present}
    for likely_name in _LIKELY_NAMES[field]:
        if likely_name in by_lower_name:
            return by_lower_name[likely_name]
    for likely_name in _LIKELY_NAMES[field]:
        for lower_name, name in by_lower_name.items():
            if likely_name in lower_name:
                return name
    return ""
