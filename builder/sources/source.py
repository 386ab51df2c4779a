"""Source: the questions of one dataset, split by split, validated, with final ids."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row, RowReader
from cotbuild.builder.sources.generic import plan_form
from cotbuild.builder.sources.ids import SeenIds
from cotbuild.builder.sources.known import KnownDataset, RowParser
from cotbuild.builder.sources.overlap import Overlap
from cotbuild.builder.sources.registry import known_shape
from cotbuild.builder.sources.slices import RowRange, draw_bound, draw_key, row_range
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question, SourceRef

SAMPLE_ROWS = 100
"""First rows of a file from which its columns, kind and labelling are told."""
Pair = tuple[Question, Row]


@dataclass
class _Tally:
    """What one pass over a split has met."""

    drops: Counter[str] = field(default_factory=Counter)
    overlaps: Counter[str] = field(default_factory=Counter)


@dataclass
class Source:
    """The questions of one dataset. Made by `open_source`.

    Ids are unique within a split, not across splits: files often count each split from
    1.
    """

    config: SourceConfig
    dataset: str
    """Hub id, name of the bundled set, or name of the file or folder without its path.
    """
    split: str
    """The split asked about."""
    open_split: Callable[[str], RowReader]
    config_name: str | None = None
    revision: str | None = None
    known: KnownDataset | None = None
    """Set where the form of the rows is known beforehand: on the Hub."""
    branch: str | None = None
    """repo@revision as configured, where that is a branch or tag that `revision` is the
    commit of.
    """
    drops: dict[str, int] = field(default_factory=dict)
    """Questions left out by the last complete read: bad rows by reason, overlap_SPLIT.
    """
    overlaps: dict[str, int] = field(default_factory=dict)
    """Questions of the last complete read of the split asked about that also stand in
    each evaluation split.

    With `config.drop_overlap` these are the ones left out; one that stands in two
    counts in both.
    """

    def read(self, split: str) -> Iterator[Question]:
        """The questions of a split in order, any number of times, a row at a time.

        Of the split asked about only the part that the config names: its rows, less
        what overlaps, then the sample, then the limit. Raises ConfigError where the
        split or its columns are unknown, and DataError, while reading, at a bad row
        (unless on_bad_row is drop) and where no question is left.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        form = self._form(rows)
        return (
            self._asked(rows, form)
            if split == self.split
            else self._all(rows, form, split)
        )

    def whole(self, split: str) -> Iterator[Question]:
        """All questions of a split, also of the one asked about; counts nothing.

        Raises what `read` raises.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        return (
            question
            for question, _ in self._pairs(
                rows, self._form(rows), split, RowRange(), _Tally()
            )
        )

    def worked(self, split: str) -> Iterator[tuple[Question, str]]:
        """The questions of a whole split whose rows carry a rationale, each with it.

        Raises ConfigError where no row can carry one, and what `read` raises.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        form = self._form(rows)
        rationale = form.rationale
        if rationale is None:
            raise ConfigError(
                _no_rationale(rows, self.config, is_known=self.shape(rows) is not None)
            )
        pairs = self._pairs(rows, form, split, RowRange(), _Tally())
        return ((question, text) for question, row in pairs if (text := rationale(row)))

    def checksum(self, split: str) -> str:
        """sha256 of the split's file, or repo@revision for the Hub."""
        return self.open_split(canonical_split(split)).checksum()

    def _form(self, rows: RowReader) -> RowParser:
        if self.known is not None:
            return self.known.form()
        sample = _sample(rows)
        known = known_shape(sample[0], self.config)
        return (
            plan_form(sample, self.config, rows.where)
            if known is None
            else known.form(sample[0])
        )

    def shape(self, rows: RowReader) -> KnownDataset | None:
        """The known dataset whose form these rows have; None: none."""
        return self.known or known_shape(_sample(rows)[0], self.config)

    def _all(self, rows: RowReader, form: RowParser, split: str) -> Iterator[Question]:
        tally = _Tally()
        for question, _ in self._pairs(rows, form, split, RowRange(), tally):
            yield question
        self.drops = dict(tally.drops)

    def _asked(self, rows: RowReader, form: RowParser) -> Iterator[Question]:
        tally, config = _Tally(), self.config
        questions = self._apart(rows, form, tally)
        if config.sample is not None:
            drawn = (
                draw_key(config.sample_seed, q.id)
                for q in self._apart(rows, form, _Tally())
            )
            bound = draw_bound(drawn, config.sample)
            questions = (
                q for q in questions if draw_key(config.sample_seed, q.id) <= bound
            )
        counting = bool(self._eval_splits) and not config.drop_overlap
        for question in islice(questions, config.limit):
            if counting:
                tally.overlaps.update(self._overlap.splits_with(question))
            yield question
        self.drops = dict(tally.drops)
        self.overlaps = {split: tally.overlaps[split] for split in self._eval_splits}

    def _apart(
        self, rows: RowReader, form: RowParser, tally: _Tally
    ) -> Iterator[Question]:
        """The questions in the range of rows, less those that overlap where these are
        to be left out.
        """
        found = False
        for question, _ in self._pairs(
            rows, form, self.split, row_range(self.config.rows), tally
        ):
            splits = (
                self._overlap.splits_with(question) if self.config.drop_overlap else []
            )
            if splits:
                tally.overlaps.update(splits)
                tally.drops[f"overlap_{splits[0]}"] += 1
                continue
            found = True
            yield question
        if not found:
            raise DataError(
                f"{rows.where}: every question is also in {', '.join(tally.overlaps)}, so none is "
                "left. Leave out --drop-overlap."
            )

    @cached_property
    def _eval_splits(self) -> list[str]:
        splits = dict.fromkeys(
            canonical_split(split) for split in self.config.eval_splits
        )
        return [split for split in splits if split != self.split]

    @cached_property
    def _overlap(self) -> Overlap:
        return Overlap({split: self.whole(split) for split in self._eval_splits})

    def _pairs(
        self,
        rows: RowReader,
        form: RowParser,
        split: str,
        span: RowRange,
        tally: _Tally,
    ) -> Iterator[Pair]:
        """The good rows in `span` and their questions.

        The rows before it are read for their ids, so that a question has the same one
        in every range; their faults, and all rows behind it, are nobody's concern.
        """
        seen = SeenIds()
        kept = 0
        for position, row in enumerate(islice(rows, span.end)):
            try:
                if isinstance(row, BadRow):
                    raise row
                question = _unique(
                    form.to_question(row, self._ref(split, position)), seen, form
                )
            except BadRow as fault:
                if position >= span.start:
                    self._count(fault, tally, rows.where, position)
                continue
            if position >= span.start:
                kept += 1
                yield question, row
        if not kept:
            raise _nothing(rows.where, span, tally)

    def _count(self, fault: BadRow, tally: _Tally, where: str, position: int) -> None:
        if self.config.on_bad_row == "stop":
            raise DataError(
                f"{where} row {position} (from 0): {fault.message} Fix the row or pass --on-bad-row drop."
            ) from fault
        tally.drops[fault.reason.value] += 1

    def _ref(self, split: str, position: int) -> SourceRef:
        return SourceRef(
            dataset=self.dataset,
            config_name=self.config_name,
            split=split,
            revision=self.revision,
            row=position,
        )


def _sample(rows: RowReader) -> list[Row]:
    first = list(islice(rows, SAMPLE_ROWS))
    sample = [row for row in first if not isinstance(row, BadRow)]
    if not first:
        raise DataError(f"{rows.where}: no rows.")
    if not sample:
        raise DataError(
            f"{rows.where}: none of the first {len(first)} rows can be read: {first[0]}"
        )
    return sample


def _unique(question: Question, seen: SeenIds, form: RowParser) -> Question:
    times = seen.count(question.id)
    if times == 1:
        return question
    if form.has_id:
        raise BadRow(
            BadRowReason.DUPLICATE_ID,
            f"duplicate id {question.id!r}; ids must be unique within a split.",
        )
    return question.model_copy(update={"id": f"{question.id}#{times}"})


def _nothing(where: str, span: RowRange, tally: _Tally) -> DataError:
    if tally.drops:
        return DataError(f"{where}: all rows are bad: {dict(tally.drops)}.")
    if span.start == 0:
        return DataError(f"{where}: no rows.")
    return DataError(
        f"{where}: it ends before row {span.start} (from 0), where --rows begins. Use an earlier START."
    )


def _no_rationale(rows: RowReader, config: SourceConfig, *, is_known: bool) -> str:
    if is_known or config.name == "bundled":
        return f"{rows.where}: its rows have no rationales. Use a source that has them, such as gsm8k or strategyqa."
    names = list(dict.fromkeys(name for row in _sample(rows) for name in row))
    return (
        f"{rows.where}: no column named rationale among {names}. "
        "Name it with --map rationale=COL"
    )


def overlapping(
    source: Source, split: str, eval_splits: Iterable[str]
) -> dict[str, list[str]]:
    """Ids of the questions of a whole split that also stand in each evaluation split.

    Raises what reading a split raises.
    """
    overlap = Overlap({name: source.whole(name) for name in eval_splits})
    found: dict[str, list[str]] = {name: [] for name in eval_splits}
    for question in source.whole(split):
        for name in overlap.splits_with(question):
            found[name].append(question.id)
    return found
