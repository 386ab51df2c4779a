"""Controls: as many words as the rationale has, or as another transform leaves of it,
without its meaning. Pure.

Numbers of words (`units.words`) are matched exactly. `like` is the function of the
transform that the spec's `like` declares; it gets the same draws.
"""

from itertools import cycle, islice

from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    TransformFn,
)
from cotbuild.builder.variants.transforms.placed import Placed, PlacingTransform
from cotbuild.builder.variants.units import words
from cotbuild.schemas.transform import (
    Constant,
    Echo,
    Filler,
    Swap,
    Transform,
    Vocabulary,
)


def vocabulary(
    transform: Vocabulary, like: TransformFn | None = None
) -> PlacingTransform:
    """`cotbuild.schemas.transform.Vocabulary`: draw words of the whole build, as they are
    written there, with replacement.
    """
    check_like(transform.like, like)
    by_count = transform.weights == "corpus"

    def draw_words(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed | None:
        count = count_like(like, text, example, draws, corpus)
        if count is None:
            return None
        drawn = corpus.words_at(draws.numbers(count), by_count=by_count)
        return Placed.replace(text, drawn)

    return PlacingTransform(draw_words)


def swap(transform: Swap) -> PlacingTransform:
    """`cotbuild.schemas.transform.Swap`: the rationale of another question, unchanged.

    Does not apply if no other question has such a label.
    """

    def take_another(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed | None:
        other = corpus.another(example, transform.label)
        return None if other is None else Placed.replace(text, [other])

    return PlacingTransform(take_another, is_random=False)


def filler(transform: Filler, like: TransformFn | None = None) -> PlacingTransform:
    """`cotbuild.schemas.transform.Filler`: repeat one word."""
    check_like(transform.like, like)

    def repeat_word(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed | None:
        count = count_like(like, text, example, draws, corpus)
        return None if count is None else Placed.replace(text, [transform.word] * count)

    return PlacingTransform(repeat_word)


def echo(transform: Echo) -> PlacingTransform:
    """`cotbuild.schemas.transform.Echo`: repeat the words of the question from first to
    last, as many as the text has; empty if the question has none.
    """

    def repeat_question(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        repeated = cycle(words(example.question.text))
        num_words = len(example.words_of(text))
        return Placed.replace(text, list(islice(repeated, num_words)))

    return PlacingTransform(repeat_question, is_random=False)


def constant(transform: Constant) -> PlacingTransform:
    """`cotbuild.schemas.transform.Constant`: the same text for every rationale."""

    def return_constant(
        text: str, example: RationaleExample, draws: Draws, corpus: BuildCorpus
    ) -> Placed:
        return Placed.replace(text, [transform.text])

    return PlacingTransform(return_constant, is_random=False)


def check_like(declared: Transform | None, like: TransformFn | None) -> None:
    """Raise TypeError unless `like` is given exactly if the spec declares one."""
    if (declared is None) != (like is None):
        raise TypeError(
            f"the spec's like is {declared!r}, but the function passed for it is "
            f"{like!r}. Pass the compiled transform, or None if the spec has none."
        )


def count_like(
    like: TransformFn | None,
    text: str,
    example: RationaleExample,
    draws: Draws,
    corpus: BuildCorpus,
) -> int | None:
    """Return the number of words that `like` leaves of the text, or that the text has
    if `like` is None; None if `like` does not apply.
    """
    if like is None:
        return len(example.words_of(text))
    model = like(text, example, draws, corpus)
    return None if model is None else len(words(model))
