"""Say in a line how the columns of a split were understood."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.sources.choice_targets import FORM_WORDS
from cotbuild.builder.sources.columns import find_unused_columns, split_columns
from cotbuild.builder.sources.distractors import PLACEMENT
from cotbuild.builder.sources.reading import MIN_REPEATS, Reading
from cotbuild.builder.sources.suggest import NAMELESS_COLUMN, find_passage
from cotbuild.builder.sources.survey import MAX_DISTINCT, Survey
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.question import QuestionKind

_SHOWN_COLUMNS = 6
_MAX_NAME_CHARS = 60
_CHOICE = QuestionKind.CHOICE


def unused_columns(reading: Reading) -> list[str]:
    """Return the columns that no field reads."""
    used = [name for name in (*reading.names.values(), *reading.tags.values()) if name]
    unused = find_unused_columns(used, reading.present)
    run = () if reading.run is None else reading.run.columns
    return [
        name
        for name in unused
        if name not in run and not name.startswith(NAMELESS_COLUMN)
    ]


def describe_reading(
    reading: Reading, survey: Survey, config: SourceConfig, texts: Sequence[str]
) -> str:
    """Return how a split's columns were understood, and the options that change it.

    `texts` are the columns of texts that are not used.
    """
    clauses = [
        _kind_clause(reading),
        *_question_clause(reading),
        *_inputs_clause(reading),
        *_options_clause(reading),
        _target_clause(reading, survey),
        *_tags_clause(reading),
        *_unused_clause(reading, texts),
    ]
    flags = ["--map", "--kind"]
    if reading.form is not None and config.target_is is None:
        flags.append("--target-is")
    return f"{'; '.join(clauses)} (change with {', '.join(flags)})"


def _kind_clause(reading: Reading) -> str:
    if reading.kind is None:
        return f"questions of the kind in column {reading.names['kind']}"
    return f"{reading.kind.value} questions"


def _question_clause(reading: Reading) -> Iterator[str]:
    columns = split_columns(reading.names["question"], reading.present)
    if columns != ["question"]:
        yield f"question from {_list(columns)}"


def _inputs_clause(reading: Reading) -> Iterator[str]:
    shown = [_describe_input(name, reading) for name in reading.input_names]
    if shown:
        yield f"inputs: {_list(shown)}"


def _describe_input(name: str, reading: Reading) -> str:
    columns = split_columns(reading.names[name], reading.present)
    source = "" if columns == [name] else f" from {' and '.join(columns)}"
    return f"{name}{source}{' (picture)' if name in reading.image_names else ''}"


def _tags_clause(reading: Reading) -> Iterator[str]:
    shown = [
        name if name == column else f"{name} from {column}"
        for name, column in reading.tags.items()
    ]
    if shown:
        yield f"tags: {_list(shown)}"


def _options_clause(reading: Reading) -> Iterator[str]:
    if reading.kind not in (None, _CHOICE):
        return
    if reading.labels:
        yield f"options {_list([text for _, text in reading.labels])}"
        return
    columns: Sequence[str] = ()
    if reading.run is not None:
        columns = reading.run.columns
    elif reading.names["distractors"] or reading.names["choices"]:
        name = reading.names["distractors"] or reading.names["choices"]
        columns = split_columns(name, reading.present)
    if columns and reading.has_distractors:
        yield f"wrong options from {_list(columns)}, the right one placed by {PLACEMENT}"
    elif columns:
        yield f"options from {_list(columns)}"


def _target_clause(reading: Reading, survey: Survey) -> str:
    if not reading.has_targets:
        return "no targets"
    count, words = _count_telling(reading, survey)
    column = _list(split_columns(reading.names["target"], reading.present))
    total = f"{'the first ' if survey.is_cut else ''}{survey.num_rows:,}"
    return f"target {column} as {words} ({count:,} of {total} rows tell)"


def _count_telling(reading: Reading, survey: Survey) -> tuple[int, str]:
    """Return the number of targets that are what they are read as, and its name."""
    targets = survey.targets
    if reading.kind is QuestionKind.NUMBER:
        return targets.number, "number"
    if reading.kind is QuestionKind.YES_NO:
        return targets.yes_no, "yes or no"
    if reading.kind is QuestionKind.PROSE:
        return targets.total, "reference"
    if reading.kind is QuestionKind.TEXT and reading.has_lists:
        return targets.total, "list of texts"
    if reading.kind is QuestionKind.TEXT:
        return targets.total, "text" + _text_note(survey)
    if reading.has_distractors:
        return targets.total, "text of the right option"
    run = reading.run
    evidence = survey.evidence if run is None else survey.runs[run]
    if evidence.num_marked and evidence.num_marked == evidence.num_targets:
        return evidence.num_marked, "mark of the right option"
    if reading.kind is None:
        return targets.total, "the row's kind says"
    return evidence.count_telling(reading.form), FORM_WORDS[reading.form]


def _text_note(survey: Survey) -> str:
    """Return what else the targets of text questions may be, "" for nothing."""
    targets = survey.targets
    if targets.number:
        return f", {targets.number:,} of them numbers"
    few = 2 <= len(targets.distinct) <= MAX_DISTINCT
    if few and targets.total >= MIN_REPEATS * len(targets.distinct):
        return f", {len(targets.distinct)} different ones (--labels makes them options)"
    return ""


def _unused_clause(reading: Reading, texts: Sequence[str]) -> Iterator[str]:
    unused = unused_columns(reading)
    if not unused:
        return
    clause = f"not used: {_list(unused)}"
    question = reading.names["question"]
    passage = find_passage(texts)
    if passage and question in reading.present:
        form = shell_quote(f"question={{{passage}}}\\n{{{question}}}")
        clause += f", where --map {form} shows {_short(passage)}"
    yield clause


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(_short(name) for name in names[:_SHOWN_COLUMNS])
    num_more = len(names) - _SHOWN_COLUMNS
    return f"{shown} and {num_more} more" if num_more > 0 else shown


def _short(name: str) -> str:
    return name if len(name) <= _MAX_NAME_CHARS else f"{name[:_MAX_NAME_CHARS]}…"
