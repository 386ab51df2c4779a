"""Transforms that reorder the units of a text. Pure.

White space between words and between sentences becomes single spaces.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cotbuild.builder.variants import units
from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.example import BuildCorpus, RationaleExample
from cotbuild.builder.variants.transforms.placed import Placed, PlacingTransform
from cotbuild.schemas.transform import Reverse, Shuffle, Sort, Unit

Positions = range
"""Positions of the units of a block, which are neighbours."""


class Splitting(NamedTuple):
    """How a text is split into units and joined again."""

    split: units.Split
    joint: str


def shuffle(transform: Shuffle, pieces: units.Split | None = None) -> PlacingTransform:
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
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        parts = example.words_of(text) if split is units.words else split(text)
        if size == 1:
            return Placed.keep(parts, draws.order(len(parts)), joint)
        blocks = _make_blocks(0, len(parts), size)
        order = draws.order(len(blocks))
        return Placed.keep(parts, [i for at in order for i in blocks[at]], joint)

    def shuffle_within_sentences(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        by_sentence = [split(sentence) for sentence in units.sentences(text)]
        parts: list[str] = []
        blocks: list[Positions] = []
        sentence_of: list[int] = []
        for number, sentence_parts in enumerate(by_sentence):
            sentence_blocks = _make_blocks(len(parts), len(sentence_parts), size)
            parts += sentence_parts
            blocks += sentence_blocks
            sentence_of += [number] * len(sentence_blocks)
        # One draw for all blocks, sorted by sentence: sentences share no draw.
        order = sorted(draws.order(len(blocks)), key=sentence_of.__getitem__)
        placed = Placed.keep(parts, [i for at in order for i in blocks[at]], joint)
        return placed if joint else _space_sentences(placed, by_sentence)

    if transform.within == "sentence":
        return PlacingTransform(shuffle_within_sentences)
    return PlacingTransform(shuffle_blocks)


def reverse(transform: Reverse, pieces: units.Split | None = None) -> PlacingTransform:
    """`cotbuild.schemas.transform.Reverse`: order the units from last to first."""
    split, joint = _choose_splitting(transform.unit, pieces)

    def reverse_units(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        parts = example.words_of(text) if split is units.words else split(text)
        return Placed.keep(parts, range(len(parts))[::-1], joint)

    return PlacingTransform(reverse_units, is_random=False)


def sort(transform: Sort, pieces: units.Split | None = None) -> PlacingTransform:
    """`cotbuild.schemas.transform.Sort`: order the units by their case-folded code
    points, the punctuation and the spaces of a piece included.
    """
    split, joint = _choose_splitting(transform.unit, pieces)

    def sort_units(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        parts = example.words_of(text) if split is units.words else split(text)
        folded = [part.casefold() for part in parts]
        order = sorted(range(len(parts)), key=folded.__getitem__)
        return Placed.keep(parts, order, joint)

    return PlacingTransform(sort_units, is_random=False)


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


def _make_blocks(first: int, count: int, size: int) -> list[Positions]:
    """Return the positions of `count` units from `first` on, `size` units at a time.

    The last block has those left.
    """
    end = first + count
    return [range(at, min(at + size, end)) for at in range(first, end, size)]


def _space_sentences(placed: Placed, by_sentence: Sequence[Sequence[str]]) -> Placed:
    """Put a space between sentences of pieces, which are joined by nothing."""
    spaced: list[str] = []
    positions: list[int | None] = []
    start = 0
    for sentence_parts in by_sentence:
        if start:
            spaced.append(" ")
            positions.append(None)
        end = start + len(sentence_parts)
        spaced += placed.units[start:end]
        positions += placed.positions[start:end]
        start = end
    return Placed(placed.before, spaced, positions, placed.joint)
