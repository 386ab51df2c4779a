"""A set of variants of one build, with all that its rows depend on at hand."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import compress
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.build.build import QUESTIONS, Build
from cotbuild.builder.variants.compile import compile_transforms
from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.derive import CompiledVariant, withheld
from cotbuild.builder.variants.example import BuildCorpus, RationaleExample
from cotbuild.builder.variants.select import select, share_limit
from cotbuild.builder.variants.subjects import candidates, question_ids, subjects
from cotbuild.builder.variants.transforms.units import TokenPieces
from cotbuild.builder.variants.view import as_question
from cotbuild.prompts.student import StudentPrompt, training_rows
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import TrainingRow, VariantSet, VariantSpec


class DerivedRows(NamedTuple):
    """What the variants make of one rationale."""

    subject: RationaleExample
    made: list[tuple[VariantSpec, str, list[TrainingRow]]]
    """Variant, the rationale as it leaves it, its rows."""
    withheld: list[str]
    """The aligned variants that cannot have it, for which all aligned ones go without.
    """


class VariantDeriver:
    """Reads a build and derives rows; writes nothing. A context manager.

    `files` are paths of the names that specs use. Memory is that of the corpus and a
    bit a rationale. Raises DataError where the build's files cannot be read or nothing
    is kept, ConfigError where a file or tokenizer is missing.
    """

    def __init__(
        self,
        build: Build,
        made: VariantSet,
        files: Mapping[str, Path],
    ) -> None:
        self.build, self.made = build, made
        self._recipes = [
            CompiledVariant(spec, compile_transforms(spec)) for spec in made.specs
        ]
        self._files = files
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.num_in, self.dropped = 0, Counter[str]()
        self._kept: NDArray[np.bool_] = np.fromiter(self._outcomes(), bool)
        if not self._kept.any():
            raise DataError(
                f"{self.build.folder}: no rationale is kept of {self.num_in}: {dict(self.dropped)}. "
                "Expected at least one. Choose another --filter."
            )
        self.corpus: BuildCorpus = self._open.enter_context(
            LoadedCorpus(self.subjects(), self._files)
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def _outcomes(self) -> Iterator[bool]:
        selection, seed = self.made.selection, self.made.seed
        limit = share_limit(question_ids(self.build), selection.share, seed)
        for reason in select(candidates(self.build), selection, seed, limit):
            self.num_in += 1
            if reason is not None:
                self.dropped[reason.value] += 1
            yield reason is None

    @property
    def num_kept(self) -> int:
        """Rationales that are kept."""
        return int(self._kept.sum())

    def subjects(self) -> Iterator[RationaleExample]:
        """The rationales that are kept, in the order of the build."""
        return compress(subjects(self.build), self._kept)

    def derive(self, subject: RationaleExample) -> DerivedRows:
        """The rows of one rationale in every variant; the aligned ones have all of them
        or none.
        """
        found = {
            recipe.spec.name: recipe.make(subject, self.made.seed, self.corpus)
            for recipe in self._recipes
        }
        stopped = withheld(self._recipes, found)
        prompt = StudentPrompt(as_question(subject))
        made = []
        for recipe in self._recipes:
            one, spec = found[recipe.spec.name], recipe.spec
            if one is not None and not (stopped and spec.aligned):
                made.append(
                    (
                        spec,
                        one.rationale,
                        training_rows(
                            spec, prompt, subject.sample_index, one.label, one.rationale
                        ),
                    )
                )
        return DerivedRows(subject, made, stopped)

    def questions(self) -> Iterator[tuple[str, Question]]:
        """The questions of the evaluation splits, each with its split."""
        for split in self.build.splits(QUESTIONS):
            for question in self.build.questions(split):
                yield split, question

    def fingerprint(self, spec: VariantSpec) -> str:
        """Digest of all that decides a variant's rows."""
        made = self.made
        decided_by = {
            "spec": spec.fingerprint,
            "selection": made.selection.model_dump(mode="json"),
            "seed": made.seed,
            "files": made.files,
            "tokenizer": None
            if spec.tokenizer is None
            else TokenPieces.of(spec.tokenizer).digest,
            "rationales": self.build.manifest.digests["rationales"],
            # An aligned variant goes without what another one cannot have.
            "beside": sorted(other.fingerprint for other in made.specs if other.aligned)
            if spec.aligned
            else [],
        }
        return digest("variant-made/1", decided_by)
