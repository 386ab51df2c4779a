"""Compile variants: from the specs to functions on a
rationale. Pure, but for the tokenizer file of a variant that moves pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from cotbuild.builder.variants.draws import DRAWS
from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    TransformFn,
)
from cotbuild.builder.variants.transforms import controls, leak, mask, order, pick
from cotbuild.builder.variants.transforms.placed import Placed, PlacingTransform
from cotbuild.builder.variants.units import Split, TokenPieces
from cotbuild.prompts.student import choose_label, is_unambiguous, layout_of
from cotbuild.prompts.student_rows import RowComposer
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


class _ChainResult(NamedTuple):
    """What a chain leaves of a rationale, with which seed and corpus."""

    seed: int
    corpus: BuildCorpus
    text: str | None


@dataclass(frozen=True, eq=False)
class TransformChain:
    """The transforms of a variant, in order; those with the same ones share it."""

    transforms: Sequence[PlacingTransform]
    draws: int
    """Version of the draws; see `VariantSpec.draws`."""

    def text(
        self, example: RationaleExample, seed: int, corpus: BuildCorpus
    ) -> str | None:
        """Return what the transforms leave of a rationale, without white space at the
        ends; None if one of them does not apply to it. Remembered.
        """
        known: _ChainResult | None = example.results.get(self)
        if known is not None and known.corpus is corpus and known.seed == seed:
            return known.text
        text: str | None = None
        steps = self.place(example, seed, corpus)
        if steps is not None:
            last = steps[-1].text if steps else example.rationale
            # Pieces may leave white space, where the separators bring their own.
            text = last.strip()
        example.results[self] = _ChainResult(seed, corpus, text)
        return text

    def place(
        self, example: RationaleExample, seed: int, corpus: BuildCorpus
    ) -> list[Placed] | None:
        """Return what each transform makes of the text of the one before, in order.

        None if one of them does not apply to this rationale.
        """
        text, steps = example.rationale, list[Placed]()
        make_draws = DRAWS[self.draws]
        for step, transform in enumerate(self.transforms):
            draws = make_draws(seed, step, example.question_id, example.sample_index)
            placed = transform.place(text, example, draws, corpus)
            if placed is None:
                return None
            steps.append(placed)
            text = placed.text
        return steps


@dataclass(frozen=True)
class KnownTransforms:
    """Transforms and chains that were compiled before, for other variants of a set."""

    transforms: dict[tuple[Transform, str | None], PlacingTransform] = field(
        default_factory=dict
    )
    """By declaration and tokenizer."""
    chains: dict[tuple[tuple[PlacingTransform, ...], int], TransformChain] = field(
        default_factory=dict
    )
    """By transforms and version of the draws."""


@dataclass(frozen=True)
class CompiledVariant:
    """A variant whose transforms are functions."""

    spec: VariantSpec
    chain: TransformChain
    composer: RowComposer

    @classmethod
    def compile(cls, spec: VariantSpec, known: KnownTransforms | None = None) -> Self:
        """Compile the transforms of `spec`.

        Equal transforms of variants that are compiled with the same `known` are one, so
        that each is applied to a rationale once. Raises ConfigError if its tokenizer is
        not available.
        """
        known = KnownTransforms() if known is None else known
        compiler = _Compiler(spec.tokenizer, known.transforms)
        transforms = tuple(compiler.compile(step) for step in spec.transforms)
        chain = TransformChain(transforms, spec.draws)
        chain = known.chains.setdefault((transforms, spec.draws), chain)
        return cls(spec, chain, RowComposer(spec))

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
        text = self.chain.text(example, seed, corpus)
        if text is None:
            return None
        if self.spec.placement is Placement.LABEL_ONLY:
            return DerivedText(label, "")
        is_prose = example.question.kind is QuestionKind.PROSE
        if is_prose and not is_unambiguous(layout_of(self.spec), label, text):
            return None
        return DerivedText(label, text)

    def place(
        self, example: RationaleExample, seed: int, corpus: BuildCorpus
    ) -> list[Placed] | None:
        """See `TransformChain.place`."""
        return self.chain.place(example, seed, corpus)


class _Compiler:
    """Compiles the transforms of one variant."""

    def __init__(
        self,
        tokenizer: str | None,
        known: dict[tuple[Transform, str | None], PlacingTransform],
    ) -> None:
        pieces = None if tokenizer is None else TokenPieces.of(tokenizer)
        self._tokenizer = tokenizer
        self._split: Split | None = None if pieces is None else pieces.split
        self._known = known

    def compile(self, transform: Transform) -> PlacingTransform:
        """Return the function of one transform."""
        key = (transform, self._tokenizer)
        if key not in self._known:
            self._known[key] = self._bind(transform)
        return self._known[key]

    def _compile_like(self, like: Transform | None) -> TransformFn | None:
        return None if like is None else self.compile(like)

    def _bind(self, transform: Transform) -> PlacingTransform:
        match transform:
            case Shuffle():
                return order.shuffle(transform, self._split)
            case Reverse():
                return order.reverse(transform, self._split)
            case Sort():
                return order.sort(transform, self._split)
            case Mask():
                return mask.mask(transform)
            case Cut():
                return mask.cut(transform, self._compile_like(transform.like))
            case Top():
                return pick.top(transform)
            case Sample():
                return pick.sample(transform, self._compile_like(transform.like))
            case Vocabulary():
                return controls.vocabulary(
                    transform, self._compile_like(transform.like)
                )
            case Swap():
                return controls.swap(transform)
            case Filler():
                return controls.filler(transform, self._compile_like(transform.like))
            case Echo():
                return controls.echo(transform)
            case Constant():
                return controls.constant(transform)
            case Strip():
                return leak.strip(transform)
            case LeakOnly():
                return leak.leak_only(transform)
