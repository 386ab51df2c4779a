"""What a transform is given: a rationale with its question, reproducible random draws,
and access to the rest of the build.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, Self

from cotbuild.prompts.student import format_label
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import ADDED_COLUMNS
from cotbuild.schemas.variant import LabelForm

QUESTION_COLUMNS = (
    "question_id",
    "kind",
    "question",
    "choices",
    "target",
    "other_targets",
    "dataset",
    "config_name",
    "split",
    "revision",
    "row",
)
"""Columns of `rationales` that hold the question."""
EXAMPLE_COLUMNS = (*QUESTION_COLUMNS, "sample_index", "rationale", "answer")
"""Columns of `rationales` that `RationaleExample.from_row` needs."""


def example_columns(row_version: int) -> tuple[str, ...]:
    """Return the columns that `RationaleExample.from_row` reads.

    Builds of an older `row_version` have no inputs and tags.
    """
    added = (name for name in ("inputs", "tags") if ADDED_COLUMNS[name] <= row_version)
    return (*EXAMPLE_COLUMNS, *added)


@dataclass(frozen=True, eq=False)
class RationaleExample:
    """One rationale before any transform, with its question.

    Compared and hashed by identity, so that it is a cheap key of a cache: hashing the
    question's fields costs 20 µs.
    """

    question: Question
    sample_index: int
    rationale: str
    answer: str | None = None
    """The teacher's answer, in the form of the target; None: it gave no single one."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str) -> Self:
        """Read a row of `rationales` that has at least `EXAMPLE_COLUMNS`.

        Raises DataError, its message starting with `where`, if the question is invalid.
        """
        return cls(
            question=question_from_row(row, where),
            sample_index=row["sample_index"],
            rationale=row["rationale"],
            answer=row["answer"],
        )

    @property
    def question_id(self) -> str:
        """Id of the question; with `sample_index` it names the rationale."""
        return self.question.id

    @cached_property
    def target_text(self) -> str:
        """The target as text: a choice's text rather than its label; "" if unpublished.

        Two rationales have the same label if it is equal, however a variant writes it.
        """
        question = self.question
        if question.target is None:
            return ""
        return format_label(question.choices, question.target, LabelForm.TEXT)

    @cached_property
    def question_of_mentions(self) -> Question:
        """The question as mentions are searched for: without `other_targets`.

        Searching for these too would change the rows of released variants.
        """
        if not self.question.other_targets:
            return self.question
        return self.question.model_copy(update={"other_targets": ()})


def question_from_row(row: Mapping[str, Any], where: str) -> Question:
    """Read the question from a row of `rationales` that has `QUESTION_COLUMNS`.

    Raises DataError, its message starting with `where`, if it is invalid.
    """
    source_names = ("dataset", "config_name", "split", "revision", "row")
    fields = {
        "id": row["question_id"],
        "kind": row["kind"],
        "text": row["question"],
        "choices": row["choices"],
        "target": row["target"],
        "other_targets": row["other_targets"],
        "source": {name: row[name] for name in source_names},
        "inputs": row.get("inputs", ()),
        "tags": row.get("tags", ()),
    }
    return Question.parse(fields, where)


class SeededDraws(NamedTuple):
    """Random draws of one transform for one rationale.

    They depend on nothing but these fields. Unlike a stateful generator this lets any
    row be derived alone, in any order, on any version of Python. A tuple, since one is
    created for every transform of every row.
    """

    seed: int
    step: int
    """Position of the transform in its variant, from 0."""
    question_id: str
    sample_index: int

    def ranks(self, count: int) -> list[bytes]:
        """Draw `count` sort keys of 32 bytes each."""
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
        """Draw a permutation of 0 … count - 1."""
        return sorted(range(count), key=self.ranks(count).__getitem__)

    def numbers(self, count: int) -> list[float]:
        """Draw `count` numbers in [0, 1)."""
        return [int.from_bytes(rank[:6], "big") / 2**48 for rank in self.ranks(count)]


class BuildCorpus(Protocol):
    """What a transform may look up in the whole build.

    It depends on the set of the build's rationales, not on their order.
    """

    def document_frac(self, word: str) -> float:
        """Return the fraction of rationales with this word, given as `units.bare`
        returns it; 0 if none has it.
        """

    def word_at(self, point: float, *, by_count: bool) -> str:
        """Return the word at `point` in [0, 1) of the vocabulary, in which each
        different word has the same width or, by count, as much as it is frequent.
        """

    def another(self, example: RationaleExample, label: str) -> str | None:
        """Return the rationale of another question, or None if there is none.

        `label`: whether its label is "any", the "same" as the example's, or "other".
        """

    def scores(
        self, file: str, example: RationaleExample
    ) -> Sequence[tuple[int, int, float, bool]] | None:
        """Return (start, end, score, names an option) of each span in a scores file, or
        None if the file has no row for this rationale.
        """

    def listed(self, file: str) -> frozenset[str]:
        """Return the words of a file, as `units.bare` returns them."""


TransformFn = Callable[[str, RationaleExample, SeededDraws, BuildCorpus], str | None]
"""A transform with its parameters bound: the text so far to the next text, or None if
it does not apply to this rationale, which is then dropped.
"""
