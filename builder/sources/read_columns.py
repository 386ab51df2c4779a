"""Read what the columns of a split mean, from all its rows."""

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
    column_names,
)
from cotbuild.builder.sources.choice_targets import (
    FIRST_POSITIONS,
    ChoiceEvidence,
)
from cotbuild.builder.sources.columns import (
    COLUMN_NAMES,
    check_tags,
    find_place,
    find_unused_columns,
    make_getters,
    resolve_columns,
)
from cotbuild.builder.sources.generic import name_labels
from cotbuild.builder.sources.inputs import find_image_names
from cotbuild.builder.sources.make import ChoicePairs
from cotbuild.builder.sources.option_columns import OptionRun, find_option_runs
from cotbuild.builder.sources.reading import (
    Reading,
    check_codes,
    check_empty_target,
    check_label_codes,
    check_question,
    decide_form,
    decide_kind,
    decide_run,
    letter_labels,
)
from cotbuild.builder.sources.reading_line import describe_reading, unused_columns
from cotbuild.builder.sources.suggest import (
    find_text_columns,
    guess_exactly,
    mean_text_length,
)
from cotbuild.builder.sources.survey import Survey, add_columns, survey_rows
from cotbuild.builder.sources.targets import is_missing, parse_yes_no
from cotbuild.schemas.config import MAX_LABELS, SourceConfig, TargetForm
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import QuestionKind

SAMPLE_ROWS = 100
"""First rows from which columns are recognised before all rows are read."""
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
    return islice(rows, _max_rows(rows))


def _max_rows(rows: RowReader) -> int | None:
    return rows.survey_rows if isinstance(rows, HasSurveyLimit) else None


def _all_columns(rows: RowReader) -> dict[str, None]:
    present: dict[str, None] = {}
    for row in _all_rows(rows):
        if not isinstance(row, BadRow):
            add_columns(present, row)
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
        names = resolve_columns(
            self.config.columns,
            present,
            self.sample,
            location,
            base_names,
            has_labels=bool(self.config.labels),
        )
        runs = self._possible_runs(names, present)
        tags = check_tags(
            self.config.tags, present, self.sample, location, is_base=self.base is None
        )
        label_names = self._label_names(names["target"])
        getters = make_getters(names, present)
        labels = self._shared_labels(names, runs, label_names)
        named = () if labels or runs or names["choices"] else label_names
        survey = survey_rows(
            enumerate(_all_rows(self.rows)), name_labels(getters, named), runs, labels
        )
        survey.is_cut = survey.num_rows == _max_rows(self.rows)
        reading = self._decide(names, present, survey, labels, named)
        inputs = self._order_inputs(names, present)
        pictures = find_image_names(getters, inputs, self.sample)
        reading = replace(reading, input_names=inputs, image_names=pictures, tags=tags)
        texts = self._unused_texts(reading)
        if self.base is None:
            self._check_recognised(reading, survey, texts)
        line = describe_reading(reading, survey, self.config, texts)
        return survey, UnderstoodColumns(reading, line)

    def _order_inputs(
        self, names: Mapping[str, str], present: Sequence[str]
    ) -> tuple[str, ...]:
        """Return the inputs in the order of their columns in the configured split.

        Not in that of the mapping, which is the same mapping in any order.
        """
        mapped = (name for name in names if name not in COLUMN_NAMES and names[name])
        inputs = sorted(
            mapped, key=lambda name: (find_place(names[name], present), name)
        )
        if self.base is None:
            return tuple(inputs)
        base = self.base.input_names
        last = len(base)
        return tuple(
            sorted(inputs, key=lambda name: base.index(name) if name in base else last)
        )

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
        check_label_codes(survey, self.config, names["target"], self.rows.location)
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
