"""Transforms that reorder the units of a text. Pure.

White space between words and between sentences becomes single spaces.
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


class Splitting(NamedTuple):
    """How a text is split into units and joined again."""

    split: units.Split
    joint: str


def shuffle(transform: Shuffle, pieces: units.Split | None = None) -> TransformFn:
    """`cotbuild.schemas.transform.Shuffle`: put blocks of units in drawn order.

    The last block may be shorter; units keep their order in a block. All orders are
    equally likely, the original included: one in two rationales of two words stays as
    it is, and one in 24 of four. Within sentences no block crosses the end of one, and
    sentences keep their order. `pieces` splits a text into a tokenizer's pieces, if
    these are the unit.
    """
    split, joint = _choose_splitting(transform.unit, pieces)
    size = transform.block

    def shuffle_blocks(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        blocks = _make_blocks(split(text), size, joint)
        return joint.join([blocks[i] for i in draws.order(len(blocks))])

    def shuffle_within_sentences(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        by_sentence = [
            _make_blocks(split(sentence), size, joint)
            for sentence in units.sentences(text)
        ]
        blocks: list[str] = []
        sentence_of: list[int] = []
        for number, sentence_blocks in enumerate(by_sentence):
            blocks += sentence_blocks
            sentence_of += [number] * len(sentence_blocks)
        # One draw for all blocks, sorted by sentence: sentences share no draw.
        order = sorted(draws.order(len(blocks)), key=sentence_of.__getitem__)
        shuffled = iter(blocks[i] for i in order)
        sentences = [
            joint.join([next(shuffled) for _ in sentence_blocks])
            for sentence_blocks in by_sentence
        ]
        return " ".join(sentences)

    if transform.within == "sentence":
        return shuffle_within_sentences
    return shuffle_blocks


def reverse(transform: Reverse, pieces: units.Split | None = None) -> TransformFn:
    """`cotbuild.schemas.transform.Reverse`: order the units from last to first."""
    split, joint = _choose_splitting(transform.unit, pieces)

    def reverse_units(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        return joint.join(split(text)[::-1])

    return reverse_units


def sort(transform: Sort, pieces: units.Split | None = None) -> TransformFn:
    """`cotbuild.schemas.transform.Sort`: order the units by their case-folded code
    points, the punctuation and the spaces of a piece included.
    """
    split, joint = _choose_splitting(transform.unit, pieces)

    def sort_units(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        return joint.join(sorted(split(text), key=str.casefold))

    return sort_units


def _choose_splitting(unit: Unit, pieces: units.Split | None) -> Splitting:
    if unit == "word":
        return Splitting(units.words, " ")
    if unit == "sentence":
        return Splitting(units.sentences, " ")
    if pieces is None:
        raise TypeError(
            "unit 'piece' without a tokenizer. Pass the split of a units.TokenPieces."
        )
    return Splitting(pieces, "")


def _make_blocks(parts: list[str], size: int, joint: str) -> list[str]:
    """Join `size` units at a time; the last block has those left."""
    if size == 1:
        return parts
    return [joint.join(parts[at : at + size]) for at in range(0, len(parts), size)]
