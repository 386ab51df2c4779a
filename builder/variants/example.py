"""What every transform is given: one rationale, what is known of its build, and chance
that anybody can repeat.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Protocol

from cotbuild.schemas.question import Choice, QuestionKind


@dataclass(frozen=True)
class RationaleExample:
    """One rationale before any transform, and its question."""

    question_id: str
    sample_index: int
    kind: QuestionKind
    question: str
    choices: tuple[Choice, ...]
    target: str | None
    label: str
    """The target's text, whatever form a variant writes it in; questions have the same
    label where this is equal.
    """
    rationale: str
    answer: str | None = None
    """What the teacher said, in the form of the target."""


class SeededDraws(NamedTuple):
    """Draws for one transform of one rationale, fixed by seed, place in the chain,
    question and sample alone.

    Not a stateful generator: any row can be derived alone, in any order, on any Python.
    A tuple, since one is made for every transform of every row.
    """

    seed: int
    step: int
    """Place of the transform in its chain, from 0."""
    question_id: str
    sample_index: int

    def ranks(self, count: int) -> list[bytes]:
        """32 bytes each, to sort `count` things by."""
        name = self.question_id.encode()
        start = b"%d/%d/%d:%s/%d/" % (
            self.seed,
            self.step,
            len(name),
            name,
            self.sample_index,
        )
        return [sha256(start + b"%d" % i).digest() for i in range(count)]

    def order(self, count: int) -> list[int]:
        """0 … count - 1 in drawn order."""
        return sorted(range(count), key=self.ranks(count).__getitem__)

    def numbers(self, count: int) -> list[float]:
        """`count` numbers in [0, 1)."""
        return [int.from_bytes(rank[:6], "big") / 2**48 for rank in self.ranks(count)]


class BuildCorpus(Protocol):
    """What transforms may know of the whole build; fixed by the set of its rationales,
    not by their order.
    """

    def document_frac(self, word: str) -> float:
        """Share of rationales with this word, as `units.bare` gives it; 0: none."""

    def word_at(self, point: float, *, by_count: bool) -> str:
        """The word at `point` in [0, 1) of the vocabulary: every different word alike,
        or by its count.
        """

    def another(self, subject: RationaleExample, label: str) -> str | None:
        """The rationale of another question: label any, same or other than the
        subject's; None: there is none.
        """

    def scores(
        self, file: str, subject: RationaleExample
    ) -> Sequence[tuple[int, int, float, bool]] | None:
        """(start, end, score, names an option) from a scores file; None: the file has
        none for this rationale.
        """

    def listed(self, file: str) -> frozenset[str]:
        """The words of a file, as `units.bare` gives them."""


TransformFn = Callable[[str, RationaleExample, SeededDraws, BuildCorpus], str | None]
"""A transform with its parameters bound: from the text so far to the next; None: this
row cannot have it (dropped).
"""
