"""Derive training rows: the selected rationales of a build, through every variant of a
set.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.variants.balance import (
    NOT_BALANCED,
    TARGET_COLUMNS,
    draw_balanced,
)
from cotbuild.builder.variants.compile import (
    CompiledVariant,
    DerivedText,
    KnownTransforms,
)
from cotbuild.builder.variants.corpus import CorpusText, LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample, example_columns
from cotbuild.builder.variants.leak_counts import LeakSample
from cotbuild.builder.variants.mix import MixRanks
from cotbuild.builder.variants.select import (
    Candidate,
    VariantDropReason,
    candidate_columns,
    select,
    share_limit,
)
from cotbuild.builder.variants.units import TokenPieces, is_mostly_unspaced
from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import TextRow
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import (
    Selection,
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from cotbuild.schemas.variant_set import (
    VariantSet,
)

CORPUS_COLUMNS = ("question_id", "sample_index", "choices", "target", "rationale")
"""Columns of `rationales` that the corpus is made of."""


class DerivedPart(NamedTuple):
    """What a variant, or the part of a mix that takes a rationale, derives from it."""

    compiled: CompiledVariant
    text: DerivedText


class DerivedRationale(NamedTuple):
    """What the variants of a set derive from one rationale, by the variant's name.

    An aligned variant has rows only if all aligned variants of the set apply.
    """

    example: RationaleExample
    prompt: StudentPrompt
    parts: dict[str, DerivedPart]
    dropped_by: list[str]
    """The aligned variants that do not apply to the rationale."""

    def rows(self, name: str) -> list[VariantRow]:
        """Return the rows of a variant; none if it has none of this rationale."""
        if name not in self.parts:
            return []
        compiled, text = self.parts[name]
        return compiled.composer.compose(
            self.prompt, self.example.sample_index, text.label, text.rationale
        )

    def text_rows(self, name: str) -> list[TextRow]:
        """Return the rows of a variant of texts, of which it has some."""
        compiled, text = self.parts[name]
        return compiled.composer.compose_texts(
            self.prompt, self.example.sample_index, text.label, text.rationale
        )


def _check_evaluations(build: StoredBuild, selection: Selection) -> None:
    """Raise ConfigError for a build without evaluated attempts to select by."""
    if selection.selects_evaluations and build.manifest.attempts is None:
        raise ConfigError(
            f"{build.folder}: --filter attempt, evaluation and agrees are for builds of "
            "--mode reflect, and this one has no evaluated attempts. Leave them out."
        )


def _check_scores(build: StoredBuild, selection: Selection) -> None:
    """Raise ConfigError for a build without scores to select by."""
    if selection.min_scores and not build.manifest.scores:
        names = ", ".join(f"min_{metric}" for metric in selection.min_scores)
        raise ConfigError(
            f"{build.folder}: --filter {names} is for scored answers in prose, and no "
            "answer of this build has scores. Leave it out."
        )


def _compile(specs: Sequence[VariantSpec]) -> list[list[CompiledVariant]]:
    known = KnownTransforms()
    return [
        [CompiledVariant.compile(part, known) for part in spec.parts] for spec in specs
    ]


class VariantDeriver:
    """Reads a build and derives the rows of a set of variants; writes nothing.

    A context manager: entering it reads all rationales once, to select and to build the
    corpus. Memory is that of the corpus and one byte a rationale, eight more for a mix.

    Once entered, it can be pickled: the copy derives rows, as long as this one is open.
    """

    def __init__(
        self, build: StoredBuild, variants: VariantSet, files: Mapping[str, Path]
    ) -> None:
        """`files` maps the file names that specs use to paths.

        Raises ConfigError if a variant's tokenizer is not available.
        """
        self.build, self.variants = build, variants
        self._compiled = _compile(variants.specs)
        self._aligned = [spec.name for spec in variants.specs if spec.aligned]
        self._files = files
        self._open = ExitStack()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what only this process uses, or the other one makes for itself."""
        not_shared = dict.fromkeys(("_compiled", "_selected", "_open"))
        return self.__dict__ | not_shared

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._compiled = _compile(self.variants.specs)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Select the rationales and load the corpus.

        Raises DataError if the build cannot be read or no rationale is selected,
        StoreError if there is no room for the corpus.
        """
        self.num_in = 0
        self.dropped = Counter[str]()
        self._selected: NDArray[np.bool_] = np.fromiter(self._select(), bool)
        if self.variants.selection.balance is not None:
            self._balance()
        self.num_selected = int(self._selected.sum())
        if not self.num_selected:
            raise self._nothing_selected()
        self._mix_ranks = self._rank_for_mixes()
        self.sample = LeakSample.spread(self.num_selected)
        self.num_unspaced = 0
        corpus = LoadedCorpus(self._corpus_texts(), self._files)
        self.corpus = self._open.enter_context(corpus)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def _select(self) -> Iterator[bool]:
        selection, seed = self.variants.selection, self.variants.seed
        _check_evaluations(self.build, selection)
        _check_scores(self.build, selection)
        rows = self.build.read(RATIONALES, columns=("question_id",))
        ids = (row["question_id"] for row in rows)
        limit = share_limit(ids, selection.share, seed)
        rows = self.build.read(RATIONALES, columns=candidate_columns(selection))
        candidates = map(Candidate.from_row, rows)
        for reason in select(candidates, selection, seed, limit):
            self.num_in += 1
            if reason is not None:
                self.dropped[reason.value] += 1
            yield reason is None

    def _nothing_selected(self) -> DataError:
        kept = self.variants.selection.kept_verdicts
        others = {
            verdict: count
            for verdict, count in self.build.manifest.verdicts.items()
            if count and verdict not in kept
        }
        by_verdict = ", ".join(
            f"{count} {verdict}" for verdict, count in others.items()
        )
        words = {VariantDropReason.VERDICT.value: f"by verdict ({by_verdict})"}
        left_out = ", ".join(
            f"{count} {words.get(reason, reason.replace('_', ' '))}"
            for reason, count in self.dropped.items()
        )
        advice = "Relax --filter."
        if set(self.dropped) == set(words):
            advice = f"To take them, pass --filter verdicts={','.join(others)}."
        return DataError(
            f"{self.build.folder}: none of {self.num_in} rationales is selected. Left "
            f"out: {left_out or 'none'}. {advice}"
        )

    def _balance(self) -> None:
        """Select equally many of the selected rationales for each target."""
        rows = self.build.read(RATIONALES, columns=TARGET_COLUMNS)
        drawn = draw_balanced(compress(rows, self._selected), self.variants.seed)
        num_dropped = len(drawn) - int(drawn.sum())
        if num_dropped:
            self.dropped[NOT_BALANCED] += num_dropped
        self._selected[self._selected] = drawn

    def is_measured(self, number: int) -> bool:
        """Return whether a selected rationale, by number, is searched for answers.

        A rationale of prose is about its answer, so naming it means nothing.
        """
        return not self.build.manifest.has_only_prose and self.sample.has(number)

    @property
    def looked_at_every(self) -> int | None:
        """One in how many selected rationales is; None if none or the first ones are."""
        return None if self.build.manifest.has_only_prose else self.sample.every

    @property
    def num_looked_at(self) -> int:
        """The number of selected rationales that are searched for answers."""
        if self.build.manifest.has_only_prose:
            return 0
        return self.sample.size(self.num_selected)

    def _rank_for_mixes(self) -> MixRanks | None:
        """Rank the selected rationales if the set has a mix."""
        if not any(spec.mix for spec in self.variants.specs):
            return None
        rows = self.build.read(RATIONALES, columns=("question_id", "sample_index"))
        keys = (
            (row["question_id"], row["sample_index"])
            for row in compress(rows, self._selected)
        )
        return MixRanks(keys, self.variants.seed)

    def selected_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the selected rationales in the order of the build, as plain values."""
        columns = example_columns(self.build.manifest.row_version)
        rows = self.build.read(RATIONALES, columns=columns)
        return compress(rows, self._selected)

    def examples(self) -> Iterator[RationaleExample]:
        """Yield the selected rationales in the order of the build."""
        return map(self.read_example, self.selected_rows())

    def read_example(self, row: Mapping[str, Any]) -> RationaleExample:
        """Return the rationale of one of `selected_rows`; raises DataError."""
        where = f"{self.build.folder}/{RATIONALES}"
        return RationaleExample.from_row(row, where)

    def _corpus_texts(self) -> Iterator[CorpusText]:
        """Yield what the corpus is made of, of the selected rationales.

        Counts the rationales in a script without spaces on the way.
        """
        rows = self.build.read(RATIONALES, columns=CORPUS_COLUMNS)
        for row in compress(rows, self._selected):
            self.num_unspaced += is_mostly_unspaced(row["rationale"])
            yield CorpusText.from_row(row)

    def derive(self, example: RationaleExample) -> DerivedRationale:
        """Derive the rows of one rationale in every variant."""
        parts = {
            spec.name: self._derive_part(spec, compiled, example)
            for spec, compiled in zip(self.variants.specs, self._compiled, strict=True)
        }
        dropped_by = [name for name in self._aligned if parts[name] is None]
        left_out = set(self._aligned) if dropped_by else set[str]()
        kept = {
            name: part
            for name, part in parts.items()
            if part is not None and name not in left_out
        }
        return DerivedRationale(
            example, StudentPrompt(example.question), kept, dropped_by
        )

    def _derive_part(
        self,
        spec: VariantSpec,
        parts: Sequence[CompiledVariant],
        example: RationaleExample,
    ) -> DerivedPart | None:
        """Return the part of a variant that takes a rationale, and what it derives.

        None if one of the parts does not apply: were the others to take what it drops,
        the shares of a mix would be others.
        """
        chosen = 0
        if spec.mix and self._mix_ranks is not None:
            shares = [part.share for part in spec.mix]
            chosen = self._mix_ranks.choose(
                example.question_id, example.sample_index, shares
            )
        texts = [
            part.derive(example, self.variants.seed, self.corpus) for part in parts
        ]
        text = texts[chosen]
        if text is None or None in texts:
            return None
        return DerivedPart(parts[chosen], text)

    def questions(self) -> Iterator[tuple[str, Question]]:
        """Yield (split, question) for the questions of the evaluation splits."""
        for split in self.build.splits(QUESTIONS):
            for question in self.build.questions(split):
                yield split, question

    def fingerprint(self, spec: VariantSpec) -> str:
        """Digest everything that decides the rows of a variant."""
        variants, beside = self.variants, list[str]()
        digests = [TokenPieces.of(name).digest for name in spec.tokenizers]
        if spec.aligned:
            # It has no row of a rationale that another aligned variant drops.
            beside = sorted(
                other.fingerprint for other in variants.specs if other.aligned
            )
        decided_by = {
            "spec": spec.fingerprint,
            "selection": variants.selection.model_dump(mode="json"),
            "seed": variants.seed,
            "files": variants.files,
            "tokenizer": digests if len(digests) > 1 else next(iter(digests), None),
            "rationales": self.build.manifest.digests[RATIONALES],
            "beside": beside,
        }
        return digest("variant-made/1", decided_by)
