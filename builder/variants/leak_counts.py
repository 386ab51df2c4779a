"""Which rationales are searched for names of answers, and the counts of a variant."""

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.leak_measure import (
    find_named_answers_loosely,
    sort_mentions,
)
from cotbuild.builder.variants.transforms.leak import find_known_mentions
from cotbuild.schemas.variant import VariantSpec
from cotbuild.schemas.variant_set import VariantEntry

NUM_MEASURED = 2_000
"""Rationales in which names of answers are searched for, spread evenly over those
selected: a standard error of at most 1.1 points.
"""
MAX_MEASURED = 20_000
"""The same of builds that measured the first rationales of each variant."""


class LeakSample(NamedTuple):
    """The rationales that are measured."""

    every: int | None
    """One in how many of those selected; None: the first ones of each variant."""

    @classmethod
    def spread(cls, num_selected: int) -> Self:
        """Return a sample of at most NUM_MEASURED, spread evenly."""
        return cls(max(1, -(-num_selected // NUM_MEASURED)))

    def has(self, number: int) -> bool:
        """Return whether the rationale with this number, from 0, is measured."""
        return self.every is None or number % self.every == 0

    def size(self, num_selected: int) -> int:
        """Return how many of the selected rationales are measured."""
        if self.every is None:
            return min(MAX_MEASURED, num_selected)
        return -(-num_selected // self.every)


class Leaks(NamedTuple):
    """Which answers a rationale names, by the exact rule and by the loose one."""

    names_target: bool
    names_other: bool
    loosely_target: bool
    loosely_other: bool


def measure_leaks(rationale: str, example: RationaleExample) -> Leaks:
    """Return which answers a rationale names, as a variant leaves it.

    Remembered, since several variants may leave the same.
    """
    known: Leaks | None = example.results.get(rationale)
    if known is None:
        question = example.question_of_mentions
        exact = sort_mentions(find_known_mentions(rationale, example), question)
        loose = find_named_answers_loosely(rationale, question)
        known = example.results[rationale] = Leaks(*exact, *loose)
    return known


@dataclass
class VariantCounts:
    """Counts of one variant, over any of its rationales; those of batches add up."""

    num_rows: int = 0
    num_rationales: int = 0
    num_dropped: int = 0
    num_empty: int = 0
    num_words: int = 0
    num_measured: int = 0
    names_target: int = 0
    names_other: int = 0
    loosely_target: int = 0
    loosely_other: int = 0

    def __add__(self, other: "VariantCounts") -> "VariantCounts":
        names = [field.name for field in fields(self)]
        return VariantCounts(
            **{name: getattr(self, name) + getattr(other, name) for name in names}
        )

    def add(
        self,
        rationale: str,
        num_rows: int,
        example: RationaleExample,
        *,
        is_measured: bool,
    ) -> None:
        """Count a rationale as the variant leaves it, and the rows made of it."""
        self.num_rows += num_rows
        self.num_rationales += 1
        self.num_empty += not rationale
        # Words as transforms leave them are joined by single spaces, others are not.
        self.num_words += len(example.words_of(rationale))
        if is_measured and self.num_measured < MAX_MEASURED:
            self.num_measured += 1
            self._add_leaks(measure_leaks(rationale, example))

    def _add_leaks(self, leaks: Leaks) -> None:
        self.names_target += leaks.names_target
        self.names_other += leaks.names_other
        self.loosely_target += leaks.loosely_target
        self.loosely_other += leaks.loosely_other

    def entry(self, spec: VariantSpec, fingerprint: str) -> VariantEntry:
        """Return the counts as the manifest records them."""
        measured = self.num_measured or 1
        return VariantEntry(
            name=spec.name,
            fingerprint=fingerprint,
            num_rows=self.num_rows,
            dropped=self.num_dropped,
            num_empty=self.num_empty,
            words=round(self.num_words / (self.num_rationales or 1), 2),
            names_target=round(self.names_target / measured, 4),
            names_other=round(self.names_other / measured, 4),
            loosely_target=round(self.loosely_target / measured, 4),
            loosely_other=round(self.loosely_other / measured, 4),
        )
