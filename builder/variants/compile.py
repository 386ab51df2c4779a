"""From a declared transform to the function that does it."""

from cotbuild.builder.variants.example import TransformFn
from cotbuild.builder.variants.transforms import controls, leak, mask, order, pick
from cotbuild.builder.variants.transforms.units import Split, TokenPieces
from cotbuild.schemas.variant import (
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
    VariantSpec,
    Vocabulary,
)


def compile_transforms(spec: VariantSpec) -> list[TransformFn]:
    """The transforms of a variant, ready to be applied.

    Raises ConfigError where its tokenizer cannot be had.
    """
    split = TokenPieces.of(spec.tokenizer).split if spec.tokenizer is not None else None
    return [bind(transform, split) for transform in spec.transforms]


def bind(transform: Transform, split: Split | None) -> TransformFn:
    """One transform; `split` cuts a text into pieces, where a unit is the piece."""
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
            return mask.cut(transform, _leaves(transform.like, split))
        case Top():
            return pick.top(transform)
        case Sample():
            return pick.sample(transform, _leaves(transform.like, split))
        case Vocabulary():
            return controls.vocabulary(transform, _leaves(transform.like, split))
        case Swap():
            return controls.swap(transform)
        case Filler():
            return controls.filler(transform, _leaves(transform.like, split))
        case Echo():
            return controls.echo(transform)
        case Constant():
            return controls.constant(transform)
        case Strip():
            return leak.strip(transform)
        case LeakOnly():
            return leak.leak_only(transform)


def _leaves(like: Transform | None, split: Split | None) -> TransformFn | None:
    return None if like is None else bind(like, split)
