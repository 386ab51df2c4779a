"""The same units in another order.

Pure. White space between words and between sentences becomes single spaces.
"""

from typing import NamedTuple

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.transforms import units
from cotbuild.schemas.transform import Reverse, Shuffle, Sort, Unit


class Cutting(NamedTuple):
    """How a text comes apart and together again."""

    split: units.Split
    joint: str


def shuffle(transform: Shuffle, pieces: units.Split | None = None) -> TransformFn:
    """Blocks of `block` units in drawn order, the last one as long as is left; inside
    of a block nothing moves.

    Every order is as likely as another, the one there was among them: of two words one
    rationale in two stays as it is, of four one in 24. Within sentences, no block
    reaches over a sentence's end and the sentences stay where they are.
    """
    split, joint = _cutting(transform.unit, pieces)
    size = transform.block

    def whole(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        blocks = _blocks(split(text), size, joint)
        return joint.join([blocks[i] for i in draws.order(len(blocks))])

    def by_sentence(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        cut = [
            _blocks(split(sentence), size, joint) for sentence in units.sentences(text)
        ]
        blocks = [block for sentence in cut for block in sentence]
        home = [number for number, sentence in enumerate(cut) for _ in sentence]
        # One draw for all, then every sentence's own in the order drawn: no two
        # sentences share a draw.
        drawn = iter(sorted(draws.order(len(blocks)), key=home.__getitem__))
        return " ".join(
            [joint.join([blocks[next(drawn)] for _ in sentence]) for sentence in cut]
        )

    return by_sentence if transform.within == "sentence" else whole


def reverse(transform: Reverse, pieces: units.Split | None = None) -> TransformFn:
    """The units from last to first."""
    split, joint = _cutting(transform.unit, pieces)

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        return joint.join(split(text)[::-1])

    return apply


def sort(transform: Sort, pieces: units.Split | None = None) -> TransformFn:
    """By the code points of the case-folded unit, marks and spaces of a piece counted;
    equal ones stay in order.
    """
    split, joint = _cutting(transform.unit, pieces)

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        return joint.join(sorted(split(text), key=str.casefold))

    return apply


def _cutting(unit: Unit, pieces: units.Split | None) -> Cutting:
    """Raises TypeError where the unit is piece and no `Pieces.split` is given."""
    if unit == "word":
        return Cutting(units.words, " ")
    if unit == "sentence":
        return Cutting(units.sentences, " ")
    if pieces is None:
        raise TypeError(
            "unit 'piece': no tokenizer was given. Expected the split of a units.TokenPieces."
        )
    return Cutting(pieces, "")


def _blocks(parts: list[str], size: int, joint: str) -> list[str]:
    """`size` units each; the last one has what is left."""
    if size == 1:
        return parts
    return [joint.join(parts[at : at + size]) for at in range(0, len(parts), size)]
