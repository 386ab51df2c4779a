"""Words masked or dropped, and texts cut to length.

Pure. The words left are joined by single spaces.
"""

from collections.abc import Callable
from functools import lru_cache

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.transforms.leak import find_naming_words
from cotbuild.builder.variants.transforms.units import STOP_WORDS, bare, share_of, words
from cotbuild.schemas.transform import Cut, Mask

_NAMES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands million millions
billion billions trillion trillions dozen dozens
"""
NUMBER_WORDS = frozenset(_NAMES.split())
"""Cardinals, as `bare` gives them; ordinals are not: "first" orders an argument,
"second" is also a time.
"""


def mask(transform: Mask) -> TransformFn:
    """The class's `share` masked: places drawn one by one, or a run of words that are
    next to each other in the class.

    The symbol takes the place of the whole word, with the marks glued to it. Words in a
    row leave as many symbols. Without a symbol the words go; where all go, the text is
    empty.
    """
    places, share, symbol = _CLASSES[transform.words], transform.share, transform.symbol
    draw = _scattered if transform.layout == "scattered" else _run

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        said = words(text)
        candidates = places(said, example)
        masked = draw(candidates, share_of(share, len(candidates)), draws)
        left: list[str | None] = [*said]
        for i in masked:
            left[i] = symbol
        return " ".join(filter(None, left))

    return apply


def cut(transform: Cut, leaves: TransformFn | None = None) -> TransformFn:
    """The first or last words; all where there are fewer. None: `leaves`, which is
    `like` bound, gives none.

    `leaves` has the draws of the transform it stands in. Raises TypeError where only
    one of them is there.
    """
    if (transform.like is None) != (leaves is None):
        raise TypeError(
            f"cut like {transform.like!r}: leaves is {leaves!r}. Expected like bound, or neither."
        )

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str | None:
        said = words(text)
        kept = transform.count or 0
        if transform.share is not None:
            kept = share_of(transform.share, len(said))
        elif leaves is not None:
            left = leaves(text, example, draws, corpus)
            if left is None:
                return None
            kept = len(words(left))
        return " ".join(
            said[:kept]
            if transform.end == "first"
            else said[max(0, len(said) - kept) :]
        )

    return apply


def _scattered(candidates: list[int], count: int, draws: SeededDraws) -> list[int]:
    if count == len(candidates):
        return candidates
    return (
        [candidates[i] for i in draws.order(len(candidates))[:count]] if count else []
    )


def _run(candidates: list[int], count: int, draws: SeededDraws) -> list[int]:
    [drawn] = draws.numbers(1)
    start = int(drawn * (len(candidates) - count + 1))
    return candidates[start : start + count]


# --- the classes: places of the words that belong ---


def _any(said: list[str], example: RationaleExample) -> list[int]:
    return list(range(len(said)))


def _mentions(said: list[str], example: RationaleExample) -> list[int]:
    """Those that `strip` of the options takes out."""
    return sorted(find_naming_words(said, example, "options"))


def _that(
    belongs: Callable[[str], bool],
) -> Callable[[list[str], RationaleExample], list[int]]:
    def places(said: list[str], example: RationaleExample) -> list[int]:
        return [i for i, word in enumerate(said) if belongs(word)]

    return places


def is_stop(word: str) -> bool:
    """Whether it is an English function word, whatever its case and the marks around
    it.
    """
    return bare(word) in STOP_WORDS


@lru_cache(maxsize=1 << 16)
def is_content(word: str) -> bool:
    """Whether it has a letter and is no stop word."""
    core = bare(word)
    return core not in STOP_WORDS and any(map(str.isalpha, core))


@lru_cache(maxsize=1 << 16)
def is_number(word: str) -> bool:
    """Whether it has a numeric character, as "3rd" and "½" have, or is made of number
    words: "twenty-five".
    """
    return any(map(str.isnumeric, word)) or all(
        part in NUMBER_WORDS for part in bare(word).split("-")
    )


_CLASSES: dict[str, Callable[[list[str], RationaleExample], list[int]]] = {
    "any": _any,
    "stop": _that(is_stop),
    "content": _that(is_content),
    "number": _that(is_number),
    "mention": _mentions,
}
