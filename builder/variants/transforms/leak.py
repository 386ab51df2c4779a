"""Transforms of the words that name the target or any option: without them, without as
many other words, or only them. Pure.

A word names an answer if any part of it lies in a mention (`find_mentions`). It is
removed whole, with the punctuation attached to it: "(home)," and "home." leave nothing,
and "home/school" is removed for either. Nothing else is: "the answer is" stays. Words
that become a mention once others are removed are removed too, until none is left.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.example import BuildCorpus, RationaleExample
from cotbuild.builder.variants.transforms.placed import Placed, PlacingTransform
from cotbuild.builder.variants.units import bare
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import option_table
from cotbuild.schemas.answers.mentions import Mention, find_mentions
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.transform import LeakOnly, Strip

Answers = Literal["target", "options"]
"""Whose mentions: the target's, or those of any option."""

EXACT_ROUNDS = 4
"""Rounds that remove only the words in a mention. Later ones also remove every word of
the same form: "river river … water water" would need one round a pair.
"""
FORM_ROUNDS = 16
"""Rounds after which every word goes that has a part of one in a mention: "a-river
b-river … b-water a-water" would need one round a pair.
"""


def strip(transform: Strip) -> PlacingTransform:
    """`cotbuild.schemas.transform.Strip`: remove the words that name the target or any
    option.

    With `random` remove as many of the words that this would leave, or of all words if
    it would leave fewer than it removes. A text without spaces, as some languages write
    it, is one word and is removed whole.
    """

    def apply(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        all_words = example.words_of(text)
        removed = find_naming_words(all_words, example, transform.what)
        if transform.random and removed:
            removed = _draw_as_many(removed, len(all_words), draws)
        kept = [i for i in range(len(all_words)) if i not in removed]
        return Placed.keep(all_words, kept)

    return PlacingTransform(apply, is_random=transform.random)


def leak_only(transform: LeakOnly) -> PlacingTransform:
    """`cotbuild.schemas.transform.LeakOnly`: keep only the words that name the target."""

    def apply(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        all_words = example.words_of(text)
        naming = find_naming_words(all_words, example, "target")
        return Placed.keep(all_words, sorted(naming))

    return PlacingTransform(apply, is_random=False)


def find_naming_words(
    all_words: Sequence[str], example: RationaleExample, answers: Answers
) -> frozenset[int]:
    """Return the positions of the words that name the target or any option.

    Without them `find_mentions` finds no such mention in the words joined by spaces.
    """
    return _find_naming_words(" ".join(all_words), example, answers)


@lru_cache(maxsize=64)  # several transforms of a rationale look at the same texts
def find_known_mentions(text: str, example: RationaleExample) -> tuple[Mention, ...]:
    """Return the mentions in a text made of a rationale, those of the last from memory."""
    return find_mentions(text, example.question_of_mentions)


def is_target_mention(mention: Mention, question: Question) -> bool:
    """Return whether a mention names the target, under any label that has its text."""
    if question.target is None or question.kind is not QuestionKind.CHOICE:
        return mention.label == question.target
    if mention.label == question.target:
        return True
    texts = option_table(question).texts
    return texts[mention.label] == texts[question.target]


@lru_cache(maxsize=64)  # strip, its control and leak_only ask for the same one
def _find_naming_words(
    text: str, example: RationaleExample, answers: Answers
) -> frozenset[int]:
    all_words = words_left = text.split()
    left = list(range(len(all_words)))
    rounds = 0
    while True:
        mentioned = _find_mentioned(text, example, answers)
        if not mentioned:
            return frozenset(range(len(all_words))).difference(left)
        rounds += 1
        if rounds > FORM_ROUNDS:
            mentioned |= _find_with_same_part(words_left, mentioned)
        elif rounds > EXACT_ROUNDS:
            mentioned |= _find_of_same_form(words_left, mentioned)
        left = [i for at, i in enumerate(left) if at not in mentioned]
        words_left = [all_words[i] for i in left]
        text = " ".join(words_left)


def _find_of_same_form(words_left: list[str], mentioned: set[int]) -> set[int]:
    forms = {_form(words_left[at]) for at in mentioned}
    return {at for at, word in enumerate(words_left) if _form(word) in forms}


def _form(word: str) -> str:
    return bare(word) or word


def _find_with_same_part(words_left: list[str], mentioned: set[int]) -> set[int]:
    parts = {part for at in mentioned for part in _parts(words_left[at])}
    return {
        at for at, word in enumerate(words_left) if not parts.isdisjoint(_parts(word))
    }


def _parts(word: str) -> list[str]:
    """Return the letters and digits of a word between its marks, else its marks."""
    return p.LABEL.findall(p.fold(word).casefold()) or [word]


def _find_mentioned(text: str, example: RationaleExample, answers: Answers) -> set[int]:
    """Return the positions of the words that a mention overlaps.

    The words of `text` are joined by single spaces.
    """
    mentions = find_known_mentions(text, example)
    if answers == "target":
        question = example.question_of_mentions
        mentions = tuple(m for m in mentions if is_target_mention(m, question))
    mentioned = set[int]()
    word = at = 0
    for mention in mentions:
        word += text.count(" ", at, mention.start)
        at = mention.start
        last = word + text.count(" ", at, mention.end - 1)
        mentioned.update(range(word, last + 1))
    return mentioned


def _draw_as_many(removed: frozenset[int], count: int, draws: Draws) -> frozenset[int]:
    """Draw as many of `count` positions as are in `removed`, from the others if these
    are enough.
    """
    order = draws.order(count)
    if 2 * len(removed) <= count:
        order = [i for i in order if i not in removed]
    return frozenset(order[: len(removed)])
