"""The words that name the target, or any option: without them, as many others taken out
instead, and they alone.

The rule. A word goes if any part of it lies in a mention (`find_mentions`), and it goes
whole, with the marks glued to it: "(home)," and "home." leave nothing behind, and
"home/school" goes for either. Nothing else goes: "the answer is" stays. Taking words
out may bring others together that are a mention; they go as well, until there is none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.transforms.units import bare, words
from cotbuild.builder.variants.view import (
    Key,
    is_target,
    key_of,
    mentions_in,
    question_of,
)
from cotbuild.schemas.variant import LeakOnly, Strip

What = Literal["target", "options"]

ROUNDS = 5
"""From this round on every word like one that goes, goes: "river river … water water"
would need a round a pair.
"""


def strip(transform: Strip) -> TransformFn:
    """Without the words that name `what`; `random`: without as many of the words that
    the real strip leaves.

    Where it leaves fewer than it takes, the random strip draws from all words. A text
    that is one word, as a language without spaces makes it, goes whole.
    """

    def apply(
        text: str, subject: RationaleExample, chance: SeededDraws, corpus: BuildCorpus
    ) -> str:
        said = words(text)
        gone = naming(said, subject, transform.what)
        if transform.random and gone:
            gone = _as_many(gone, len(said), chance)
        return " ".join(word for i, word in enumerate(said) if i not in gone)

    return apply


def leak_only(transform: LeakOnly) -> TransformFn:
    """The words that `strip` of the target takes out, in order."""

    def apply(
        text: str, subject: RationaleExample, chance: SeededDraws, corpus: BuildCorpus
    ) -> str:
        said = words(text)
        return " ".join(said[i] for i in sorted(naming(said, subject, "target")))

    return apply


def naming(
    said: Sequence[str], subject: RationaleExample, what: What
) -> frozenset[int]:
    """Places of the words that name `what`; without them `find_mentions` finds none in
    the words, single-spaced.
    """
    return _naming(" ".join(said), key_of(subject), what)


@lru_cache(maxsize=64)  # a strip, its control and leak_only ask the same
def _naming(text: str, key: Key, what: What) -> frozenset[int]:
    said = text.split()
    left = list(range(len(said)))
    rounds = 0
    while hit := _hit([said[i] for i in left] if rounds else said, key, what):
        rounds += 1
        alike = {_form(said[left[at]]) for at in hit} if rounds >= ROUNDS else ()
        left = [
            i
            for at, i in enumerate(left)
            if at not in hit and not (alike and _form(said[i]) in alike)
        ]
    return frozenset(range(len(said))).difference(left)


def _form(word: str) -> str:
    return bare(word) or word


def _hit(said: list[str], key: Key, what: What) -> set[int]:
    """Places of the words that a mention in them reaches into."""
    found = mentions_in(" ".join(said), key)
    if what == "target":
        question = question_of(key)
        found = tuple(mention for mention in found if is_target(mention, question))
    if not found:
        return set()
    starts = [0, *accumulate(len(word) + 1 for word in said[:-1])]
    return {
        i
        for mention in found
        for i in range(
            bisect_right(starts, mention.start) - 1,
            bisect_right(starts, mention.end - 1),
        )
    }


def _as_many(gone: frozenset[int], count: int, chance: SeededDraws) -> frozenset[int]:
    """As many of `count` places as have `gone`, drawn from the others where those are
    enough.
    """
    order = chance.order(count)
    if 2 * len(gone) <= count:
        order = [i for i in order if i not in gone]
    return frozenset(order[: len(gone)])
