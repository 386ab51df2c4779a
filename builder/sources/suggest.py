"""Suggest the --map options for files whose columns have other names.

Every suggestion is made from the columns and values of the first rows, so that the
options can be typed as they are printed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.base import Row, column_names
from cotbuild.builder.sources.choice_targets import parse_position
from cotbuild.builder.sources.choices import has_marks
from cotbuild.builder.sources.option_columns import (
    RunRole,
    find_option_runs,
    is_distractor_column,
)
from cotbuild.builder.sources.targets import is_missing

NAMELESS_COLUMN = "Unnamed: "
"""How the names of nameless columns begin: those of a table's index."""
UNKNOWN_COLUMN = "COL"
"""Stands for a column that cannot be guessed."""
MIN_TEXT_CHARS = 5
"""Mean length of the values of a column that may be part of a question."""
MIN_LENGTH_FRAC = 0.25
"""Mean length of a part of a question, as a fraction of that of the longest part."""
MAX_NAME_WORDS = 6
"""A name of more words is a sentence."""
MAX_FORM_COLUMNS = 3
"""Most columns of a question that is suggested as a form."""
_NOT_QUESTION = re.compile(
    r"explan|^exp$|rationale|solution|reason|comment|note|url|answer|correct|option",
    re.IGNORECASE,
)
_PASSAGE = re.compile(
    r"passage|context|ctx|article|paragraph|story|premise|background|document|text|body"
    r"|scenario|dialog|conversation|narrative|abstract|case|table|description|history",
    re.IGNORECASE,
)
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
        "goal",
        "ctx",
    ),
    "choices": ("choices", "options", "endings", "candidates", "alternatives"),
    "target": (
        "target",
        "answer",
        "answerkey",
        "label",
        "gold",
        "correct",
        "correct_answer",
        "solution",
        "output",
        "response",
        "truth",
    ),
}
"""Field to lower-case column names that are suggested, the likeliest first."""


def find_unmapped_choices(
    columns: Mapping[str, str], names: Mapping[str, str], sample: Sequence[Row]
) -> str:
    """Return a column that seems to hold the choices under another name, "" for none.

    Without its choices a target such as "B" would be taken for a short text.
    """
    is_known = names["choices"] or names["distractors"]
    if is_known or "choices" in columns or "distractors" in columns or not sample:
        return ""
    nested = _nested_columns(sample)
    texts = [name for name in column_names(sample) if _holds_texts(name, sample)]
    guess = _guess_by_name("choices", nested) or guess_exactly("choices", texts)
    return guess or _find_nested_choices(nested, sample)


def find_unmapped_distractors(
    columns: Mapping[str, str], names: Mapping[str, str], sample: Sequence[Row]
) -> str:
    """Return a column that seems to hold the wrong options alone, "" for none."""
    is_known = names["choices"] or names["distractors"]
    if is_known or "choices" in columns or "distractors" in columns:
        return ""
    wrong = [name for name in _nested_columns(sample) if is_distractor_column(name)]
    return next(iter(wrong), "")


def suggest_columns(
    names: Mapping[str, str],
    columns: Mapping[str, str],
    present: Sequence[str],
    sample: Sequence[Row],
    unmapped_choices: str,
    unmapped_distractors: str,
) -> dict[str, str]:
    """Return a column for each field that is not recognised, COL for want of one."""
    suggested: dict[str, str] = {}
    options = _option_columns(names, present)
    unused = [
        name for name in present if name not in names.values() and name not in options
    ]
    wants_question = not names["question"] and columns.get("question") != ""
    wants_target = not names["target"] and "target" not in columns
    if wants_question:
        parts = _guess_question(unused, sample)
        is_form = len(parts) > 1
        single = parts[0] if parts else UNKNOWN_COLUMN
        suggested["question"] = format_question_form(parts) if is_form else single
        unused = [name for name in unused if name not in parts]
    if wants_target:
        target = _guess_target(unused, options, unmapped_choices, sample)
        suggested["target"] = target or UNKNOWN_COLUMN
    if unmapped_choices:
        suggested["choices"] = unmapped_choices
    elif unmapped_distractors:
        suggested["distractors"] = unmapped_distractors
    return suggested


def mean_text_length(column: str, sample: Iterable[Row]) -> float:
    """Return the mean length of a column's values, 0 if they are not all texts.

    Values without a space between words, such as ids, count as no text.
    """
    values = [row.get(column) for row in sample]
    texts = [value for value in values if not is_missing(value)]
    lengths = [len(text) for text in texts if isinstance(text, str)]
    if not texts or len(lengths) < len(texts):
        return 0.0
    num_with_space = sum(" " in str(text).strip() for text in texts)
    if num_with_space * 2 < len(texts):
        return 0.0
    return sum(lengths) / len(texts)


def find_text_columns(columns: Sequence[str], sample: Sequence[Row]) -> list[str]:
    """Return the columns whose values may be part of a question."""
    return [
        name
        for name in columns
        if mean_text_length(name, sample) >= MIN_TEXT_CHARS
        and not _NOT_QUESTION.search(name)
    ]


def find_passage(columns: Sequence[str]) -> str:
    """Return the first column whose name is that of a passage, "" for none."""
    return next((name for name in columns if _PASSAGE.search(name)), "")


def has_data_for_names(present: Sequence[str], sample: Sequence[Row]) -> bool:
    """Return whether the names of columns seem to be the first row of a table.

    A name is then also a value of its column, or ends in a question mark, or one is a
    sentence and another a label or number.
    """
    if any(name.rstrip().endswith(("?", "\uff1f")) for name in present):
        return True
    if any(row.get(name) == name for row in sample for name in present if name):
        return True
    has_sentence = any(len(name.split()) > MAX_NAME_WORDS for name in present)
    runs = find_option_runs(present)
    in_runs = {column for run in runs for column in run.columns}
    labels = [
        name
        for name in present
        if (len(name) == 1 and name not in in_runs) or name.isdecimal()
    ]
    return has_sentence and bool(labels)


def format_question_form(columns: Sequence[str]) -> str:
    r"""Return a form such as "Premise: {premise}\nHypothesis: {hypothesis}"."""
    lines = [f"{name[:1].upper()}{name[1:]}: {{{name}}}" for name in columns]
    return r"\n".join(lines)


def _option_columns(names: Mapping[str, str], present: Sequence[str]) -> list[str]:
    """Return the columns of the run that may be the options, or of all of them."""
    if names["choices"] or names["distractors"]:
        return []
    runs = [run for run in find_option_runs(present) if run.role is not RunRole.UNKNOWN]
    return [column for run in runs for column in run.columns]


def _guess_question(unused: Sequence[str], sample: Sequence[Row]) -> list[str]:
    """Return the column of the question, or the columns of a form; empty for none."""
    readable = [name for name in unused if not _is_nested(name, sample)]
    exact = guess_exactly("question", readable)
    if exact:
        return [exact]
    texts = _without_short(find_text_columns(readable, sample), sample)
    has_braces = any("{" in name or "}" in name for name in texts)
    if 1 < len(texts) <= MAX_FORM_COLUMNS and not has_braces:
        return texts
    if texts:
        return [max(texts, key=lambda name: mean_text_length(name, sample))]
    likely = _guess_by_name("question", readable)
    target = _guess_by_name("target", readable)
    others = [name for name in readable if name != target and _is_text(name, sample)]
    if likely or len(others) == 1:
        return [likely or others[0]]
    return []


def _without_short(texts: Sequence[str], sample: Sequence[Row]) -> list[str]:
    """Return the columns of texts that are not short beside the longest, as a topic is."""
    lengths = {name: mean_text_length(name, sample) for name in texts}
    longest = max(lengths.values(), default=0.0)
    return [name for name in texts if lengths[name] >= MIN_LENGTH_FRAC * longest]


def _is_text(column: str, sample: Sequence[Row]) -> bool:
    """Return whether a column has texts alone, and no two rows the same."""
    values = [row.get(column) for row in sample]
    are_texts = all(isinstance(value, str) and value.strip() for value in values)
    return are_texts and len(set(map(str, values))) == len(values)


def _guess_target(
    unused: Sequence[str],
    options: Sequence[str],
    unmapped_choices: str,
    sample: Sequence[Row],
) -> str:
    if unmapped_choices.endswith(".choices"):
        return unmapped_choices.removesuffix("choices") + "labels"
    value = sample[0].get(unmapped_choices) if sample else None
    if isinstance(value, dict) and has_marks(value):
        return unmapped_choices
    plain = [name for name in unused if not _is_nested(name, sample)]
    candidates = [name for name in plain if not is_distractor_column(name)]
    exact = guess_exactly("target", candidates)
    if exact:
        return exact
    fitting = [name for name in candidates if _names_options(name, options, sample)]
    if len(fitting) == 1:
        return fitting[0]
    lists = [name for name in unused if name not in (*plain, unmapped_choices)]
    likely = _guess_by_name("target", [*candidates, *lists])
    if likely:
        return _with_text_field(likely, sample)
    in_runs = {name for run in find_option_runs(unused) for name in run.columns}
    others = [
        name
        for name in candidates
        if name not in in_runs and not name.startswith(NAMELESS_COLUMN)
    ]
    return others[0] if len(others) == 1 else ""


def _with_text_field(column: str, sample: Sequence[Row]) -> str:
    """Return the path to the texts of a column such as {"text": ["a"], "start": [1]}."""
    has_texts = any(
        isinstance(value, dict) and "text" in value
        for value in (row.get(column) for row in sample)
    )
    return f"{column}.text" if has_texts else column


def _names_options(column: str, options: Sequence[str], sample: Sequence[Row]) -> bool:
    """Return whether every value of a column is a position or a text of the options."""
    values = [(row.get(column), row) for row in sample]
    present = [(value, row) for value, row in values if not is_missing(value)]
    if not options or not present:
        return False
    return all(_names_option(value, row, options) for value, row in present)


def _names_option(value: object, row: Row, options: Sequence[str]) -> bool:
    position = parse_position(value)
    if position is not None:
        return -1 <= position <= len(options)
    return isinstance(value, str) and value in [row.get(name) for name in options]


def _has_counting_keys(value: Mapping[Any, Any]) -> bool:
    """Return whether the keys of an object count, and its values are texts or numbers."""
    keys = [key for key in value if isinstance(key, str)]
    are_plain = all(
        item is None or isinstance(item, str | int | float) for item in value.values()
    )
    runs = find_option_runs(keys)
    return are_plain and any(len(run.columns) == len(value) for run in runs)


def _nested_columns(sample: Sequence[Row]) -> list[str]:
    return [name for name in column_names(sample) if _is_nested(name, sample)]


def _holds_texts(column: str, sample: Sequence[Row]) -> bool:
    """Return whether a column has texts alone, as a cell of a table may hold choices."""
    values = [row.get(column) for row in sample]
    texts = [value for value in values if not is_missing(value)]
    return bool(texts) and all(isinstance(text, str) for text in texts)


def _is_nested(column: str, sample: Sequence[Row]) -> bool:
    values = (row.get(column) for row in sample)
    first: Any = next((value for value in values if not is_missing(value)), None)
    return isinstance(first, list | tuple | dict)


def _find_nested_choices(nested: Sequence[str], sample: Sequence[Row]) -> str:
    """Return the choices in a column such as {"choices": […], "labels": [1, 0, 0]}.

    An object whose keys count, such as {"a": "red", "b": "blue"}, holds them too.
    """
    for name in nested:
        value = sample[0].get(name)
        if not isinstance(value, dict):
            continue
        if {"choices", "labels"} <= value.keys():
            return f"{name}.choices"
        if has_marks(value):
            return name
        if _has_counting_keys(value):
            return name
    return ""


def guess_exactly(field: str, present: Sequence[str]) -> str:
    """Return the column that has a likely name of a field, "" if there is none.

    The likeliest takes precedence; upper and lower case are the same.
    """
    by_lower_name = {name.lower(): name for name in present}
    likely = (name for name in _LIKELY_NAMES[field] if name in by_lower_name)
    first = next(likely, None)
    return "" if first is None else by_lower_name[first]


def _guess_by_name(field: str, present: Sequence[str]) -> str:
    """Return the likeliest column of a field, "" if there is none.

    It has a likely name, in upper or lower case, or else one that contains such a name.
    """
    exact = guess_exactly(field, present)
    if exact:
        return exact
    for likely_name in _LIKELY_NAMES[field]:
        similar = [name for name in present if likely_name in name.lower()]
        if similar:
            return min(similar, key=len)
    return ""
