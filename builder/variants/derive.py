"""From a rationale to what every variant of a set makes of it.

Pure: given the rationale, the set and the corpus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cotbuild.builder.variants.example import Apply, Chance, Corpus, Subject
from cotbuild.builder.variants.place import label_for
from cotbuild.schemas.variant import Placement, VariantSpec


class Made(NamedTuple):
    """What a variant makes of one rationale."""

    label: str
    rationale: str


@dataclass(frozen=True)
class Recipe:
    """A variant with its transforms bound."""

    spec: VariantSpec
    steps: Sequence[Apply]

    def make(self, subject: Subject, seed: int, corpus: Corpus) -> Made | None:
        """None where this rationale cannot have it: no label, no partner, no scores."""
        label = label_for(self.spec, subject)
        if label is None:
            return None
        text = subject.rationale
        for number, step in enumerate(self.steps):
            chance = Chance(seed, number, subject.question_id, subject.sample_index)
            after = step(text, subject, chance, corpus)
            if after is None:
                return None
            text = after
        # Pieces may leave white space at the ends, which is the separators' business.
        return Made(
            label, "" if self.spec.placement is Placement.LABEL_ONLY else text.strip()
        )


def withheld(recipes: Sequence[Recipe], made: Mapping[str, Made | None]) -> list[str]:
    """The aligned variants that cannot have this rationale."""
    return [
        recipe.spec.name
        for recipe in recipes
        if recipe.spec.aligned and made[recipe.spec.name] is None
    ]
