"""Read what the columns of a split mean, and say it in a line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from cotbuild.builder.sources.base import (
    BadRow,
    HasLabelNames,
    HasSurveyLimit,
    Row,
    RowReader,
)
from cotbuild.builder.sources.choice_targets import (
    FIRST_POSITIONS,
    FORM_WORDS,
    ChoiceEvidence,
)
from cotbuild.builder.sources.columns import (
    find_unused_columns,
    make_getters,
    resolve_columns,
    split_columns,
)
from cotbuild.builder.sources.distractors import PLACEMENT
from cotbuild.builder.sources.generic import name_labels
from cotbuild.builder.sources.make import ChoicePairs
from cotbuild.builder.sources.option_columns import OptionRun, find_option_runs
from cotbuild.builder.sources.reading import (
    MIN_REPEATS,
    Reading,
    check_codes,
    check_empty_target,
    check_question,
    decide_form,
    decide_kind,
    decide_run,
    letter_labels,
)
from cotbuild.builder.sources.suggest import (
    column_names,
    find_passage,
    find_text_columns,
    guess_exactly,
    mean_text_length,
)
from cotbuild.builder.sources.survey import MAX_DISTINCT, Survey, survey_rows
from cotbuild.builder.sources.targets import is_missing, parse_yes_no
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.config import MAX_LABELS, SourceConfig, TargetForm
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import QuestionKind

SAMPLE_ROWS = 100
"""First rows from which columns are recognised before all rows are read."""
NAMELESS_COLUMN = "Unnamed: "
"""How the names of nameless columns begin: those of a table's index."""
_SHOWN_COLUMNS = 6
_MAX_NAME_CHARS = 60
_CHOICE = QuestionKind.CHOICE


class UnderstoodColumns(NamedTuple):
    """The reading of a split's columns, and the line that says what it is."""

    reading: Reading
    line: str


def read_sample(rows: RowReader) -> list[Row]:
    """Return the readable rows among the first ones; raises DataError if none is."""
    first = list(islice(rows, SAMPLE_ROWS))
    sample = [row for row in first if not isinstance(row, BadRow)]
    if not first:
        raise DataError(f"{rows.location}: no rows.")
    if not sample:
        raise DataError(
            f"{rows.location}: none of the first {len(first)} rows can be read: "
            f"{first[0]}"
        )
    return sample


def read_columns(
    rows: RowReader,
    sample: Sequence[Row],
    config: SourceConfig,
    base: Reading | None = None,
) -> UnderstoodColumns:
    """Return what the columns of a split mean, decided over all its rows.

    `sample` are its first rows, at least one. `base` is the reading of another split
    under the same mapping, which decides where this one has no targets. Raises
    ConfigError if columns are not recognised or undecided, and DataError if the targets
    are ambiguous.
    """
    present = column_names(sample)
    reader = _ColumnReader(rows, sample, config, base)
    try:
        survey, understood = reader.read(present)
    except (ConfigError, DataError):
        all_columns = list(_all_columns(rows))
        if len(all_columns) == len(present):
            raise
        return reader.read(all_columns)[1]
    if len(survey.present) > len(present):
        return reader.read(list(survey.present))[1]
    return understood


def _all_rows(rows: RowReader) -> Iterator[Row | BadRow]:
    """Yield the rows that decide: all of them, or the first ones of a stream."""
    limit = rows.survey_rows if isinstance(rows, HasSurveyLimit) else None
    return islice(rows, limit)


def _all_columns(rows: RowReader) -> dict[str, None]:
    present: dict[str, None] = {}
    for row in _all_rows(rows):
        if not isinstance(row, BadRow):
            present.update(dict.fromkeys(row))
    return present


@dataclass(frozen=True)
class _ColumnReader:
    rows: RowReader
    sample: Sequence[Row]
    config: SourceConfig
    base: Reading | None

    def read(self, present: Sequence[str]) -> tuple[Survey, UnderstoodColumns]:
        """Return the survey of all rows and the reading, given the columns of rows."""
        location = self.rows.location
        base_names = None if self.base is None else self.base.names
        columns = self.config.columns
        if self.config.labels:  # the rows' own choices are not used
            columns = {**columns, "choices": "", "distractors": ""}
        names = resolve_columns(columns, present, self.sample, location, base_names)
        runs = self._possible_runs(names, present)
        label_names = self._label_names(names["target"])
        getters = make_getters(names, present)
        labels = self._shared_labels(names, runs, label_names)
        named = () if labels or runs or names["choices"] else label_names
        survey = survey_rows(
            enumerate(_all_rows(self.rows)), name_labels(getters, named), runs, labels
        )
        reading = self._decide(names, present, survey, labels, named)
        texts = self._unused_texts(reading)
        if self.base is None:
            self._check_recognised(reading, survey, texts)
        line = describe_reading(reading, survey, self.config, texts)
        return survey, UnderstoodColumns(reading, line)

    def _possible_runs(
        self, names: Mapping[str, str], present: Sequence[str]
    ) -> list[OptionRun]:
        """Return the runs of columns that may hold the options, if nothing else does."""
        config = self.config
        is_mapped = "choices" in config.columns or "distractors" in config.columns
        if is_mapped or names["choices"] or names["distractors"] or config.labels:
            return []
        if config.kind not in (None, _CHOICE):
            return []
        unused = set(find_unused_columns(filter(None, names.values()), present))
        return [
            run
            for run in find_option_runs(present)
            if unused.issuperset(run.columns)
            and not any("," in column for column in run.columns)
        ]

    def _label_names(self, column: str) -> tuple[str, ...]:
        """Return the names that the file gives for whole numbers in a column."""
        return tuple(self._all_label_names.get(column, ()))

    @cached_property
    def _all_label_names(self) -> Mapping[str, Sequence[str]]:
        if not isinstance(self.rows, HasLabelNames):
            return {}
        return self.rows.label_names()

    def _shared_labels(
        self,
        names: Mapping[str, str],
        runs: Sequence[OptionRun],
        label_names: Sequence[str],
    ) -> ChoicePairs:
        """Return the choices that all rows share, empty if there are none."""
        if self.config.labels:
            return letter_labels(self.config.labels)
        has_options = names["choices"] or names["distractors"] or runs
        is_yes_no = all(parse_yes_no(name) for name in label_names)
        is_lettered = len(label_names) <= MAX_LABELS and not is_yes_no
        is_choice = self.config.kind in (None, _CHOICE)
        if has_options or not is_lettered or not is_choice:
            return []
        return letter_labels(label_names)

    def _decide(
        self,
        names: Mapping[str, str],
        present: Sequence[str],
        survey: Survey,
        labels: ChoicePairs,
        label_names: tuple[str, ...],
    ) -> Reading:
        run = decide_run(survey, self.base, self.rows.location)
        reading = Reading(
            names,
            tuple(present),
            kind=self.config.kind,
            has_targets=survey.targets.total > 0,
            has_lists=0 < survey.targets.total == survey.targets.lists,
            run=run,
            labels=labels,
            label_names=label_names,
        )
        reading = replace(reading, kind=self._kind(reading, survey))
        if reading.kind not in (None, _CHOICE) or reading.has_distractors:
            return reading
        evidence = survey.evidence if run is None else survey.runs[run]
        form = self._form(names["target"], evidence)
        may_be_empty = form in FIRST_POSITIONS or not evidence.num_targets
        num_empty = evidence.num_minus_one if may_be_empty else 0
        has_targets = survey.targets.total > num_empty
        return replace(reading, form=form, has_targets=has_targets)

    def _kind(self, reading: Reading, survey: Survey) -> QuestionKind | None:
        """Return the kind of all questions, None if each row states its own.

        A configured kind takes precedence over the column.
        """
        location, configured = self.rows.location, self.config.kind
        has_choices = reading.has_choices or reading.has_distractors
        if configured is _CHOICE and not has_choices:
            raise ConfigError(
                f"{location}: kind choice and no column for choices. Add: --map "
                "choices=COL or --labels NAME,NAME, or another --kind."
            )
        if configured is not None or reading.names["kind"]:
            return configured
        if survey.num_choices or reading.run is not None or reading.has_distractors:
            return _CHOICE
        kind = decide_kind(survey, self.config, self.base, location)
        if kind is QuestionKind.NUMBER and self.base is None:
            check_codes(survey, reading.names["target"], location)
        return kind

    def _form(self, target: str, evidence: ChoiceEvidence) -> TargetForm | None:
        if self.config.target_is is None and self._label_names(target):
            are_positions = evidence.whole["index0"] == evidence.num_whole
            if evidence.num_whole and are_positions:
                return "index0"
        return decide_form(evidence, self.config, self.base, self.rows.location)

    def _check_recognised(
        self, reading: Reading, survey: Survey, texts: Sequence[str]
    ) -> None:
        """Raise ConfigError if a column that was recognised is not the one that is meant."""
        location, names = self.rows.location, reading.names
        if "question" not in self.config.columns:
            varied = [name for name in texts if self._is_varied(name)]
            check_question(survey, names["question"], varied, location)
        if "target" not in self.config.columns and not reading.has_targets:
            filled = [name for name in unused_columns(reading) if self._is_filled(name)]
            check_empty_target(
                names["target"], guess_exactly("target", filled), location
            )

    def _unused_texts(self, reading: Reading) -> list[str]:
        """Return the columns of texts that are not used, the longest first."""
        texts = find_text_columns(unused_columns(reading), self.sample)
        return sorted(texts, key=lambda name: -mean_text_length(name, self.sample))

    def _is_varied(self, column: str) -> bool:
        """Return whether a column of texts differs from row to row."""
        return 2 * len({row.get(column) for row in self.sample}) > len(self.sample)

    def _is_filled(self, column: str) -> bool:
        return any(not is_missing(row.get(column)) for row in self.sample)


def unused_columns(reading: Reading) -> list[str]:
    """Return the columns that no field reads."""
    used = [name for name in reading.names.values() if name]
    unused = find_unused_columns(used, reading.present)
    run = () if reading.run is None else reading.run.columns
    return [
        name
        for name in unused
        if name not in run and not name.startswith(NAMELESS_COLUMN)
    ]


# -- the line --------------------------------------------------------------------------


def describe_reading(
    reading: Reading, survey: Survey, config: SourceConfig, texts: Sequence[str]
) -> str:
    """Return how a split's columns were understood, and the options that change it.

    `texts` are the columns of texts that are not used.
    """
    clauses = [
        _kind_clause(reading),
        *_question_clause(reading),
        *_options_clause(reading),
        _target_clause(reading, survey),
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
    total = survey.num_rows
    return f"target {column} as {words} ({count:,} of {total:,} rows tell)"


def _count_telling(reading: Reading, survey: Survey) -> tuple[int, str]:
    """Return the number of targets that are what they are read as, and its name."""
    targets = survey.targets
    if reading.kind is QuestionKind.NUMBER:
        return targets.number, "number"
    if reading.kind is QuestionKind.YES_NO:
        return targets.yes_no, "yes or no"
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
