"""From a rationale to what every variant of a set makes of it.

Pure: given the rationale, the set and the corpus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.view import as_question
from cotbuild.prompts.student import choose_label
from cotbuild.schemas.variant import Placement, VariantSpec


class DerivedText(NamedTuple):
    """What a variant makes of one rationale."""

    label: str
    rationale: str


@dataclass(frozen=True)
class CompiledVariant:
    """A variant with its transforms bound."""

    spec: VariantSpec
    steps: Sequence[TransformFn]

    def make(
        self, subject: RationaleExample, seed: int, corpus: BuildCorpus
    ) -> DerivedText | None:
        """None where this rationale cannot have it: no label, no partner, no scores."""
        label = choose_label(self.spec, as_question(subject), subject.answer)
        if label is None:
            return None
        text = subject.rationale
        for number, step in enumerate(self.steps):
            chance = SeededDraws(
                seed, number, subject.question_id, subject.sample_index
            )
            after = step(text, subject, chance, corpus)
            if after is None:
                return None
            text = after
        # Pieces may leave white space at the ends, which is the separators' business.
        return DerivedText(
            label, "" if self.spec.placement is Placement.LABEL_ONLY else text.strip()
        )


def withheld(
    recipes: Sequence[CompiledVariant], made: Mapping[str, DerivedText | None]
) -> list[str]:
    """The aligned variants that cannot have this rationale."""
    return [
        recipe.spec.name
        for recipe in recipes
        if recipe.spec.aligned and made[recipe.spec.name] is None
    ]
