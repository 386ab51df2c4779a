"""Import: rationales from files, joined to the questions of a source as rows of a build.

Whether the texts were joined to their own questions is checked by the words they share.
A text shares words with its own question that it does not share with another one,
whoever wrote it. *Measured*, the share of texts with more words of their own question
than of the one before it in the source, ties left out; lowest block of 100 rows: PaLM
for CommonsenseQA 92 %, people for the same 84 %, Llama-3 for OpenBookQA 86 %, the
solutions of GSM8K 99 %. Joined to the wrong questions: PaLM's in the order of the source
50 % (highest block 59 %), PaLM's shifted by one row 64 % (lowest 29 %; similar questions
are neighbours in its order), GSM8K's shifted by three rows 50 %.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotbuild.builder.imports.join import JoinedTexts, read_order
from cotbuild.builder.imports.read import (
    ImportedText,
    UnmatchedText,
    open_rationales,
)
from cotbuild.builder.imports.row_filter import nothing_selected
from cotbuild.builder.imports.rows import question_rows
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.files import FileRows
from cotbuild.schemas.answers.grade import PLAIN_GRADING, GradingRules
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import (
    ImportConfig,
    ImportDropReason,
    ImportEntry,
    ImportFile,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale

BLOCK_ROWS = 100
"""Rows that are checked together, so that a shift in the middle of a file shows."""
MIN_DECIDED = 20
"""A block counts where at least so many of its texts are closer to either question."""
MIN_CLOSER_FRAC = 0.75
"""Least share of those texts that must be closer to their own question."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class RationaleImport:
    """The rationales of an import, opened by `open_import`.

    Holds the texts of the files in memory (*measured*: 116 MB for 46 MB).
    """

    config: ImportConfig
    source: Source
    entry: ImportEntry
    """What was read, and what became of it."""
    unmatched: list[UnmatchedText]
    """The first dropped texts; not those whose question the build leaves out."""
    _joined: JoinedTexts = field(repr=False)

    @property
    def num_rows(self) -> int:
        """Number of rationales."""
        return self.entry.num_rationales

    def questions(self) -> Iterator[Question]:
        """Yield every question of the build, with or without a rationale."""
        return self.source.read(self.source.split)

    def texts(self) -> Iterator[tuple[Question, list[ImportedText]]]:
        """Yield every question of the build with its texts, in the order of the files."""
        for question in self.questions():
            yield question, self._joined.texts_for(question)

    def texts_for(self, question: Question) -> list[ImportedText]:
        """Return the texts of a question, in the order of the files."""
        return self._joined.texts_for(question)

    def rows(self, grading: GradingRules = PLAIN_GRADING) -> Iterator[Rationale]:
        """Yield the rows by question as in the source, then in the order of the files."""
        for question, texts in self.texts():
            yield from question_rows(
                question, texts, self.entry.files, self.config.recipe, grading
            )


def open_import(config: ImportConfig, source: Source) -> RationaleImport:
    """Read the files and find each text's question in `source`.

    `source` comes from `open_import_source`; it is read twice here, and once by each
    call of `rows()`. A text without a question is counted and is no error. Raises
    DataError where a file cannot be read, at a bad row unless the source drops them,
    where no text has a question, and where texts joined by order or id are about other
    questions.
    """
    order = None if config.order_from is None else read_order(Path(config.order_from))
    joined = JoinedTexts(config, source, order)
    survey = _survey(joined, source)
    if not survey.texts:
        raise _no_texts_error(config, joined, source)
    is_joined_by_rows = config.recipe.join in ("order", "id")
    if is_joined_by_rows and not config.recipe.is_from_source:
        _check_join(config, joined, survey)
    entry = _entry(config, joined, survey, len(order or ()))
    return RationaleImport(config, source, entry, joined.drops.shown, joined)


@dataclass
class _Survey:
    """The texts of all questions of the build, and how close they are to them."""

    texts: list[ImportedText] = field(default_factory=list)
    closer: list[bool | None] = field(default_factory=list)
    """Result of `is_closer` for each text."""
    num_without: int = 0
    """Questions without a text."""


def _survey(joined: JoinedTexts, source: Source) -> _Survey:
    survey, words_before = _Survey(), None
    for question in source.read(source.split):
        texts, words = joined.texts_for(question), question_words(question)
        survey.num_without += not texts
        survey.texts += texts
        for text in texts:
            closer = None
            if words_before is not None:
                closer = is_closer(text.text, words, words_before)
            survey.closer.append(closer)
        words_before = words
    return survey


def _no_texts_error(
    config: ImportConfig, joined: JoinedTexts, source: Source
) -> DataError:
    if joined.drops.counts.keys() == {ImportDropReason.NOT_SELECTED}:
        first = open_rationales(config, source)[0]
        return nothing_selected(iter(first), config.recipe, first.location)
    drops = {reason.value: count for reason, count in joined.drops.counts.items()}
    example = joined.drops.shown[0].what if joined.drops.shown else "none"
    return DataError(
        f"{joined.files[0].file}: none of {joined.num_texts} texts has a question of "
        f"{source.dataset}/{source.split} (join by {config.recipe.join}; dropped "
        f"{drops}, the first one {example}). Check --source, --split and the recipe."
    )


def _entry(
    config: ImportConfig, joined: JoinedTexts, survey: _Survey, num_ordered: int
) -> ImportEntry:
    recipe, dropped = config.recipe, dict(joined.drops.counts)
    num_left_out = joined.num_texts - sum(dropped.values()) - len(survey.texts)
    if num_left_out:
        dropped[ImportDropReason.LEFT_OUT] = num_left_out
    order_from = None
    if config.order_from is not None:
        path = Path(config.order_from)
        checksum = FileRows(path).checksum()
        order_from = ImportFile(file=path.name, checksum=checksum, num_rows=num_ordered)
    return ImportEntry(
        files=tuple(joined.files),
        order_from=order_from,
        recipe=recipe.ref,
        fingerprint=recipe.fingerprint,
        columns=recipe.columns,
        where=recipe.where,
        once=recipe.once,
        made_by=recipe.made_by,
        licence=recipe.licence,
        url=recipe.url,
        num_texts=joined.num_texts,
        num_rationales=len(survey.texts),
        dropped={reason.value: count for reason, count in sorted(dropped.items())},
        num_questions_without=survey.num_without,
        num_telling=len(survey.closer) - survey.closer.count(None),
        num_closer=survey.closer.count(True),
    )


# -- checking the join -----------------------------------------------------------------


def _check_join(config: ImportConfig, joined: JoinedTexts, survey: _Survey) -> None:
    """Raise DataError where texts are no closer to their questions than to others.

    Ids can mislead as well as the order: those that count from 1 exist in every split.
    """
    pairs = zip(survey.texts, survey.closer, strict=True)
    in_file_order = sorted(pairs, key=lambda pair: pair[0][:4])
    block = find_mismatched_block([closer for _, closer in in_file_order])
    if block is None:
        return
    first, last = in_file_order[block[0]][0], in_file_order[block[-1]][0]
    closer = [in_file_order[number][1] for number in block]
    raise DataError(
        f"{joined.files[first.file].file} row {first.row} to "
        f"{joined.files[last.file].file} row {last.row} (from 0): "
        f"{closer.count(True)} of {len(closer) - closer.count(None)} texts share more "
        f"words with the question they were joined to by {config.recipe.join} than with "
        f"another. Expected at least {MIN_CLOSER_FRAC:.0%}: they are about other "
        "questions. Check the order of files and rows, --source, --split and "
        "--order-from."
    )


def question_words(question: Question) -> set[str]:
    """Return the words of a question and its choices."""
    choices = [choice.text for choice in question.choices]
    return _words(" ".join([question.text, *choices]))


def is_closer(text: str, own: set[str], other: set[str]) -> bool | None:
    """Whether a text has more words of its own question than of another one.

    None where it has as many of both; words that both questions have cancel out.
    """
    words = _words(text)
    balance = len(words & own) - len(words & other)
    return balance > 0 if balance else None


def find_mismatched_block(closer: Sequence[bool | None]) -> range | None:
    """Return the first block of rows whose texts are about other questions.

    That is one in which less than MIN_CLOSER_FRAC of the texts that are closer to
    either question are closer to their own. None where there is no such block.
    """
    for start in range(0, len(closer), BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, len(closer))
        decided = [is_own for is_own in closer[start:stop] if is_own is not None]
        if len(decided) < MIN_DECIDED:
            continue
        if sum(decided) < MIN_CLOSER_FRAC * len(decided):
            return range(start, stop)
    return None


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
