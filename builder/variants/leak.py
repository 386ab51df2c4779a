"""The words that name the target, or any option: without them, as many others taken out instead, and they alone.

The rule. A word goes if any part of it lies in a mention (`find_mentions`), and it goes whole, with the marks glued to
it: "(home)," and "home." leave nothing behind, and "home/school" goes for either. Nothing else goes: "the answer is"
stays. Taking words out may bring others together that are a mention; they go as well, until there is none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from cotbuild.builder.variants.base import Apply, Chance, Corpus, Subject
from cotbuild.builder.variants.view import as_question, is_target, mentions_in
from cotbuild.schemas.variant import LeakOnly, Strip

What = Literal["target", "options"]

ROUNDS = 5
"""From this round on every word equal to one that goes, goes: "river river … water water" would need a round a pair."""


def strip(transform: Strip) -> Apply:
    """Without the words that name `what`; `random`: without as many of the words that the real strip leaves.

    Where it leaves fewer than it takes, the random strip draws from all words. A text that is one word, as a language
    without spaces makes it, goes whole.
    """

    def apply(text: str, subject: Subject, chance: Chance, corpus: Corpus) -> str:  # noqa: ARG001
        words = text.split()
        gone = naming(words, subject, transform.what)
        if transform.random and gone:
            gone = _as_many(gone, len(words), chance)
        return " ".join(word for i, word in enumerate(words) if i not in gone)

    return apply


def leak_only(transform: LeakOnly) -> Apply:  # noqa: ARG001
    """The words that `strip` of the target takes out, in order."""

    def apply(text: str, subject: Subject, chance: Chance, corpus: Corpus) -> str:  # noqa: ARG001
        words = text.split()
        return " ".join(words[i] for i in sorted(naming(words, subject, "target")))

    return apply


def naming(words: Sequence[str], subject: Subject, what: What) -> frozenset[int]:
    """Places of the words that name `what`; without them `find_mentions` finds none in the words, single-spaced."""
    left = list(range(len(words)))
    rounds = 0
    while hit := _hit([words[i] for i in left], subject, what):
        rounds += 1
        alike = {words[left[at]] for at in hit} if rounds >= ROUNDS else ()
        left = [i for at, i in enumerate(left) if at not in hit and words[i] not in alike]
    return frozenset(range(len(words))).difference(left)


def _hit(words: list[str], subject: Subject, what: What) -> set[int]:
    """Places of the words that a mention in them reaches into."""
    found = mentions_in(" ".join(words), subject)
    if what == "target":
        found = tuple(mention for mention in found if is_target(mention, as_question(subject)))
    if not found:
        return set()
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return {
        i
        for mention in found
        for i in range(bisect_right(starts, mention.start) - 1, bisect_right(starts, mention.end - 1))
    }


def _as_many(gone: frozenset[int], count: int, chance: Chance) -> frozenset[int]:
    """As many of `count` places as have `gone`, drawn from the others where those are enough."""
    order = chance.order(count)
    if 2 * len(gone) <= count:
        order = [i for i in order if i not in gone]
    return frozenset(order[: len(gone)])
