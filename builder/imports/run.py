"""Import: the rationales of files made elsewhere, joined to the questions of a source,
as rows of a build.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cotbuild.builder.imports.check_join import (
    LEAST_FRAC,
    closer,
    misfit,
    question_words,
)
from cotbuild.builder.imports.join import JoinedTexts
from cotbuild.builder.imports.keys import read_order
from cotbuild.builder.imports.read import ImportedText, UnmatchedText
from cotbuild.builder.imports.rows import to_rationale
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.files import FileRows
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import (
    ImportConfig,
    ImportDropReason,
    ImportEntry,
    ImportFile,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale


@dataclass(frozen=True)
class RationaleImport:
    """What an import makes, by `open_import`; holds the texts of the files in memory
    (*measured*: 116 MB for 46 MB).
    """

    config: ImportConfig
    source: Source
    entry: ImportEntry
    """What was read, and what became of it."""
    unmatched: list[UnmatchedText]
    """The first texts without a row; not those whose question was left out of the
    build.
    """
    _joined: JoinedTexts = field(repr=False)

    @property
    def num_rows(self) -> int:
        return self.entry.num_rationales

    def questions(self) -> Iterator[Question]:
        """Every question of the build, with or without a rationale, any number of
        times.
        """
        return self.source.read(self.source.split)

    def rows(self) -> Iterator[Rationale]:
        """The rows, any number of times: by question as in the source, then by
        sample_index, as in the files.
        """
        for question in self.questions():
            for sample_index, text in enumerate(self._joined.of(question)):
                yield to_rationale(
                    question,
                    sample_index,
                    text,
                    self.entry.files[text.file],
                    self.config.recipe,
                )


def open_import(config: ImportConfig, source: Source) -> RationaleImport:
    """Read the files and find each text's question in `source`, which
    `open_import_source` makes.

    The source is read twice here, and once by each `rows()`. A text without a question
    is counted and not fatal. Raises DataError where a file cannot be read, at a bad row
    unless the source's on_bad_row is drop, where no text has a question, and where
    texts joined by order or id are not about their questions.
    """
    order = None if config.order_from is None else read_order(Path(config.order_from))
    joined = JoinedTexts(config, source, order)
    found = _survey(joined, source)
    if not found.texts:
        raise _nothing(config, joined, source)
    if config.recipe.join in ("order", "id"):
        _check_fit(config, joined, found)
    entry = _entry(config, joined, found, len(order or ()))
    return RationaleImport(config, source, entry, joined.drops.shown, joined)


@dataclass
class _Found:
    """What a look at the questions of the build told."""

    texts: list[ImportedText] = field(default_factory=list)
    closer: list[bool | None] = field(default_factory=list)
    """Of each text whether it is closer to its question than to another; None: it does
    not tell.
    """
    num_without: int = 0


def _survey(joined: JoinedTexts, source: Source) -> _Found:
    found, before = _Found(), None
    for question in source.read(source.split):
        texts, words = joined.of(question), question_words(question)
        found.num_without += not texts
        found.texts += texts
        found.closer += [
            None if before is None else closer(text.text, words, before)
            for text in texts
        ]
        before = words
    return found


def _nothing(config: ImportConfig, joined: JoinedTexts, source: Source) -> DataError:
    drops = {reason.value: count for reason, count in joined.drops.counts.items()}
    example = joined.drops.shown[0].what if joined.drops.shown else "none"
    return DataError(
        f"{joined.files[0].file}: none of {joined.num_texts} texts has a question of {source.dataset}/{source.split} "
        f"(join by {config.recipe.join}; dropped {drops}, the first one {example}). Expected the rationales of this "
        "split. Check --source, --split and the recipe."
    )


def _check_fit(config: ImportConfig, joined: JoinedTexts, found: _Found) -> None:
    """Raise DataError where texts are no closer to the questions they were joined to
    than to others.

    Ids can mislead as well as the order: those that count from 1 are found in every
    split.
    """
    in_files = sorted(
        zip(found.texts, found.closer, strict=True), key=lambda pair: pair[0][:4]
    )
    block = misfit([fit for _, fit in in_files])
    if block is None:
        return
    first, last = in_files[block[0]][0], in_files[block[-1]][0]
    fits = [in_files[i][1] for i in block]
    raise DataError(
        f"{joined.files[first.file].file} row {first.row} to {joined.files[last.file].file} row {last.row} (from 0): "
        f"{fits.count(True)} of {len(fits) - fits.count(None)} texts share more words with the question they were "
        f"joined to by {config.recipe.join} than with another. Expected at least {LEAST_FRAC:.0%}: they are about "
        "other questions. Check the order of files and rows, --source, --split and --order-from."
    )


def _entry(
    config: ImportConfig, joined: JoinedTexts, found: _Found, num_ordered: int
) -> ImportEntry:
    recipe, dropped = config.recipe, dict(joined.drops.counts)
    if left_out := joined.num_texts - sum(dropped.values()) - len(found.texts):
        dropped[ImportDropReason.LEFT_OUT] = left_out
    return ImportEntry(
        files=tuple(joined.files),
        order_from=None
        if config.order_from is None
        else _order_file(Path(config.order_from), num_ordered),
        recipe=recipe.ref,
        fingerprint=recipe.fingerprint,
        made_by=recipe.made_by,
        licence=recipe.licence,
        url=recipe.url,
        num_texts=joined.num_texts,
        num_rationales=len(found.texts),
        dropped={reason.value: count for reason, count in sorted(dropped.items())},
        num_questions_without=found.num_without,
        num_telling=len(found.closer) - found.closer.count(None),
        num_closer=found.closer.count(True),
    )


def _order_file(path: Path, num_rows: int) -> ImportFile:
    return ImportFile(
        file=path.name, checksum=FileRows(path).checksum(), num_rows=num_rows
    )
