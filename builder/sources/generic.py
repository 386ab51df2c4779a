"""Parse files of unknown shape.

The first rows determine how all rows of a split are parsed, so that no row changes the
meaning of another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row, RowParser
from cotbuild.builder.sources.columns import Getter, resolve_columns
from cotbuild.builder.sources.make import (
    ChoicePairs,
    clean_field,
    clean_id,
    join_texts,
    make_question,
    parse_choices,
)
from cotbuild.builder.sources.python_text import PythonTextFault, parse_list_text
from cotbuild.builder.sources.targets import (
    find_choice_label,
    find_first_position,
    is_missing,
    parse_number,
    parse_texts,
    parse_yes_no,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

Targets = tuple[str | None, tuple[str, ...]]
"""The target and the other targets."""


def plan_row_parser(
    sample: Sequence[Row], config: SourceConfig, location: str
) -> RowParser:
    """Return the parser of a file's rows, derived from its first rows.

    `sample` has at least one row. Raises ConfigError if columns are not recognised, and
    DataError if the targets in the sample are ambiguous.
    """
    getters = resolve_columns(config.columns, sample, location)
    kind = _find_kind(getters, config.kind, sample)
    if kind is QuestionKind.CHOICE and "choices" not in getters:
        raise ConfigError(
            f"{location}: kind choice and no column for choices. Add: --map choices=COL, "
            "or another --kind."
        )
    has_targets = bool(_present_targets(getters, sample))
    plan = _ColumnPlan(getters, kind, has_targets, first_position=None)
    first_position = find_first_position(plan.choice_targets(sample), location)
    plan = replace(plan, first_position=first_position)
    has_rationale = "rationale" in getters
    return RowParser(
        plan.to_question, "id" in getters, plan.rationale if has_rationale else None
    )


def _find_kind(
    getters: Mapping[str, Getter],
    configured: QuestionKind | None,
    sample: Sequence[Row],
) -> QuestionKind | None:
    """Return the kind of all questions, None if each row states its own.

    A configured kind takes precedence over the column.
    """
    if configured is not None or "kind" in getters:
        return configured
    choices = [_get(getters, "choices", row) for row in sample]
    if not all(is_missing(value) for value in choices):
        return QuestionKind.CHOICE
    targets = _present_targets(getters, sample)
    if targets and all(parse_yes_no(value) for value in targets):
        return QuestionKind.YES_NO
    if targets and all(parse_number(value) for value in targets):
        return QuestionKind.NUMBER
    return QuestionKind.TEXT


def _present_targets(getters: Mapping[str, Getter], sample: Sequence[Row]) -> list[Any]:
    targets = [_get(getters, "target", row) for row in sample]
    return [value for value in targets if not is_missing(value)]


def _get(getters: Mapping[str, Getter], field: str, row: Row) -> Any:
    """Return the raw value of a field, None if the file does not have it."""
    return getters[field](row) if field in getters else None


@dataclass(frozen=True)
class _ColumnPlan:
    """How the columns of a file become the fields of a question."""

    getters: dict[str, Getter]
    kind: QuestionKind | None
    """None if each row states its own."""
    has_targets: bool
    """Whether the split's targets are published; if so, a row without one is bad."""
    first_position: int | None
    """See `find_first_position`."""

    def to_question(self, row: Row, ref: SourceRef) -> Question:
        """Return the question of a row; raises BadRow."""
        kind = self._row_kind(row)
        text = clean_field(self._get("question", row), "question")
        is_choice = kind is QuestionKind.CHOICE
        pairs = parse_choices(self._choices(row)) if is_choice else []
        target, others = self._targets(row, kind, pairs)
        row_id = clean_id(self._get("id", row)) if "id" in self.getters else None
        return make_question(row_id, kind, text, pairs, target, ref, others)

    def rationale(self, row: Row) -> str | None:
        """Return the rationale of a row, None if it has none."""
        return join_texts(self._get("rationale", row))

    def choice_targets(self, sample: Sequence[Row]) -> list[tuple[object, ChoicePairs]]:
        """Return the raw targets and the choices of the good choice rows in a sample."""
        targets: list[tuple[object, ChoicePairs]] = []
        for row in sample:
            try:
                if self._row_kind(row) is QuestionKind.CHOICE:
                    pairs = parse_choices(self._choices(row))
                    targets.append((self._get("target", row), pairs))
            except BadRow:
                continue  # raised again when the row is parsed
        return targets

    def _get(self, field: str, row: Row) -> Any:
        return _get(self.getters, field, row)

    def _row_kind(self, row: Row) -> QuestionKind:
        if self.kind is not None:
            return self.kind
        value = self._get("kind", row)
        try:
            return QuestionKind(value)
        except ValueError as error:
            kinds = [kind.value for kind in QuestionKind]
            raise BadRow(
                BadRowReason.BAD_QUESTION,
                f"kind is {short_repr(value)}. Use one of {kinds}, or --kind for all rows.",
            ) from error

    def _choices(self, row: Row) -> Any:
        value = self._get("choices", row)
        if is_missing(value):
            raise BadRow(
                BadRowReason.BAD_CHOICES,
                f"choices is {short_repr(value)}, but every row needs choices.",
            )
        return value

    def _targets(self, row: Row, kind: QuestionKind, pairs: ChoicePairs) -> Targets:
        value = self._get("target", row)
        if is_missing(value):
            if self.has_targets:
                raise BadRow(
                    BadRowReason.NO_TARGET,
                    f"target is {short_repr(value)}, but the first rows have one.",
                )
            return None, ()
        if kind is QuestionKind.CHOICE:
            return find_choice_label(value, pairs, self.first_position), ()
        if kind is QuestionKind.TEXT:
            return self._text_targets(value, row)
        return _parse_closed_target(value, kind), ()

    def _text_targets(self, value: object, row: Row) -> Targets:
        target, others = parse_texts(value)
        more = self._get("other_targets", row)
        if is_missing(more) or not more:
            return target, others
        first_more, rest = parse_texts(_parse_list(more))
        return target, (*others, first_more, *rest)


def _parse_closed_target(value: object, kind: QuestionKind) -> str:
    """Return the target of a yes_no or number question; raises BadRow."""
    is_yes_no = kind is QuestionKind.YES_NO
    target = parse_yes_no(value) if is_yes_no else parse_number(value)
    if target is None:
        expected = "yes, no, true or false" if is_yes_no else "a number"
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"target is {short_repr(value)}. Expected {expected}: the file's questions are of "
            f"kind {kind.value} (--kind sets another).",
        )
    return target


def _parse_list(value: Any) -> Any:
    """Return the list in a CSV cell that holds one, and any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "array(")):
        return value
    try:
        return parse_list_text(value)
    except PythonTextFault as error:
        raise BadRow(
            BadRowReason.BAD_TARGET,
            f"other_targets is {short_repr(value)}. Expected a list of texts, in CSV as JSON or "
            "Python text.",
        ) from error
