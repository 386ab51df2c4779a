"""What is counted of each variant while its rows pass by."""

from dataclasses import dataclass

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.leak_measure import names, names_loosely
from cotbuild.builder.variants.view import as_question
from cotbuild.schemas.variant import VariantEntry, VariantSpec

LOOKED_AT = 20_000
"""Rows in which names are looked for, the first ones: a third of a millisecond each, in
every variant.
"""


@dataclass
class VariantTally:
    """Counts of one variant."""

    num_rows: int = 0
    num_rationales: int = 0
    dropped: int = 0
    num_empty: int = 0
    num_words: int = 0
    num_looked_at: int = 0
    target: int = 0
    other: int = 0
    loosely_target: int = 0
    loosely_other: int = 0

    def add(self, rationale: str, num_rows: int, subject: RationaleExample) -> None:
        """Count what a variant made of one rationale, and the rows that became of it."""
        self.num_rows += num_rows
        self.num_rationales += 1
        self.num_empty += not rationale
        self.num_words += len(rationale.split())
        if self.num_looked_at < LOOKED_AT:
            self._look(rationale, subject)

    def _look(self, rationale: str, subject: RationaleExample) -> None:
        question = as_question(subject)
        self.num_looked_at += 1
        target, other = names(rationale, question)
        loosely_target, loosely_other = names_loosely(rationale, question)
        self.target += target
        self.other += other
        self.loosely_target += loosely_target
        self.loosely_other += loosely_other

    def entry(self, spec: VariantSpec, fingerprint: str) -> VariantEntry:
        """The counts as the manifest has them."""
        looked_at = self.num_looked_at or 1
        return VariantEntry(
            name=spec.name,
            fingerprint=fingerprint,
            num_rows=self.num_rows,
            dropped=self.dropped,
            num_empty=self.num_empty,
            words=round(self.num_words / (self.num_rationales or 1), 2),
            names_target=round(self.target / looked_at, 4),
            names_other=round(self.other / looked_at, 4),
            loosely_target=round(self.loosely_target / looked_at, 4),
            loosely_other=round(self.loosely_other / looked_at, 4),
        )
