"""Transforms that mask or drop words, or cut a text to a length. Pure.

The words left are joined by single spaces.
"""

from collections.abc import Callable

from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    TransformFn,
)
from cotbuild.builder.variants.transforms.controls import check_like, count_like
from cotbuild.builder.variants.transforms.leak import find_naming_words
from cotbuild.builder.variants.transforms.placed import Placed, PlacingTransform
from cotbuild.builder.variants.units import (
    STOP_WORDS,
    bare,
    cache_short_words,
    share_of,
)
from cotbuild.schemas.transform import Cut, Mask

_CARDINALS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy
eighty ninety hundred hundreds thousand thousands million millions billion billions
trillion trillions dozen dozens
"""
NUMBER_WORDS = frozenset(_CARDINALS.split())
"""Cardinals, as `bare` returns them. Ordinals are not numbers: "first" orders an
argument, "second" is also a time.
"""
Positions = list[int]
"""Positions of words in a text, in order."""


def mask(transform: Mask) -> PlacingTransform:
    """`cotbuild.schemas.transform.Mask`: mask or drop a share of the words of a class.

    They are drawn one by one, or as one run of neighbours among the words of the class.
    The symbol replaces the whole word with the punctuation attached to it, also in a
    row of masked words. Without a symbol the words are dropped, and the text may become
    empty.
    """
    find_class, share = _CLASSES[transform.words], transform.share
    draw = _draw_scattered if transform.layout == "scattered" else _draw_run

    def mask_words(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        all_words = example.words_of(text)
        candidates = find_class(all_words, example)
        masked = draw(candidates, share_of(share, len(candidates)), draws)
        if transform.symbol is None:
            dropped = set(masked)
            kept = [i for i in range(len(all_words)) if i not in dropped]
            return Placed.keep(all_words, kept)
        left = [*all_words]
        for i in masked:
            left[i] = transform.symbol
        return Placed(all_words, left, range(len(left)))

    return PlacingTransform(mask_words)


def cut(transform: Cut, like: TransformFn | None = None) -> PlacingTransform:
    """`cotbuild.schemas.transform.Cut`: keep the first or last words, or all if there are
    fewer.

    `like` is the function of the transform that the spec's `like` declares; it gets the
    same draws. Does not apply if that does not.
    """
    check_like(transform.like, like)

    def cut_words(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed | None:
        all_words = example.words_of(text)
        num_kept = transform.count
        if transform.share is not None:
            num_kept = share_of(transform.share, len(all_words))
        elif like is not None:
            num_kept = count_like(like, text, example, draws, corpus)
        if num_kept is None:
            return None
        num_words = len(all_words)
        if transform.end == "first":
            return Placed.keep(all_words, range(min(num_kept, num_words)))
        return Placed.keep(all_words, range(max(0, num_words - num_kept), num_words))

    return PlacingTransform(cut_words)


def _draw_scattered(candidates: Positions, count: int, draws: Draws) -> Positions:
    if count == len(candidates):
        return candidates
    if count == 0:
        return []
    return [candidates[i] for i in draws.order(len(candidates))[:count]]


def _draw_run(candidates: Positions, count: int, draws: Draws) -> Positions:
    [point] = draws.numbers(1)
    start = int(point * (len(candidates) - count + 1))
    return candidates[start : start + count]


# --- the classes of words ---


def is_stop_word(word: str) -> bool:
    """Return whether it is an English function word, ignoring case and punctuation
    around it.
    """
    return bare(word) in STOP_WORDS


@cache_short_words
def is_content_word(word: str) -> bool:
    """Return whether it has a letter and is not a stop word."""
    core = bare(word)
    return core not in STOP_WORDS and any(map(str.isalpha, core))


@cache_short_words
def is_number(word: str) -> bool:
    """Return whether it has a numeric character ("3rd", "½") or consists of number
    words ("twenty-five").
    """
    if any(map(str.isnumeric, word)):
        return True
    return all(part in NUMBER_WORDS for part in bare(word).split("-"))


ClassFinder = Callable[[list[str], RationaleExample], Positions]
"""Finds the words of a class among all words of a text."""


def _find_any(all_words: list[str], example: RationaleExample) -> Positions:
    return list(range(len(all_words)))


def _find_mentions(all_words: list[str], example: RationaleExample) -> Positions:
    """Find the words that `leak.strip` of the options removes."""
    return sorted(find_naming_words(all_words, example, "options"))


def _find_by(is_in_class: Callable[[str], bool]) -> ClassFinder:
    def find_class(all_words: list[str], example: RationaleExample) -> Positions:
        return [i for i, word in enumerate(all_words) if is_in_class(word)]

    return find_class


_CLASSES: dict[str, ClassFinder] = {
    "any": _find_any,
    "stop": _find_by(is_stop_word),
    "content": _find_by(is_content_word),
    "number": _find_by(is_number),
    "mention": _find_mentions,
}
