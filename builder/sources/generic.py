"""Files of any shape: one plan a split, made from its first rows, so that no row
changes what another one means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.columns import Getter, resolve
from cotbuild.builder.sources.known import RowParser
from cotbuild.builder.sources.make import (
    Pairs,
    choice_pairs,
    clean_field,
    clean_id,
    joined_texts,
    make_question,
)
from cotbuild.builder.sources.targets import (
    IndexBase,
    choice_label,
    index_base,
    is_missing,
    number,
    texts,
    yes_no,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind, SourceRef


def plan_form(sample: Sequence[Row], config: SourceConfig, where: str) -> RowParser:
    """How the rows of a file become questions, told from `sample`, its first rows (at
    least one).

    Raises ConfigError where columns cannot be told, DataError where the sample can be
    read in two ways.
    """
    get = resolve(config.columns, sample, where)
    kind = _kind(get, config.kind, sample)
    if kind is QuestionKind.CHOICE and "choices" not in get:
        raise ConfigError(
            f"{where}: kind choice and no column for choices. Type: --map choices=COL, or another --kind."
        )
    plan = _ColumnPlan(get, kind, _labelled(get, sample), base=None)
    base = index_base(plan.choice_answers(sample), where)
    carried = get.get("rationale")
    rationale = None if carried is None else lambda row: joined_texts(carried(row))
    return RowParser(replace(plan, base=base).to_question, "id" in get, rationale)


def _kind(
    get: dict[str, Getter], forced: QuestionKind | None, sample: Sequence[Row]
) -> QuestionKind | None:
    """The kind of all questions; None: each row's kind column tells. A forced kind goes
    before the column.
    """
    if forced is not None or "kind" in get:
        return forced
    if "choices" in get and any(not is_missing(get["choices"](row)) for row in sample):
        return QuestionKind.CHOICE
    values = [
        value for row in sample if not is_missing(value := _raw(get, "target", row))
    ]
    if values and all(yes_no(value) for value in values):
        return QuestionKind.YES_NO
    if values and all(number(value) for value in values):
        return QuestionKind.NUMBER
    return QuestionKind.TEXT


def _labelled(get: dict[str, Getter], sample: Sequence[Row]) -> bool:
    return any(not is_missing(_raw(get, "target", row)) for row in sample)


def _raw(get: dict[str, Getter], field: str, row: Row) -> Any:
    return get[field](row) if field in get else None


@dataclass(frozen=True)
class _ColumnPlan:
    get: dict[str, Getter]
    kind: QuestionKind | None
    labelled: bool
    """Whether the split's targets are published; then a row without one is bad, else
    the target is None.
    """
    base: IndexBase | None

    def to_question(self, row: Row, ref: SourceRef) -> Question:
        kind = self.kind or self._row_kind(row)
        text = clean_field(_raw(self.get, "question", row), "question")
        pairs = choice_pairs(self._choices(row)) if kind is QuestionKind.CHOICE else []
        target, others = self._targets(row, kind, pairs)
        row_id = clean_id(self.get["id"](row)) if "id" in self.get else None
        return make_question(row_id, kind, text, pairs, target, ref, others)

    def choice_answers(self, sample: Sequence[Row]) -> list[tuple[object, Pairs]]:
        """Raw answers and choices of the sample's good choice rows."""
        if self.kind not in (QuestionKind.CHOICE, None):
            return []
        answers: list[tuple[object, Pairs]] = []
        for row in sample:
            try:
                if (self.kind or self._row_kind(row)) is QuestionKind.CHOICE:
                    answers.append(
                        (
                            _raw(self.get, "target", row),
                            choice_pairs(self._choices(row)),
                        )
                    )
            except BadRow:
                continue  # reading the row will say so
        return answers

    def _row_kind(self, row: Row) -> QuestionKind:
        value = self.get["kind"](row)
        try:
            return QuestionKind(value)
        except ValueError as error:
            kinds = [kind.value for kind in QuestionKind]
            message = (
                f"kind is {value!r}. Expected one of {kinds}, or --kind for all rows."
            )
            raise BadRow(BadRowReason.BAD_QUESTION, message) from error

    def _choices(self, row: Row) -> Any:
        value = _raw(self.get, "choices", row)
        if is_missing(value):
            raise BadRow(
                BadRowReason.BAD_CHOICES,
                f"choices is {value!r}, but every row needs choices.",
            )
        return value

    def _targets(
        self, row: Row, kind: QuestionKind, pairs: Pairs
    ) -> tuple[str | None, tuple[str, ...]]:
        value = _raw(self.get, "target", row)
        if is_missing(value):
            if self.labelled:
                raise BadRow(
                    BadRowReason.NO_TARGET,
                    f"target is {value!r}, but the first rows have one.",
                )
            return None, ()
        if kind is QuestionKind.CHOICE:
            return choice_label(value, pairs, self.base), ()
        if kind is QuestionKind.TEXT:
            more = _raw(self.get, "other_targets", row)
            target, others = texts(value)
            return target, others if is_missing(more) or not more else (
                *others,
                *_others(more),
            )
        plain = yes_no(value) if kind is QuestionKind.YES_NO else number(value)
        if plain is None:
            expected = (
                "yes, no, true or false" if kind is QuestionKind.YES_NO else "a number"
            )
            raise BadRow(
                BadRowReason.BAD_TARGET,
                f"target is {value!r}. Expected {expected}: the file's questions are of kind {kind.value} "
                "(--kind sets another).",
            )
        return plain, ()


def _others(value: Any) -> tuple[str, ...]:
    first, rest = texts(_json_list(value))
    return (first, *rest)


def _json_list(value: Any) -> Any:
    """A list from a CSV cell that holds JSON; anything else as it is."""
    import json

    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            raise BadRow(
                BadRowReason.BAD_TARGET,
                f"other_targets is {value!r}. Expected a list of texts, in CSV as JSON.",
            ) from error
    return value
