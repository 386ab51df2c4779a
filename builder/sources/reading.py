"""Decide what the columns of a file mean, from a survey of all its rows.

Where the rows allow two readings, the run stops and names the option that decides.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cotbuild.builder.sources.choice_targets import (
    FIRST_POSITIONS,
    MIN_FIT_FRAC,
    NO_POSITION,
    AmbiguousTargets,
    ChoiceEvidence,
    parse_position,
)
from cotbuild.builder.sources.make import LETTERS, ChoicePairs
from cotbuild.builder.sources.option_columns import OptionRun, RunRole
from cotbuild.builder.sources.survey import MAX_DISTINCT, Survey, TargetCounts
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.config import SourceConfig, TargetForm
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.record import short_repr

MIN_BINARY_ROWS = 20
"""From so many rows on, targets that are 0 and 1 alone are hardly numbers."""
MIN_MIXED_ROWS = 10
"""With fewer targets, those that are no number make the file one of texts."""
MIN_REPEATS = 10
"""Rows for each different question from which the question column is suspected to be
only part of the question."""
_CODES = re.compile(r"label|class|categor", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What the columns of one split mean."""

    names: Mapping[str, str]
    """Field to column; "" for a field that the split does not have."""
    present: tuple[str, ...]
    kind: QuestionKind | None
    """None if each row states its own."""
    has_targets: bool
    """Whether the split's targets are published; if so, a row without one is bad."""
    form: TargetForm | None = None
    """How the targets of choice questions are read; None for labels and texts."""
    run: OptionRun | None = None
    """The columns of the options, if each has its own."""
    labels: ChoicePairs = ()
    """The choices that all questions share; empty if there are none."""
    has_lists: bool = False
    """Whether every target is a text with a list of texts written in it."""
    label_names: tuple[str, ...] = ()
    """Names that whole numbers as targets stand for, from 0; empty for none."""
    input_names: tuple[str, ...] = ()
    """Inputs that the questions may have, in the order of their columns."""
    image_names: tuple[str, ...] = ()
    """Those of them that are pictures."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Name of a tag to column; without those that the split does not have."""

    @property
    def has_distractors(self) -> bool:
        """Whether the rows have the wrong options apart from the right one."""
        is_run = self.run is not None and self.run.role is RunRole.DISTRACTORS
        return is_run or bool(self.names["distractors"])

    @property
    def has_choices(self) -> bool:
        return bool(self.names["choices"] or self.labels or self.run is not None)


def letter_labels(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return labels that all questions share as choices, lettered A, B, …."""
    return list(zip(LETTERS, texts, strict=False))


def decide_run(survey: Survey, base: Reading | None, location: str) -> OptionRun | None:
    """Return the run of columns that holds the options, None if no run does.

    `base` is the reading of another split under the same mapping. Raises ConfigError
    if the names of a run and the targets do not decide.
    """
    taken = [
        run
        for run, evidence in survey.runs.items()
        if survey.run_rows[run] * 2 >= survey.num_rows
        and _is_taken(run, evidence, base, location)
    ]
    if len(taken) > 1:
        raise ConfigError(
            f"{location}: {len(taken)} sets of columns may be the options: "
            f"{' and '.join(_join(run.columns) for run in taken)}. Pass "
            f"{_map_choices(taken[0])}, or another."
        )
    return taken[0] if taken else None


def _is_taken(
    run: OptionRun, evidence: ChoiceEvidence, base: Reading | None, location: str
) -> bool:
    if base is not None and not evidence.num_targets:
        return run == base.run
    if run.role is RunRole.DISTRACTORS:
        return evidence.num_targets > 0
    if not evidence.num_targets:
        if run.role is RunRole.ANSWERS and not evidence.num_minus_one:
            raise _undecided_run(run, "no row has a target", location, is_likely=True)
        return run.role is not RunRole.UNKNOWN
    does_fit = evidence.fit() >= MIN_FIT_FRAC
    if run.role is RunRole.ANSWERS:
        return does_fit
    if does_fit == (run.role is RunRole.OPTIONS):
        return does_fit
    share = f"{evidence.fit():.0%} of the targets name one of them"
    raise _undecided_run(run, share, location, is_likely=does_fit)


def _undecided_run(
    run: OptionRun, why: str, location: str, *, is_likely: bool
) -> ConfigError:
    """Return the error of columns that may be options, the likelier remedy first."""
    remedies = [f"{_map_choices(run)} if they are", "--map choices= if not"]
    wrong = shell_quote("distractors=" + ",".join(run.columns))
    first, second = remedies if is_likely else reversed(remedies)
    return ConfigError(
        f"{location}: columns {_join(run.columns)} may be the options of the questions: "
        f"{why}. Pass {first}, or {second}, or --map {wrong} if they are the wrong "
        "options alone."
    )


def _map_choices(run: OptionRun) -> str:
    return f"--map {shell_quote('choices=' + ','.join(run.columns))}"


def _join(columns: Sequence[str]) -> str:
    return ", ".join(columns)


def decide_kind(
    survey: Survey, config: SourceConfig, base: Reading | None, location: str
) -> QuestionKind:
    """Return the kind of questions without choices, from all their targets.

    Raises ConfigError if nearly all targets are of one kind, and bad rows are not
    dropped.
    """
    targets = survey.targets
    if not targets.total:
        return QuestionKind.TEXT if base is None or base.kind is None else base.kind
    if targets.yes_no == targets.total:
        return QuestionKind.YES_NO
    if targets.number == targets.total:
        return QuestionKind.NUMBER
    counts = {QuestionKind.YES_NO: targets.yes_no, QuestionKind.NUMBER: targets.number}
    for kind, count in counts.items():
        is_likely = count >= MIN_FIT_FRAC * targets.total
        if is_likely and targets.total >= MIN_MIXED_ROWS:
            if config.on_bad_row == "drop":
                return kind
            raise _undecided_kind(kind, count, targets, location)
    return QuestionKind.TEXT


def _undecided_kind(
    kind: QuestionKind, count: int, targets: TargetCounts, location: str
) -> ConfigError:
    words = "numbers" if kind is QuestionKind.NUMBER else "yes or no"
    where = "" if targets.other_row < 0 else f" in row {targets.other_row} (from 0)"
    other = "" if targets.other_row < 0 else f" {short_repr(targets.first_other)}"
    labels = ""
    if kind is QuestionKind.YES_NO and len(targets.distinct) <= MAX_DISTINCT:
        names = ",".join(sorted(targets.distinct))
        labels = f", or --labels {shell_quote(names)} to have them as options"
    return ConfigError(
        f"{location}: {count:,} of {targets.total:,} targets are {words}, another is"
        f"{other}{where}. Pass --kind text to compare all as texts, or --kind "
        f"{kind.value} --on-bad-row drop to leave the other rows out{labels}."
    )


def check_codes(survey: Survey, column: str, location: str) -> None:
    """Raise ConfigError if numbers as targets seem to be codes of labels.

    They are 0 to n or 1 to n alone, in a column named as labels are; or 0 and 1 alone
    in many rows.
    """
    targets = survey.targets
    if targets.whole < targets.total:
        return
    codes = _whole_targets(targets) - {NO_POSITION}
    is_binary = codes == {0, 1} and targets.total >= MIN_BINARY_ROWS
    if not is_binary and not _CODES.search(column):
        return
    if len(codes) > MAX_DISTINCT:
        return
    first = min(codes, default=0)
    if first not in (0, 1) or codes != set(range(first, first + len(codes))):
        return
    names = ",".join(f"NAME{code}" for code in sorted(codes))
    raise ConfigError(
        f"{location}: the targets in column {column!r} are {short_repr(sorted(codes))} "
        f"alone, which seem to stand for labels. Pass --labels {names} with "
        "their names in this order, or --kind number if they are numbers."
    )


def check_label_codes(
    survey: Survey, config: SourceConfig, column: str, location: str
) -> None:
    """Raise ConfigError if the targets are whole numbers beyond the labels of the config.

    Of targets that are numbers, some may be bad rows, and are left out where the config
    says so.
    """
    targets, labels = survey.targets, config.labels
    is_text = survey.evidence.whole["value"] > 0  # a label may itself be a number
    if not labels or is_text or not targets.total or targets.whole < targets.total:
        return
    codes = _whole_targets(targets) - {NO_POSITION}
    first = FIRST_POSITIONS.get(config.target_is or "index0", 0)
    starts_at = first if config.target_is is not None or 0 in codes else 1
    last = starts_at + len(labels) - 1
    if config.on_bad_row == "drop" or all(starts_at <= code <= last for code in codes):
        return
    raise ConfigError(
        f"{location}: the targets in column {column!r} are {short_repr(sorted(codes))}, "
        f"and the {len(labels)} --labels {shell_quote(','.join(labels))} stand for "
        f"{starts_at} to {last}. Name a label for each, or pass --on-bad-row drop."
    )


def _whole_targets(targets: TargetCounts) -> set[int]:
    """Return the whole numbers among the first different targets."""
    positions = map(parse_position, targets.distinct)
    return {position for position in positions if position is not None}


def decide_form(
    evidence: ChoiceEvidence,
    config: SourceConfig,
    base: Reading | None,
    location: str,
) -> TargetForm | None:
    """Return how the targets of choice questions are read.

    Raises DataError if two readings fit.
    """
    if config.target_is is not None:
        return config.target_is
    if base is not None and not evidence.num_targets:
        return base.form
    try:
        return evidence.decide()
    except AmbiguousTargets as error:
        if base is not None and base.has_targets:
            return base.form
        raise DataError(f"{location}: {error}") from error


def check_empty_target(column: str, likely: str, location: str) -> None:
    """Raise ConfigError if no row has a target in the column recognised by its name.

    `likely` is another column that may hold the targets, "" for none.
    """
    if column and likely:
        raise ConfigError(
            f"{location}: column {column!r} is empty in every row, and {likely!r} is "
            f"not. Pass --map {shell_quote(f'target={likely}')} if it holds the targets, "
            "or --map target= if not."
        )


def check_question(
    survey: Survey, column: str, texts: Sequence[str], location: str
) -> None:
    """Raise ConfigError if the question column holds only part of the questions.

    It has a few texts that all rows share, while a column that is left out has others.
    """
    num_questions = len(survey.questions)
    is_repeated = num_questions <= min(MAX_DISTINCT, survey.num_rows // MIN_REPEATS)
    if not is_repeated or not texts:
        return
    form = "\\n".join([*(f"{{{name}}}" for name in texts), f"{{{column}}}"])
    raise ConfigError(
        f"{location}: column {column!r} holds {num_questions} different texts in "
        f"{survey.num_rows:,} rows, and {_join(texts)} is left out. Pass --map "
        f"{shell_quote(f'question={form}')} to show it, or --map "
        f"{shell_quote(f'question={column}')} to leave it out."
    )
