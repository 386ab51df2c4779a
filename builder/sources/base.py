"""Types shared by the readers, the parsers and the known datasets."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from cotbuild.schemas.question import Question, QuestionKind, SourceRef

Row = Mapping[str, Any]
ToQuestion = Callable[[Row, SourceRef], Question]
"""Parses a row; raises BadRow."""
ToRationales = Callable[[Row], tuple[str, ...]]
"""Returns the rationales in a row; it may have none."""
ToImages = Callable[[Row], Mapping[str, object]]
"""Returns the pictures in a row by the names of their inputs: paths, addresses or bytes."""

IMAGE_NAME = "image"
"""How the names of inputs begin that are pictures, whatever their columns hold."""


class BadRowReason(StrEnum):
    """Why a row cannot be used; `Source.drops` counts rows by reason."""

    NOT_UTF8 = "not_utf8"
    # Also NaN, Infinity and integers too long to parse: JSON has none of them.
    BAD_JSON = "bad_json"
    NOT_A_ROW = "not_a_row"
    """Valid JSON, but not an object."""
    RAGGED_ROW = "ragged_row"
    """A CSV row with more or fewer fields than the header."""
    TOO_LARGE = "too_large"
    """A line or row beyond the bounds in memory."""
    UNREADABLE = "unreadable"
    """A row of a Parquet file that cannot be decoded, or is too large."""
    MISSING_FIELD = "missing_field"
    BAD_CHOICES = "bad_choices"
    NO_TARGET = "no_target"
    """In a split whose other rows have one."""
    BAD_TARGET = "bad_target"
    DUPLICATE_ID = "duplicate_id"
    BAD_IMAGE = "bad_image"
    """A picture that cannot be read, is too large or gone."""
    BAD_QUESTION = "bad_question"
    """Any other error that `Question` raises on validation."""


class BadRow(Exception):
    """A row cannot be used; the message names the value, the caller adds the row.

    Row iterators yield it instead of raising it, since a generator that has raised
    cannot go on.
    """

    def __init__(self, reason: BadRowReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class RowReader(Protocol):
    """The rows of one split in order; can be iterated any number of times."""

    @property
    def location(self) -> str:
        """Name in error messages: a file's name without its folder, or hub_id/split."""

    def __iter__(self) -> Iterator[Row | BadRow]: ...

    def checksum(self) -> str:
        """Return the file's sha256 in 64 hex digits, or repo@revision for the Hub."""


@runtime_checkable
class HasLabelNames(Protocol):
    """A reader of rows whose file gives names for whole numbers in its columns."""

    def label_names(self) -> Mapping[str, Sequence[str]]:
        """Return the names of 0, 1, … by column; empty if the file gives none."""


@runtime_checkable
class HasSurveyLimit(Protocol):
    """A reader whose rows are costly to read, such as a stream from another machine."""

    @property
    def survey_rows(self) -> int:
        """Number of first rows that decide what the columns mean."""


@runtime_checkable
class HasShape(Protocol):
    """A reader of a file, whose format was recognised from its content."""

    @property
    def shape(self) -> str:
        """What was recognised, such as "CSV, semicolon-separated"."""

    @property
    def notes(self) -> Mapping[str, str]:
        """Lines on cells that could be read in another way, by column."""


@runtime_checkable
class HasPlaces(Protocol):
    """A reader whose rows are not numbered as those of the file that holds them."""

    def place(self, position: int) -> str:
        """Return where a row that was read is, such as "a.jsonl row 7 (from 0)"."""


def column_names(rows: Iterable[Row]) -> list[str]:
    """Return the columns of rows, in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def describe_place(rows: RowReader, position: int) -> str:
    """Return where a row is, for an error message."""
    if isinstance(rows, HasPlaces):
        return rows.place(position)
    return f"{rows.location} row {position} (from 0)"


class RowParser(NamedTuple):
    """Turns the rows of one split into questions."""

    to_question: ToQuestion
    has_id: bool
    """Whether rows have ids; if not, ids are derived from the content, and repeated ids
    are numbered.
    """
    rationales: ToRationales | None = None
    """None if no row has a rationale."""
    input_names: tuple[str, ...] = ()
    """Inputs that questions may have, in order."""
    images: ToImages | None = None
    """None if no row has a picture."""
    image_names: tuple[str, ...] = ()
    """Those of the inputs that are pictures."""


class PublishedFolder(NamedTuple):
    """A folder of files in the layout of a known dataset."""

    splits: tuple[str, ...]
    open_split: Callable[[str], RowReader]
    """Returns the rows of one of the splits."""


OpenFolder = Callable[[Path, str | None], PublishedFolder | None]
"""Returns the files in a folder for a config, None if it has another layout.

Raises ConfigError if the layout is known and has no such config.
"""


class KnownDataset(NamedTuple):
    """A dataset that needs no column mapping, as published and on the Hub."""

    name: str
    hub_id: str | None
    """None if the published files alone are read."""
    config_name: str | None
    revision: str | None
    """The commit that is read from the Hub, wherever its branch points today."""
    splits: tuple[str, ...]
    """On the Hub; a folder of published files may have others."""
    licence: str
    kind: QuestionKind | None
    """None if rows are of several kinds."""
    matches: Callable[[Row], bool]
    """Whether a file whose first row is given has the dataset's published shape."""
    to_question: ToQuestion
    id_column: str | None = "id"
    """On the Hub; None if rows have no ids."""
    rationales: ToRationales | None = None
    """None if no row has a rationale."""
    rationales_by: str = "unknown"
    """Who wrote the rationales."""
    input_names: tuple[str, ...] = ()
    """Inputs that a question may have beside its text."""
    images: ToImages | None = None
    """None if no row has a picture."""
    published_at: str = ""
    """Where the files are published that `matches` or `open_folder` knows."""
    file: Path | None = None
    """The file of all splits, if it comes with cotbuild."""
    open_folder: OpenFolder | None = None
    """None if the splits are in files of their own that are named by split."""
    config_names: Callable[[Row], tuple[str, ...]] | None = None
    """Returns the configs that a file with this first row can be read in, such as the
    directions of a translation. None if there is nothing to choose.
    """

    def row_parser(
        self, first: Row | None = None, left_out: Collection[str] = ()
    ) -> RowParser:
        """Return the parser of a published file's rows, or of the Hub's rows.

        `first` is the file's first row; None means the rows on the Hub. `left_out`
        names inputs that questions are not to have.
        """
        may_have_id = self.id_column is not None
        has_id = may_have_id and (first is None or self.id_column in first)
        parser = RowParser(
            self.to_question,
            has_id,
            self.rationales,
            self.input_names,
            self.images,
            self.image_names,
        )
        return _without_inputs(parser, frozenset(left_out)) if left_out else parser

    @property
    def image_names(self) -> tuple[str, ...]:
        """Those of the inputs that are pictures."""
        if self.images is None:
            return ()
        return tuple(name for name in self.input_names if name.startswith(IMAGE_NAME))


def _without_inputs(parser: RowParser, left_out: frozenset[str]) -> RowParser:
    """Return a parser of rows whose questions do not have some of the inputs."""
    to_images = parser.images

    def to_question(row: Row, ref: SourceRef) -> Question:
        question = parser.to_question(row, ref)
        inputs = tuple(one for one in question.inputs if one.name not in left_out)
        return question.model_copy(update={"inputs": inputs})

    def images(row: Row) -> Mapping[str, object]:
        found = {} if to_images is None else to_images(row)
        return {name: value for name, value in found.items() if name not in left_out}

    image_names = _names_without(parser.image_names, left_out)
    return parser._replace(
        to_question=to_question,
        input_names=_names_without(parser.input_names, left_out),
        images=images if image_names else None,
        image_names=image_names,
    )


def _names_without(names: tuple[str, ...], left_out: frozenset[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in left_out)
