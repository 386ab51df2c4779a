"""Parse files of unknown shape.

All rows of a split together determine how each of them is parsed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row, RowParser
from cotbuild.builder.sources.choice_targets import (
    FIRST_POSITIONS,
    NO_POSITION,
    find_choice_label,
    parse_position,
)
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.columns import make_getters
from cotbuild.builder.sources.distractors import place_option
from cotbuild.builder.sources.inputs import read_images, read_inputs, read_tags
from cotbuild.builder.sources.make import (
    ChoicePairs,
    clean_field,
    clean_id,
    join_texts,
    make_question,
)
from cotbuild.builder.sources.python_text import (
    PythonTextFault,
    parse_list_text,
    read_text_list,
)
from cotbuild.builder.sources.question_form import Getter
from cotbuild.builder.sources.reading import Reading
from cotbuild.builder.sources.survey import run_pairs
from cotbuild.builder.sources.targets import (
    bad_target,
    is_missing,
    parse_number,
    parse_texts,
    parse_yes_no,
)
from cotbuild.schemas.question import Question, QuestionKind, SourceRef
from cotbuild.schemas.record import short_repr

Targets = tuple[str | None, tuple[str, ...]]
"""The target and the other targets."""


def make_row_parser(reading: Reading) -> RowParser:
    """Return the parser of a file's rows under a reading of its columns."""
    getters = make_getters(reading.names, reading.present)
    text_names = [
        name for name in reading.input_names if name not in reading.image_names
    ]
    rows = _GenericRows(
        reading,
        name_labels(getters, reading.label_names),
        inputs={name: getters[name] for name in text_names},
        images={name: getters[name] for name in reading.image_names},
        tags=make_getters(reading.tags, reading.present),
    )
    return RowParser(
        rows.to_question,
        "id" in getters,
        rows.rationales if "rationale" in getters else None,
        reading.input_names,
        rows.to_images if reading.image_names else None,
        reading.image_names,
    )


def name_labels(
    getters: Mapping[str, Getter], label_names: tuple[str, ...]
) -> dict[str, Getter]:
    """Return the getters with one of the target that gives names for whole numbers.

    -1 stands for no target; without names the getters are returned as they are.
    """
    if not label_names or "target" not in getters:
        return dict(getters)
    get_target = getters["target"]

    def get_named(row: Row) -> Any:
        value = get_target(row)
        position = parse_position(value)
        if position is None:
            return value
        if position == NO_POSITION:
            return None
        return label_names[position] if position < len(label_names) else value

    return {**getters, "target": get_named}


@dataclass(frozen=True)
class _GenericRows:
    """How the columns of a file become the fields of a question."""

    reading: Reading
    getters: dict[str, Getter]
    inputs: dict[str, Getter]
    """Of the inputs that are texts."""
    images: dict[str, Getter]
    tags: dict[str, Getter]

    def to_question(self, row: Row, ref: SourceRef) -> Question:
        """Return the question of a row; raises BadRow."""
        kind = self._row_kind(row)
        text = clean_field(self._get("question", row), "question")
        pairs: ChoicePairs = []
        if kind is not QuestionKind.CHOICE:
            target, others = self._targets(row, kind)
        elif self.reading.has_distractors:
            (pairs, target), others = self._place_options(row, text), ()
        else:
            pairs = self._choices(row)
            target, others = self._choice_target(row, pairs), ()
        row_id = clean_id(self._get("id", row)) if "id" in self.getters else None
        # A million rows without any are read on every run.
        inputs = read_inputs(row, self.inputs) if self.inputs else ()
        tags = read_tags(row, self.tags) if self.tags else ()
        return make_question(
            row_id, kind, text, pairs, target, ref, others, inputs, tags
        )

    def to_images(self, row: Row) -> Mapping[str, object]:
        """Return the raw values of a row's pictures by the names of their inputs."""
        return read_images(row, self.images)

    def rationales(self, row: Row) -> tuple[str, ...]:
        """Return the rationale of a row; it may have none."""
        text = join_texts(self._get("rationale", row))
        return () if text is None else (text,)

    def _get(self, field: str, row: Row) -> Any:
        """Return the raw value of a field, None if the file does not have it."""
        return self.getters[field](row) if field in self.getters else None

    def _row_kind(self, row: Row) -> QuestionKind:
        if self.reading.kind is not None:
            return self.reading.kind
        value = self._get("kind", row)
        try:
            return QuestionKind(value)
        except ValueError as error:
            kinds = [kind.value for kind in QuestionKind]
            raise BadRow(
                BadRowReason.BAD_QUESTION,
                f"kind is {short_repr(value)}. Use one of {kinds}, or --kind for all rows.",
            ) from error

    def _choices(self, row: Row) -> ChoicePairs:
        if self.reading.labels:
            return self.reading.labels
        if self.reading.run is not None:
            return run_pairs(self.reading.run, row)
        value = self._get("choices", row)
        if is_missing(value):
            raise BadRow(
                BadRowReason.BAD_CHOICES,
                f"choices is {short_repr(value)}, but other rows have choices. A column "
                "kind tells apart questions of several kinds; --map choices= leaves "
                "choices out.",
            )
        return parse_choices(value)

    def _place_options(self, row: Row, text: str) -> tuple[ChoicePairs, str]:
        """Return the choices of a row whose wrong options are published apart."""
        run = self.reading.run
        if run is not None:
            wrong = run_pairs(run, row)
        else:
            wrong = parse_choices(self._get("distractors", row))
        target, _ = parse_texts(self._required_target(row))
        return place_option(text, target, [option for _, option in wrong])

    def _required_target(self, row: Row) -> object:
        value = self._get("target", row)
        if is_missing(value):
            raise _no_target(value, "the right option is not among the wrong ones")
        return value

    def _published_target(self, row: Row) -> object:
        """Return the raw target of a row, None if the split's are not published."""
        value = self._get("target", row)
        if not is_missing(value):
            return value
        if self.reading.has_targets:
            raise _no_target(value, "other rows have one")
        return None

    def _choice_target(self, row: Row, pairs: ChoicePairs) -> str | None:
        value, form = self._published_target(row), self.reading.form
        if value is None:
            return None
        is_position = form in FIRST_POSITIONS or not self.reading.has_targets
        if is_position and parse_position(value) == NO_POSITION:
            if self.reading.has_targets:
                raise _no_target(value, "other rows have one")
            return None
        return find_choice_label(value, pairs, form)

    def _targets(self, row: Row, kind: QuestionKind) -> Targets:
        value = self._published_target(row)
        if value is None:
            return None, ()
        if kind in (QuestionKind.TEXT, QuestionKind.PROSE):
            return self._text_targets(value, row)
        return _parse_closed_target(value, kind), ()

    def _text_targets(self, value: object, row: Row) -> Targets:
        texts = read_text_list(value) if self.reading.has_lists else None
        target, others = parse_texts(value if texts is None else texts)
        more = self._get("other_targets", row)
        if is_missing(more) or not more:
            return target, others
        first_more, rest = parse_texts(_parse_list(more))
        return target, (*others, first_more, *rest)


def _no_target(value: object, why: str) -> BadRow:
    return BadRow(
        BadRowReason.NO_TARGET,
        f"target is {short_repr(value)}, but {why} (--map target= leaves out all).",
    )


def _parse_closed_target(value: object, kind: QuestionKind) -> str:
    """Return the target of a yes_no or number question; raises BadRow."""
    parsers: dict[QuestionKind, tuple[Callable[[object], str | None], str]] = {
        QuestionKind.YES_NO: (parse_yes_no, "yes, no, true or false"),
        QuestionKind.NUMBER: (parse_number, "a number"),
    }
    parse, expected = parsers[kind]
    target = parse(value)
    if target is None:
        raise bad_target(
            value,
            f"{expected}: the file's questions are of kind {kind.value} (--kind sets "
            "another)",
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
