"""Source: the validated questions of one dataset, split by split, with final ids."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from cotbuild.builder.sources.base import (
    BadRow,
    BadRowReason,
    HasShape,
    KnownDataset,
    Row,
    RowParser,
    RowReader,
    ToRationales,
    column_names,
    describe_place,
)
from cotbuild.builder.sources.columns import COLUMN_NAMES
from cotbuild.builder.sources.ids import SeenIds
from cotbuild.builder.sources.image_inputs import (
    LoadsImages,
    add_images,
    prefetch_images,
)
from cotbuild.builder.sources.make import find_surrogate
from cotbuild.builder.sources.overlap import Overlap
from cotbuild.builder.sources.reading_line import unused_columns
from cotbuild.builder.sources.slices import (
    RowRange,
    draw_bound,
    draw_key,
    parse_row_range,
)
from cotbuild.builder.sources.split_columns import DEFAULT_MAP_OPTION, SourceColumns
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question, SourceRef
from cotbuild.schemas.record import short_repr

ParsedRow = tuple[Question, Row]
NoteBadRow = Callable[[int, Row | BadRow, BadRow], None]
"""Receives the position of a row that is left out, the row, and its fault."""


@dataclass
class _Tally:
    """Counts of one pass over a split."""

    drops: Counter[str] = field(default_factory=Counter)
    overlaps: Counter[str] = field(default_factory=Counter)


@dataclass
class Source:
    """The questions of one dataset; `open_source` returns it.

    Ids are unique within a split, but not across splits: the ids of many files start
    from 1 in each split.
    """

    config: SourceConfig
    dataset: str
    """Hub id, name of the bundled set, or name of the file or folder without its path.
    """
    split: str
    """The configured split; the slices of the config apply to it alone."""
    open_split: Callable[[str], RowReader]
    config_name: str | None = None
    revision: str | None = None
    known: KnownDataset | None = None
    """The known dataset that is read from the Hub; None for all other sources."""
    branch: str | None = None
    """repo@revision as configured, if it is a branch or tag; `revision` is its commit.
    """
    map_option: str = DEFAULT_MAP_OPTION
    """The option of the command line that maps this source's columns."""
    images: LoadsImages | None = None
    """What keeps the pictures of rows; None where no row may have any."""
    drops: dict[str, int] = field(default_factory=dict)
    """Rows left out of the last complete read, by BadRowReason or as overlap_SPLIT."""
    overlaps: dict[str, int] = field(default_factory=dict)
    """Questions of the configured split whose text also occurs in each evaluation split.

    Counted in its last complete read; with `config.drop_overlap` these are the ones
    left out. A question that occurs in two evaluation splits counts in both.
    """

    def read(self, split: str) -> Iterator[Question]:
        """Yield the questions of a split in order, row by row; can be repeated.

        The configured split is sliced as the config says: first its rows, then without
        overlaps, then the sample, then the limit. Raises ConfigError if the split or
        its columns are unknown, and while iterating DataError at a bad row (unless
        on_bad_row is drop) and if no question is left.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        parser = self._row_parser(rows, split)
        if split == self.split:
            return self._read_sliced(rows, parser)
        return self._read_counted(rows, parser, split)

    def read_all(
        self, split: str, note_bad_row: NoteBadRow | None = None
    ) -> Iterator[Question]:
        """Yield all questions of a split without slicing it or updating the counts.

        `note_bad_row` receives each row that is left out. Raises what `read` raises.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        parser = self._row_parser(rows, split)
        parsed = self._parse_rows(
            rows, parser, split, RowRange(), _Tally(), note_bad_row
        )
        return (question for question, _ in parsed)

    def read_with_rationales(self, split: str) -> Iterator[tuple[Question, str]]:
        """Yield the questions of a whole split whose rows have a rationale.

        Each comes with the first rationale of its row. Raises ConfigError if no row can
        have one, and what `read` raises.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        parser = self._row_parser(rows, split)
        rationales = self._rationales_of(parser, rows, split)
        parsed = self._parse_rows(rows, parser, split, RowRange(), _Tally())
        return self._pair_rationales(parsed, rationales, rows)

    def read_rationales(self, split: str) -> Iterator[tuple[str, ...] | BadRow]:
        """Yield the rationales of each row of a whole split, in order.

        A row may have none; a BadRow stands for one that cannot be read. Raises
        ConfigError if no row can have one, and what `read` raises of the columns.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        parser = self._row_parser(rows, split)
        rationales = self._rationales_of(parser, rows, split)
        return (row if isinstance(row, BadRow) else rationales(row) for row in rows)

    def _rationales_of(
        self, parser: RowParser, rows: RowReader, split: str
    ) -> ToRationales:
        """Return what reads the rationales of a row; raises ConfigError for nothing."""
        if parser.rationales is None:
            raise self._no_rationale_error(rows, split)
        return parser.rationales

    def _pair_rationales(
        self, parsed: Iterator[ParsedRow], rationales: ToRationales, rows: RowReader
    ) -> Iterator[tuple[Question, str]]:
        for question, row in parsed:
            text = next(iter(rationales(row)), None)
            if text is None:
                continue
            fault = find_surrogate(text)
            if fault is None:
                yield question, text
                continue
            bad_row = BadRow(BadRowReason.NOT_UTF8, f"rationale {fault}")
            place = describe_place(rows, question.source.row)
            self._record_bad_row(bad_row, _Tally(), place)

    def checksum(self, split: str) -> str:
        """Return the sha256 of the split's file, or repo@revision for the Hub."""
        return self.open_split(canonical_split(split)).checksum()

    def identify_dataset(self, split: str) -> KnownDataset | None:
        """Return the known dataset whose shape a split's rows have, None for none."""
        if self.known is not None:
            return self.known
        split = canonical_split(split)
        return self._columns.find(self.open_split(split), split).dataset

    def read_as(self, split: str) -> str | None:
        """Return how the columns of a split were understood, in a line.

        None for a known dataset and the bundled set, whose columns are known. Raises
        what `read` raises.
        """
        if self.known is not None or self.config.name == "bundled":
            return None
        split = canonical_split(split)
        rows = self.open_split(split)
        columns = self._columns.find(rows, split)
        if columns.dataset is not None:
            return None
        line = self._columns.understand(columns, rows, split).line
        return f"{rows.shape}: {line}" if isinstance(rows, HasShape) else line

    def input_names(self, split: str) -> tuple[str, ...]:
        """Return the names of the inputs that a split's questions may have, in order.

        Raises what `read` raises.
        """
        split = canonical_split(split)
        return self._row_parser(self.open_split(split), split).input_names

    def declared_inputs(self) -> tuple[str, ...]:
        """Return the inputs of questions, by the mapping and the known dataset.

        A run with nothing to do asks too, so at most the first rows of a file are read,
        and nothing from the Hub. Raises what `read` raises.
        """
        columns = self.config.columns
        mapped = [
            name
            for name, column in columns.items()
            if column and name not in COLUMN_NAMES
        ]
        dataset = self.known
        if dataset is None:
            if self.config.name == "bundled" or self.revision is not None:
                return tuple(mapped)
            dataset = self._columns.find(
                self.open_split(self.split), self.split
            ).dataset
        known = () if dataset is None else dataset.input_names
        return (*mapped, *(name for name in known if name not in columns))

    def image_names(self, split: str) -> tuple[str, ...]:
        """Return those of `input_names` that are pictures."""
        split = canonical_split(split)
        return self._row_parser(self.open_split(split), split).image_names

    def read_notes(self, split: str) -> tuple[str, ...]:
        """Return lines on cells of a split that could be read in another way.

        They are about columns that are used. Raises what `read` raises.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        if not isinstance(rows, HasShape) or not rows.notes:
            return ()
        columns = self._columns.find(rows, split)
        if columns.dataset is not None:
            return ()
        understood = self._columns.understand(columns, rows, split)
        unused = unused_columns(understood.reading)
        return tuple(line for name, line in rows.notes.items() if name not in unused)

    @cached_property
    def _columns(self) -> SourceColumns:
        return SourceColumns(self.config, self.split, self.open_split, self.map_option)

    def _row_parser(self, rows: RowReader, split: str) -> RowParser:
        if self.known is not None:
            return self.known.row_parser(left_out=self.config.columns)
        return self._columns.row_parser(rows, split)

    def _read_counted(
        self, rows: RowReader, parser: RowParser, split: str
    ) -> Iterator[Question]:
        tally = _Tally()
        for question, _ in self._parse_rows(rows, parser, split, RowRange(), tally):
            yield question
        self.drops = dict(tally.drops)

    def _read_sliced(self, rows: RowReader, parser: RowParser) -> Iterator[Question]:
        """Yield the sample of the row range, up to the limit, and count overlaps."""
        tally = _Tally()
        questions = self._read_range(rows, parser, tally)
        if self.config.sample is not None:
            questions = self._draw_sample(
                questions, self._read_range(rows, parser, _Tally()), self.config.sample
            )
        count_overlaps = bool(self._eval_splits) and not self.config.drop_overlap
        for question in islice(questions, self.config.limit):
            if count_overlaps:
                tally.overlaps.update(self._overlap.find_splits(question))
            yield question
        self.drops = dict(tally.drops)
        self.overlaps = {split: tally.overlaps[split] for split in self._eval_splits}

    def _draw_sample(
        self, questions: Iterator[Question], population: Iterator[Question], count: int
    ) -> Iterator[Question]:
        """Return the questions in the sample of `count`, in order.

        `population` is a second pass over the same questions, which is used up.
        """
        seed = self.config.sample_seed
        bound = draw_bound(
            (draw_key(seed, question.id) for question in population), count
        )
        return (
            question for question in questions if draw_key(seed, question.id) <= bound
        )

    def _read_range(
        self, rows: RowReader, parser: RowParser, tally: _Tally
    ) -> Iterator[Question]:
        """Yield the questions in the row range, without overlaps if they are dropped.

        Raises DataError if no question is left.
        """
        row_range = parse_row_range(self.config.rows)
        is_empty = True
        for question, _ in self._parse_rows(rows, parser, self.split, row_range, tally):
            if self.config.drop_overlap:
                splits = self._overlap.find_splits(question)
                if splits:
                    tally.overlaps.update(splits)
                    tally.drops[f"overlap_{splits[0]}"] += 1
                    continue
            is_empty = False
            yield question
        if is_empty:
            raise DataError(
                f"{rows.location}: the text of every question is also in "
                f"{', '.join(tally.overlaps)}, so none is left. Leave out --drop-overlap."
            )

    @cached_property
    def _eval_splits(self) -> list[str]:
        splits = dict.fromkeys(
            canonical_split(split) for split in self.config.eval_splits
        )
        return [split for split in splits if split != self.split]

    @cached_property
    def _overlap(self) -> Overlap:
        return Overlap({split: self.read_all(split) for split in self._eval_splits})

    def _parse_rows(
        self,
        rows: RowReader,
        parser: RowParser,
        split: str,
        row_range: RowRange,
        tally: _Tally,
        note_bad_row: NoteBadRow | None = None,
    ) -> Iterator[ParsedRow]:
        """Yield the question and the row of each good row in the range.

        Earlier rows are parsed for their ids alone, so that a question has the same id
        in every range; bad rows outside the range are ignored. Raises DataError at a
        bad row, unless on_bad_row is drop, and if the range has no good row.
        """
        seen = SeenIds()
        is_empty = True
        # No name for the iterator: a traceback would keep its file open.
        for position, row in enumerate(
            islice(self._with_images(rows, parser), row_range.end)
        ):
            is_in_range = position >= row_range.start
            try:
                if isinstance(row, BadRow):
                    raise row
                question = parser.to_question(row, self._source_ref(split, position))
                if parser.images is not None and (is_in_range or not parser.has_id):
                    images = parser.images(row)
                    question = self._add_images(question, images, parser)
                question = _with_unique_id(question, seen, parser)
            except BadRow as bad_row:
                if is_in_range:
                    place = describe_place(rows, position)
                    self._record_bad_row(bad_row, tally, place)
                    if note_bad_row is not None:
                        note_bad_row(position, row, bad_row)
                continue
            if is_in_range:
                is_empty = False
                yield question, row
        if is_empty:
            raise _no_question_error(rows.location, row_range, tally)

    def _with_images(
        self, rows: RowReader, parser: RowParser
    ) -> Iterable[Row | BadRow]:
        """Return the rows, whose pictures are asked for a little ahead."""
        if parser.images is None or self.images is None:
            return rows
        return prefetch_images(rows, parser.images, self.images)

    def _add_images(
        self, question: Question, values: Mapping[str, object], parser: RowParser
    ) -> Question:
        """Return a question with the pictures of its row, given by raw values.

        Raises BadRow for one that cannot be used, and ConfigError if nothing keeps them.
        """
        if not values:
            return question
        if self.images is None:
            name = next(iter(values))
            raise ConfigError(
                f"{self.dataset}: input {name!r} is a picture, which is not read here. "
                f"Pass {self.map_option} {name}= to leave it out."
            )
        return add_images(question, values, self.images, parser)

    def _record_bad_row(self, bad_row: BadRow, tally: _Tally, place: str) -> None:
        if self.config.on_bad_row == "stop":
            message = self._columns.name_map_option(bad_row.message)
            raise DataError(
                f"{place}: {message} Fix the row or pass --on-bad-row drop."
            ) from bad_row
        tally.drops[bad_row.reason.value] += 1

    def _source_ref(self, split: str, position: int) -> SourceRef:
        return SourceRef(
            dataset=self.dataset,
            config_name=self.config_name,
            split=split,
            revision=self.revision,
            row=position,
        )

    def _no_rationale_error(self, rows: RowReader, split: str) -> ConfigError:
        if self.config.name == "bundled" or self.identify_dataset(split) is not None:
            return ConfigError(
                f"{rows.location}: its rows have no rationales. Use a source that has "
                "them, such as gsm8k or strategyqa."
            )
        columns = column_names(self._columns.find(rows, split).sample)
        return ConfigError(
            f"{rows.location}: no column named rationale among {columns}. "
            "Name it with --map rationale=COL"
        )


def _with_unique_id(question: Question, seen: SeenIds, parser: RowParser) -> Question:
    """Number a repeated id that is derived from content; raises BadRow for others."""
    count = seen.count(question.id)
    if count == 1:
        return question
    if parser.has_id:
        raise BadRow(
            BadRowReason.DUPLICATE_ID,
            f"duplicate id {short_repr(question.id)}; ids must be unique within a "
            "split (--map id= makes them from the content).",
        )
    return question.model_copy(update={"id": f"{question.id}#{count}"})


def _no_question_error(location: str, row_range: RowRange, tally: _Tally) -> DataError:
    if tally.drops:
        reasons = ", ".join(f"{count} {name}" for name, count in tally.drops.items())
        return DataError(f"{location}: all rows are bad: {reasons}.")
    if row_range.start == 0:
        return DataError(f"{location}: no rows.")
    return DataError(
        f"{location}: it ends before row {row_range.start} (from 0), where --rows "
        "begins. Use an earlier START."
    )
