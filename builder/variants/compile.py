"""Compile variants: from the specs to functions on a
rationale. Pure, but for the tokenizer file of a variant that moves pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    SeededDraws,
    TransformFn,
)
from cotbuild.builder.variants.transforms import controls, leak, mask, order, pick
from cotbuild.builder.variants.transforms.units import Split, TokenPieces
from cotbuild.prompts.student import choose_label, is_unambiguous, layout_of
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.transform import (
    Constant,
    Cut,
    Echo,
    Filler,
    LeakOnly,
    Mask,
    Reverse,
    Sample,
    Shuffle,
    Sort,
    Strip,
    Swap,
    Top,
    Transform,
    Vocabulary,
)
from cotbuild.schemas.variant import Placement, VariantSpec


class DerivedText(NamedTuple):
    """The label and the rationale that a variant derives from one rationale."""

    label: str
    rationale: str


@dataclass(frozen=True)
class CompiledVariant:
    """A variant whose transforms are functions."""

    spec: VariantSpec
    transforms: Sequence[TransformFn]

    @classmethod
    def compile(cls, spec: VariantSpec) -> Self:
        """Compile the transforms of `spec`.

        Raises ConfigError if its tokenizer is not available.
        """
        pieces = TokenPieces.of(spec.tokenizer) if spec.tokenizer is not None else None
        split = pieces.split if pieces is not None else None
        return cls(spec, [_compile_transform(step, split) for step in spec.transforms])

    def derive(
        self, example: RationaleExample, seed: int, corpus: BuildCorpus
    ) -> DerivedText | None:
        """Apply the transforms in order.

        Returns None if the variant does not apply to this rationale: there is no label,
        no other rationale to swap in, or no scores; or its label is prose, and the
        completion could not be cut where label and rationale meet.
        """
        label = choose_label(self.spec, example.question, example.answer)
        if label is None:
            return None
        text = example.rationale
        for step, transform in enumerate(self.transforms):
            draws = SeededDraws(seed, step, example.question_id, example.sample_index)
            transformed = transform(text, example, draws, corpus)
            if transformed is None:
                return None
            text = transformed
        if self.spec.placement is Placement.LABEL_ONLY:
            return DerivedText(label, "")
        # Pieces may leave white space at the ends, where the separators bring their own.
        text = text.strip()
        is_prose = example.question.kind is QuestionKind.PROSE
        if is_prose and not is_unambiguous(layout_of(self.spec), label, text):
            return None
        return DerivedText(label, text)


def _compile_transform(transform: Transform, split: Split | None) -> TransformFn:
    """Return the function of one transform.

    `split` cuts a text into a tokenizer's pieces; None if the variant has no tokenizer.
    """
    match transform:
        case Shuffle():
            return order.shuffle(transform, split)
        case Reverse():
            return order.reverse(transform, split)
        case Sort():
            return order.sort(transform, split)
        case Mask():
            return mask.mask(transform)
        case Cut():
            return mask.cut(transform, _compile_like(transform.like, split))
        case Top():
            return pick.top(transform)
        case Sample():
            return pick.sample(transform, _compile_like(transform.like, split))
        case Vocabulary():
            return controls.vocabulary(transform, _compile_like(transform.like, split))
        case Swap():
            return controls.swap(transform)
        case Filler():
            return controls.filler(transform, _compile_like(transform.like, split))
        case Echo():
            return controls.echo(transform)
        case Constant():
            return controls.constant(transform)
        case Strip():
            return leak.strip(transform)
        case LeakOnly():
            return leak.leak_only(transform)


def _compile_like(like: Transform | None, split: Split | None) -> TransformFn | None:
    return None if like is None else _compile_transform(like, split)
