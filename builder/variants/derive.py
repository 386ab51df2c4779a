"""Derive training rows: the selected rationales of a build, through every variant of a
set.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import compress
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.variants.balance import (
    NOT_BALANCED,
    TARGET_COLUMNS,
    draw_balanced,
)
from cotbuild.builder.variants.compile import CompiledVariant, DerivedText
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.example import RationaleExample, example_columns
from cotbuild.builder.variants.mix import MixRanks
from cotbuild.builder.variants.select import (
    Candidate,
    candidate_columns,
    select,
    share_limit,
)
from cotbuild.builder.variants.transforms.units import TokenPieces
from cotbuild.prompts.student import StudentPrompt
from cotbuild.prompts.student_rows import training_rows
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

MAX_MEASURED = 20_000
"""Rationales of a variant, the first ones, in which names of answers are searched for:
a third of a millisecond each.
"""


class DerivedRows(NamedTuple):
    """What the variants of a set derive from one rationale, by the variant's name.

    An aligned variant has rows only if all aligned variants of the set apply.
    """

    rationales: dict[str, str]
    """The rationale as the transforms leave it."""
    rows: dict[str, list[VariantRow]]
    dropped_by: list[str]
    """The aligned variants that do not apply to the rationale."""


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


class VariantDeriver:
    """Reads a build and derives the rows of a set of variants; writes nothing.

    A context manager: entering it reads all rationales once, to select and to build the
    corpus. Memory is that of the corpus and one byte a rationale, eight more for a mix.
    """

    def __init__(
        self, build: StoredBuild, variants: VariantSet, files: Mapping[str, Path]
    ) -> None:
        """`files` maps the file names that specs use to paths.

        Raises ConfigError if a variant's tokenizer is not available.
        """
        self.build, self.variants = build, variants
        self._compiled = [
            [CompiledVariant.compile(part) for part in spec.parts]
            for spec in variants.specs
        ]
        self._files = files
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
            raise DataError(
                f"{self.build.folder}: none of {self.num_in} rationales is selected "
                f"(left out: {dict(self.dropped)}). Relax --filter."
            )
        self._mix_ranks = self._rank_for_mixes()
        corpus = LoadedCorpus(self.examples(), self._files)
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

    def _balance(self) -> None:
        """Select equally many of the selected rationales for each target."""
        rows = self.build.read(RATIONALES, columns=TARGET_COLUMNS)
        drawn = draw_balanced(compress(rows, self._selected), self.variants.seed)
        num_dropped = len(drawn) - int(drawn.sum())
        if num_dropped:
            self.dropped[NOT_BALANCED] += num_dropped
        self._selected[self._selected] = drawn

    @property
    def num_looked_at(self) -> int:
        """The number of selected rationales that are searched for answers.

        A rationale of prose is about its answer, so naming it means nothing.
        """
        if self.build.manifest.has_only_prose:
            return 0
        return min(MAX_MEASURED, self.num_selected)

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

    def examples(self) -> Iterator[RationaleExample]:
        """Yield the selected rationales in the order of the build."""
        where = f"{self.build.folder}/{RATIONALES}"
        columns = example_columns(self.build.manifest.row_version)
        rows = self.build.read(RATIONALES, columns=columns)
        for row in compress(rows, self._selected):
            yield RationaleExample.from_row(row, where)

    def derive(self, example: RationaleExample) -> DerivedRows:
        """Derive the rows of one rationale in every variant."""
        derived_parts = {
            spec.name: self._derive_part(spec, parts, example)
            for spec, parts in zip(self.variants.specs, self._compiled, strict=True)
        }
        aligned = [spec.name for spec in self.variants.specs if spec.aligned]
        dropped_by = [name for name in aligned if derived_parts[name] is None]
        derived = DerivedRows({}, {}, dropped_by)
        prompt = StudentPrompt(example.question)
        for spec in self.variants.specs:
            derived_part = derived_parts[spec.name]
            if derived_part is None or (spec.aligned and dropped_by):
                continue
            part, text = derived_part
            derived.rationales[spec.name] = text.rationale
            derived.rows[spec.name] = training_rows(
                part, prompt, example.sample_index, text.label, text.rationale
            )
        return derived

    def _derive_part(
        self,
        spec: VariantSpec,
        parts: Sequence[CompiledVariant],
        example: RationaleExample,
    ) -> tuple[VariantSpec, DerivedText] | None:
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
        return parts[chosen].spec, text

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
