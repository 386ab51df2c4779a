"""Import: the rationales of files made elsewhere, joined to the questions of a source, as rows of a build."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cotbuild.builder.imports.fit import LEAST_FRAC, fits, misfit
from cotbuild.builder.imports.join import Joined
from cotbuild.builder.imports.keys import read_order
from cotbuild.builder.imports.rows import to_rationale
from cotbuild.builder.imports.texts import Text, Unmatched
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.files import FileRows
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.recipe import DropReason, ImportConfig, ImportEntry, ImportFile


@dataclass(frozen=True)
class Import:
    """What an import makes. Made by `open_import`; holds the texts of the files in memory, and no question."""

    config: ImportConfig
    source: Source
    entry: ImportEntry
    """What was read, and what became of it."""
    unmatched: list[Unmatched]
    """The first texts without a row; not those whose question was left out of the build."""
    _joined: Joined = field(repr=False)

    @property
    def num_rows(self) -> int:
        return self.entry.num_rationales

    def questions(self) -> Iterator[Question]:
        """Every question of the build, with or without a rationale, any number of times."""
        return self.source.read(self.source.split)

    def rows(self) -> Iterator[Rationale]:
        """The rows, any number of times: by question as in the source, then by sample_index, as in the files."""
        for question in self.questions():
            for sample_index, text in enumerate(self._joined.of(question)):
                yield to_rationale(question, sample_index, text, self.entry.files[text.file], self.config.recipe)


def open_import(config: ImportConfig, source: Source) -> Import:
    """Read the files and find each text's question in `source`, which `open_import_source` makes.

    The source is read twice here, and once by each `rows()`. A text without a question is counted and not fatal. Raises
    DataError where a file cannot be read, at a bad row unless the source's on_bad_row is drop, where no text has a
    question, and where the order of the rows cannot be that of the questions.
    """
    order = None if config.order_from is None else read_order(Path(config.order_from))
    joined = Joined(config, source, order)
    found = _survey(joined, source)
    if not found.fits:
        raise _nothing(config, joined, source)
    if config.recipe.names_options:
        _check_order(config, joined, found)
    entry = _entry(config, joined, found, len(order or ()))
    return Import(config, source, entry, joined.drops.shown, joined)


@dataclass
class _Found:
    """What a look at the questions of the build told."""

    texts: list[Text] = field(default_factory=list)
    fits: list[bool | None] = field(default_factory=list)
    num_without: int = 0


def _survey(joined: Joined, source: Source) -> _Found:
    found = _Found()
    for question in source.read(source.split):
        texts = joined.of(question)
        found.num_without += not texts
        found.texts += texts
        found.fits += [fits(text.text, question) for text in texts]
    return found


def _nothing(config: ImportConfig, joined: Joined, source: Source) -> DataError:
    drops = {reason.value: count for reason, count in joined.drops.counts.items()}
    example = joined.drops.shown[0].what if joined.drops.shown else "none"
    return DataError(
        f"{joined.files[0].file}: none of {joined.num_texts} texts has a question of {source.dataset}/{source.split} "
        f"(join by {config.recipe.join}; dropped {drops}, the first one {example}). Expected the rationales of this "
        "split. Check --source, --split and the recipe."
    )


def _check_order(config: ImportConfig, joined: Joined, found: _Found) -> None:
    """Raise DataError where the options that texts name are not those of the questions they were joined to."""
    in_files = sorted(zip(found.texts, found.fits, strict=True), key=lambda pair: pair[0][:4])
    block = misfit([fit for _, fit in in_files])
    if block is None:
        return
    first, last = in_files[block[0]][0], in_files[block[-1]][0]
    fitting = sum(in_files[i][1] is True for i in block)
    raise DataError(
        f"{joined.files[first.file].file} row {first.row} to {joined.files[last.file].file} row {last.row} (from 0): "
        f"{fitting} of {len(block)} texts name an option of the question they were joined to by {config.recipe.join}. "
        f"Expected at least {LEAST_FRAC:.0%}: the rows are not in the order of the questions. Check the order of the "
        f"files, --split and --order-from."
    )


def _entry(config: ImportConfig, joined: Joined, found: _Found, num_ordered: int) -> ImportEntry:
    recipe, dropped = config.recipe, dict(joined.drops.counts)
    if left_out := joined.num_texts - sum(dropped.values()) - len(found.texts):
        dropped[DropReason.LEFT_OUT] = left_out
    return ImportEntry(
        files=tuple(joined.files),
        order_from=None if config.order_from is None else _order_file(Path(config.order_from), num_ordered),
        recipe=recipe.ref,
        fingerprint=recipe.fingerprint,
        made_by=recipe.made_by,
        licence=recipe.licence,
        url=recipe.url,
        num_texts=joined.num_texts,
        num_rationales=len(found.texts),
        dropped={reason.value: count for reason, count in sorted(dropped.items())},
        num_questions_without=found.num_without,
        num_naming=sum(fit is not None for fit in found.fits),
        num_fitting=sum(fit is True for fit in found.fits),
    )


def _order_file(path: Path, num_rows: int) -> ImportFile:
    return ImportFile(file=path.name, checksum=FileRows(path).checksum(), num_rows=num_rows)
