"""Source: the questions of one dataset, split by split, validated, with final ids."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.sources import commonsense_qa, openbookqa, quarel
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.generic import plan_form
from cotbuild.builder.sources.known import Form, Known
from cotbuild.builder.sources.rows import BadRow, BadRowReason, Row, Rows
from cotbuild.builder.sources.seen import SeenIds
from cotbuild.builder.sources.splits import canonical_split, file_of_split, split_of_file
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question, SourceRef

KNOWN: dict[str, Known] = {known.name: known for known in (commonsense_qa.KNOWN, openbookqa.KNOWN, quarel.KNOWN)}
BUNDLED_SPLITS = ("train", "test")
SAMPLE_ROWS = 100
"""First rows of a file from which its columns, kind and labelling are told."""


@dataclass
class Source:
    """The questions of one dataset. Made by `open_source`.

    Ids are unique within a split, not across splits: files often count each split from 1.
    """

    config: SourceConfig
    dataset: str
    """Hub id, name of the bundled set, or name of the file or folder without its path."""
    split: str
    """The split asked about."""
    open_split: Callable[[str], Rows]
    config_name: str | None = None
    revision: str | None = None
    known: Known | None = None
    """Set where the form of the rows is known beforehand: on the Hub."""
    drops: dict[str, int] = field(default_factory=dict)
    """Bad rows left out by the last complete read, by reason; empty unless on_bad_row is drop."""

    def read(self, split: str) -> Iterator[Question]:
        """The questions of a split in order, any number of times, a row at a time.

        `config.limit` cuts the split asked about only. Raises ConfigError where the split or its columns are unknown,
        and DataError, while reading, at a bad row (unless on_bad_row is drop) and where no question is left.
        """
        split = canonical_split(split)
        rows = self.open_split(split)
        limit = self.config.limit if split == self.split else None
        return self._questions(rows, self._form(rows), split, limit)

    def checksum(self, split: str) -> str:
        """sha256 of the split's file, or repo@revision for the Hub."""
        return self.open_split(canonical_split(split)).checksum()

    def _form(self, rows: Rows) -> Form:
        if self.known is not None:
            return Form(self.known.to_question, has_id=True)
        first = list(islice(rows, SAMPLE_ROWS))
        sample = [row for row in first if not isinstance(row, BadRow)]
        if not first:
            raise DataError(f"{rows.where}: no rows. Expected at least one.")
        if not sample:
            raise DataError(f"{rows.where}: none of the first {len(first)} rows can be read: {first[0]}")
        known = _known_shape(sample[0]) if _may_be_known(self.config) else None
        if known is not None:
            return Form(known.to_question, has_id="id" in sample[0])
        return plan_form(sample, self.config, rows.where)

    def _questions(self, rows: Rows, form: Form, split: str, limit: int | None) -> Iterator[Question]:
        drops: Counter[str] = Counter()
        seen = SeenIds()
        kept = 0
        for position, row in enumerate(rows):
            try:
                question = _unique(_question(row, form, self._ref(split, position)), seen, form)
            except BadRow as fault:
                if self.config.on_bad_row == "stop":
                    raise _stop(rows.where, position, fault) from fault
                drops[fault.reason.value] += 1
                continue
            yield question
            kept += 1
            if kept == limit:
                break
        self.drops = dict(drops)
        if not kept:
            raise DataError(f"{rows.where}: all rows are bad: {dict(drops)}. Expected at least one good one.")

    def _ref(self, split: str, position: int) -> SourceRef:
        return SourceRef(
            dataset=self.dataset, config_name=self.config_name, split=split, revision=self.revision, row=position
        )


def _question(row: Row | BadRow, form: Form, ref: SourceRef) -> Question:
    if isinstance(row, BadRow):
        raise row
    return form.to_question(row, ref)


def _unique(question: Question, seen: SeenIds, form: Form) -> Question:
    times = seen.count(question.id)
    if times == 1:
        return question
    if form.has_id:
        raise BadRow(BadRowReason.DUPLICATE_ID, f"id {question.id!r} stands in an earlier row too. Expected it once.")
    return question.model_copy(update={"id": f"{question.id}#{times}"})


def _stop(where: str, position: int, fault: BadRow) -> DataError:
    return DataError(f"{where} row {position} (from 0): {fault.message} Fix the row or pass --on-bad-row drop.")


def _may_be_known(config: SourceConfig) -> bool:
    return not config.columns and config.kind in (None, "choice")


def _known_shape(row: Row) -> Known | None:
    return next((known for known in KNOWN.values() if known.matches(row)), None)


def open_source(config: SourceConfig) -> Source:
    """The source a config names; a name that is known goes before a file of that name. Raises ConfigError."""
    if config.name == "bundled":
        return _open_bundled(config)
    if config.name in KNOWN:
        return _open_hub(config, KNOWN[config.name])
    path = Path(config.name)
    if path.is_dir():
        return _open_folder(config, path)
    if path.exists():
        return _open_file(config, path)
    names = ", ".join(["bundled", *KNOWN])
    raise ConfigError(f"source {config.name!r}: no such name or file. Expected one of {names}, a file, or a folder.")


def _open_bundled(config: SourceConfig) -> Source:
    _refuse_mapping(config)

    def open_split(split: str) -> Rows:
        _check_split("bundled", split, BUNDLED_SPLITS)
        return _BundledRows(split)

    split = canonical_split(config.split or "train")
    _check_split("bundled", split, BUNDLED_SPLITS)
    return Source(config, "bundled", split, open_split)


class _BundledRows(FileRows):
    """One split of the bundled question set, which is one file."""

    def __init__(self, split: str) -> None:
        super().__init__(Path(__file__).with_name("bundled.jsonl"))
        self._split = split

    def __iter__(self) -> Iterator[Row | BadRow]:
        return (row for row in super().__iter__() if isinstance(row, BadRow) or row.get("split") == self._split)


def _open_hub(config: SourceConfig, known: Known) -> Source:
    from cotbuild.builder.hub import HubRows

    _refuse_mapping(config)
    split = canonical_split(config.split or "train")
    _check_split(known.name, split, known.splits)

    def open_split(name: str) -> Rows:
        _check_split(known.name, name, known.splits)
        return HubRows(known.hub_id, known.config_name, name, known.revision)

    return Source(config, known.hub_id, split, open_split, known.config_name, known.revision, known)


def _open_folder(config: SourceConfig, folder: Path) -> Source:
    split = canonical_split(config.split or "train")
    file_of_split(folder, split)
    return Source(config, folder.resolve().name, split, lambda name: FileRows(file_of_split(folder, name)))


def _open_file(config: SourceConfig, path: Path) -> Source:
    split = canonical_split(config.split) if config.split else split_of_file(path)

    def open_split(name: str) -> Rows:
        if name != split:
            raise ConfigError(
                f"{path.name}: split {name!r} of a single file, which holds {split!r}. "
                "Expected that one. Pass the folder that holds the files of all splits as the source."
            )
        return FileRows(path)

    return Source(config, path.name, split, open_split)


def _check_split(name: str, split: str, splits: tuple[str, ...]) -> None:
    if split not in splits:
        raise ConfigError(f"{name}: split {split!r}. Expected one of {', '.join(splits)} (dev is validation).")


def _refuse_mapping(config: SourceConfig) -> None:
    if config.columns or config.kind is not None:
        raise ConfigError(
            f"{config.name}: --map and --kind with a source of known shape. Expected neither. Leave them out."
        )


class SourceInfo(NamedTuple):
    """One entry of `cotbuild sources`."""

    name: str
    """What to type after --source."""
    kinds: str
    splits: tuple[str, ...]
    """Empty for files: their names tell."""
    licence: str
    hub_id: str | None
    """Hub id; None where nothing is fetched."""
    revision: str | None
    """The commit read from the Hub."""

    def lines(self) -> Iterator[str]:
        """The entry as a terminal shows it, at most 80 columns wide."""
        yield f"{self.name:<16} {self.kinds}; {', '.join(self.splits) or 'split told by the name'}"
        if self.hub_id is not None:
            yield f"{'':<16} {self.hub_id} @ {(self.revision or '')[:12]}"
        yield f"{'':<16} licence: {self.licence}"
        yield f"{'':<16} --source {self.name.partition(' ')[0]}"


def list_sources() -> list[SourceInfo]:
    """All sources that have a name, and how to name a file."""
    bundled = SourceInfo("bundled", "choice, yes_no, number, text", BUNDLED_SPLITS, "Apache-2.0", None, None)
    hub = [SourceInfo(k.name, "choice", k.splits, k.licence, k.hub_id, k.revision) for k in KNOWN.values()]
    return [bundled, *hub, SourceInfo("FILE or FOLDER", "kind told by the columns", (), "its owner's", None, None)]
