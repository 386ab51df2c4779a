"""Which column holds what, in files of unknown shape; where that cannot be told, the
line to type.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.base import Row
from cotbuild.builder.sources.targets import is_missing
from cotbuild.schemas.errors import ConfigError

Getter = Callable[[Row], Any]

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question",),
    "choices": ("choices",),
    "target": ("target", "answer", "answerKey"),
    "other_targets": ("other_targets",),
    "kind": ("kind",),
    "rationale": ("rationale",),
}
"""Fields and the column names taken without a mapping, the first present one first."""

_GUESSES: dict[str, tuple[str, ...]] = {
    "id": ("qid", "question_id", "uid", "idx"),
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


def resolve(
    columns: Mapping[str, str], sample: Sequence[Row], where: str
) -> dict[str, Getter]:
    """Field to getter of its raw value; `columns` is what the user said, and goes
    before names taken by themselves.

    A column may be dotted ("question.stem") to reach into nested fields. "a,b,c" names
    several: as choices these are the options in order, as question their texts are
    joined by a space. "" says that the file has no such column. Raises ConfigError
    where question or target cannot be told, with the --map options to type.
    """
    present = list(dict.fromkeys(name for row in sample for name in row))
    _check_fields(columns, where)
    found = {
        field: columns.get(field, next((n for n in names if n in present), ""))
        for field, names in NAMES.items()
    }
    missing = [f for f in ("question", "target") if not found[f] and f not in columns]
    if not found["question"] or missing or _overlooked_choices(columns, found, sample):
        raise _unknown_shape(found, columns, present, sample, where)
    for name in filter(None, columns.values()):
        _check_present(name, present, where)
    return {
        field: _getter(name, field, present) for field, name in found.items() if name
    }


def _check_fields(columns: Mapping[str, str], where: str) -> None:
    for field in columns:
        if field not in NAMES:
            raise ConfigError(
                f"{where}: --map {field}={columns[field]}: no such field. Use one of {list(NAMES)}."
            )


def _check_present(name: str, present: Sequence[str], where: str) -> None:
    for part in _parts(name, present):
        if part not in present and part.partition(".")[0] not in present:
            raise ConfigError(
                f"{where}: no column {part!r} in the first rows, which have {list(present)}."
            )


def _parts(name: str, present: Sequence[str]) -> list[str]:
    return [name] if name in present else [part.strip() for part in name.split(",")]


def _getter(name: str, field: str, present: Sequence[str]) -> Getter:
    parts = _parts(name, present)
    if len(parts) == 1:
        return _path_getter(parts[0], present)
    getters = [_path_getter(part, present) for part in parts]
    if field == "choices":
        return lambda row: _without_empty_end([get(row) for get in getters])
    return lambda row: " ".join(
        str(value).strip() for get in getters if not is_missing(value := get(row))
    )


def _path_getter(path: str, present: Sequence[str]) -> Getter:
    if path in present:
        return lambda row: row.get(path)
    keys = path.split(".")

    def get(row: Row) -> Any:
        value: Any = row
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return get


def _without_empty_end(values: list[Any]) -> list[Any]:
    while values and is_missing(values[-1]):
        values.pop()
    return values


def _overlooked_choices(
    columns: Mapping[str, str], found: Mapping[str, str], sample: Sequence[Row]
) -> bool:
    """Whether there are options under another name: a target "B" alone would make a
    nonsense text question.
    """
    return (
        not found["choices"]
        and "choices" not in columns
        and bool(_guess("choices", _nested(sample)))
    )


def _nested(sample: Sequence[Row]) -> list[str]:
    return [name for name in sample[0] if isinstance(sample[0][name], list | dict)]


def _unknown_shape(
    found: Mapping[str, str],
    columns: Mapping[str, str],
    present: Sequence[str],
    sample: Sequence[Row],
    where: str,
) -> ConfigError:
    unknown = [
        f for f in ("question", "target") if not found[f] and columns.get(f) != ""
    ]
    free = [name for name in present if name not in found.values()]
    wanted: dict[str, str] = {}
    for field in unknown:
        guess = _guess(field, [name for name in free if name not in wanted.values()])
        wanted[field] = guess or "COL"
    if (
        not found["choices"]
        and "choices" not in columns
        and (options := _guess("choices", _nested(sample)))
    ):
        wanted["choices"] = options
        unknown.append("choices")
    said = {field: name for field, name in columns.items() if field not in wanted}
    line = " ".join(
        f"--map {shlex.quote(f'{field}={name}')}"
        for field, name in {**said, **wanted}.items()
    )
    without = " (--map target= where the file has none)" if "target" in unknown else ""
    return ConfigError(
        f"{where}: no column named {' or '.join(unknown) or 'question'} among {list(present)}. "
        f"Columns id, question, choices, answer or target are recognised. Add: {line}{without}"
    )


def _guess(field: str, present: Sequence[str]) -> str:
    """The likeliest column: a known name in any capitals, else a name that has one of
    them as a part; "" for none.
    """
    lowered = {name.lower(): name for name in present}
    whole = [lowered[name] for name in _GUESSES[field] if name in lowered]
    part = [lowered[low] for name in _GUESSES[field] for low in lowered if name in low]
    return next(iter(whole + part), "")
