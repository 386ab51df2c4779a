"""Look at all rows of a file once, to decide what its columns mean.

A row late in a file counts as much as the first one. What is kept does not grow with the
number of rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.choice_targets import ChoiceEvidence, parse_position
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.make import ChoicePairs, join_texts
from cotbuild.builder.sources.option_columns import OptionRun
from cotbuild.builder.sources.python_text import read_text_list
from cotbuild.builder.sources.question_form import Getter
from cotbuild.builder.sources.targets import is_missing, parse_number, parse_yes_no
from cotbuild.schemas.question import QuestionKind

MAX_DISTINCT = 20
"""Different questions and targets that are told apart; a file that has more has many."""
MAX_COLUMNS = 10_000
_MAX_TEXT_CHARS = 200
"""Of longer targets and questions, only the beginning is kept and compared."""


@dataclass
class TargetCounts:
    """Targets that are not empty, by what they can be read as."""

    total: int = 0
    yes_no: int = 0
    number: int = 0
    whole: int = 0
    """Whole numbers, which codes of labels are, also in a text."""
    lists: int = 0
    """Lists of texts that are written in a text, as CSV has them."""
    first_other: object = None
    """The first target that is neither yes or no nor a number."""
    other_row: int = -1
    """Its position."""
    distinct: set[str] = field(default_factory=set)
    """The texts of the first MAX_DISTINCT + 1 different targets."""

    def add(self, value: object, position: int) -> None:
        """Count one target."""
        self.total += 1
        is_number = parse_number(value) is not None
        is_yes_no = parse_yes_no(value) is not None
        self.number += is_number
        self.lists += read_text_list(value) is not None
        self.yes_no += is_yes_no
        self.whole += parse_position(value) is not None
        if not is_number and not is_yes_no and self.other_row < 0:
            self.first_other, self.other_row = value, position
        if len(self.distinct) <= MAX_DISTINCT:
            self.distinct.add(str(value)[:_MAX_TEXT_CHARS])


@dataclass
class Survey:
    """What all rows of a split show, under one assignment of columns to fields."""

    present: dict[str, None] = field(default_factory=dict)
    """The columns of all rows, in the order in which they come."""
    num_rows: int = 0
    """Readable rows."""
    is_cut: bool = False
    """Whether there may be more rows than were looked at."""
    num_choices: int = 0
    """Rows whose choices are not empty."""
    targets: TargetCounts = field(default_factory=TargetCounts)
    questions: set[str] = field(default_factory=set)
    """The first MAX_DISTINCT + 1 different questions."""
    evidence: ChoiceEvidence = field(default_factory=ChoiceEvidence)
    """Of the targets of rows with choices."""
    runs: dict[OptionRun, ChoiceEvidence] = field(default_factory=dict)
    """Of the targets beside runs of columns that may be options."""
    run_rows: dict[OptionRun, int] = field(default_factory=dict)
    """Rows that have at least two values in a run."""


def survey_rows(
    rows: Iterable[tuple[int, Row | BadRow]],
    getters: Mapping[str, Getter],
    runs: Sequence[OptionRun],
    labels: ChoicePairs,
) -> Survey:
    """Return what the rows, numbered from 0, show about their columns.

    `labels` are the choices that all rows share, empty if there are none; `runs` are
    looked at if there are no others.
    """
    survey = Survey(
        runs={run: ChoiceEvidence() for run in runs},
        run_rows=dict.fromkeys(runs, 0),
    )
    for position, row in rows:
        if isinstance(row, BadRow):
            continue
        survey.num_rows += 1
        add_columns(survey.present, row)
        target = _get(getters, "target", row)
        has_target = not is_missing(target)
        if has_target:
            survey.targets.add(target, position)
        if len(survey.questions) <= MAX_DISTINCT:
            question = join_texts(_read_question(getters, row)) or ""
            survey.questions.add(question[:_MAX_TEXT_CHARS])
        _add_choices(survey, getters, labels, row, target if has_target else None)
    return survey


def add_columns(present: dict[str, None], row: Row) -> None:
    """Add the columns of a row, unless there are more than a table has.

    Rows of JSON may each have keys of their own.
    """
    if len(present) < MAX_COLUMNS:
        present.update(dict.fromkeys(row))


def run_pairs(run: OptionRun, row: Row) -> list[tuple[str, str]]:
    """Return the choices in a run of columns; raises BadRow."""
    return parse_choices([row.get(column) for column in run.columns])


def _add_choices(
    survey: Survey,
    getters: Mapping[str, Getter],
    labels: ChoicePairs,
    row: Row,
    target: object,
) -> None:
    if labels:
        survey.num_choices += 1
        if target is not None:
            survey.evidence.add(target, labels)
        return
    choices = _get(getters, "choices", row)
    if not is_missing(choices):
        survey.num_choices += 1
        pairs = _parse(choices)
        if pairs and target is not None and _is_choice_row(getters, row):
            survey.evidence.add(target, pairs)
    if survey.runs and _is_choice_row(getters, row):
        _add_runs(survey, row, target)


def _add_runs(survey: Survey, row: Row, target: object) -> None:
    for run, evidence in survey.runs.items():
        pairs = _parse([row.get(column) for column in run.columns])
        survey.run_rows[run] += len(pairs) >= 2
        if pairs and target is not None:
            evidence.add(target, pairs)


def _parse(choices: Any) -> list[tuple[str, str]]:
    """Return the choices of a row, empty if they are bad: it is reported when parsed."""
    try:
        return parse_choices(choices)
    except BadRow:
        return []


def _is_choice_row(getters: Mapping[str, Getter], row: Row) -> bool:
    kind = _get(getters, "kind", row)
    return kind is None or kind == QuestionKind.CHOICE.value


def _read_question(getters: Mapping[str, Getter], row: Row) -> object:
    try:
        return _get(getters, "question", row)
    except BadRow:
        return None


def _get(getters: Mapping[str, Getter], field: str, row: Row) -> Any:
    """Return the raw value of a field, None if the file does not have it."""
    return getters[field](row) if field in getters else None
