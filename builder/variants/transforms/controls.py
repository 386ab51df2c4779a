"""Controls: as many words as the rationale has, or as another transform leaves of it,
but of no or other meaning. Pure.

Counts are matched in words (`units.words`), exactly. `leaves` is a transform's `like`,
bound; it has the same draws.
"""

from itertools import cycle, islice

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.transforms.units import words
from cotbuild.schemas.transform import (
    Constant,
    Echo,
    Filler,
    Swap,
    Transform,
    Vocabulary,
)


def vocabulary(transform: Vocabulary, leaves: TransformFn | None = None) -> TransformFn:
    """Words drawn from all rationales of the build, as they stand there, each draw
    apart: one may come twice.
    """
    check_bound(transform.like, leaves)
    by_count = transform.weights == "corpus"

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str | None:
        model = text if leaves is None else leaves(text, example, draws, corpus)
        if model is None:
            return None
        return " ".join(
            corpus.word_at(point, by_count=by_count)
            for point in draws.numbers(len(words(model)))
        )

    return apply


def swap(transform: Swap) -> TransformFn:
    """Another question's rationale, as the teacher wrote it.

    None: no other question has such a label.
    """

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str | None:
        return corpus.another(example, transform.label)

    return apply


def filler(transform: Filler, leaves: TransformFn | None = None) -> TransformFn:
    """One word over and over."""
    check_bound(transform.like, leaves)

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str | None:
        model = text if leaves is None else leaves(text, example, draws, corpus)
        return None if model is None else " ".join([transform.word] * len(words(model)))

    return apply


def echo(transform: Echo) -> TransformFn:
    """The question's words from first to last, over and over, the last round cut short;
    "" where it has none.
    """

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        return " ".join(islice(cycle(words(example.question.text)), len(words(text))))

    return apply


def constant(transform: Constant) -> TransformFn:
    """The same text, whatever the rationale."""

    def apply(
        text: str, example: RationaleExample, draws: SeededDraws, corpus: BuildCorpus
    ) -> str:
        return transform.text

    return apply


def check_bound(like: Transform | None, leaves: TransformFn | None) -> None:
    """Raise TypeError where `like` is given and was not bound, or the other way round."""
    if (like is None) != (leaves is None):
        raise TypeError(
            f"like {like!r}: leaves is {leaves!r}. Expected like bound, or neither."
        )
