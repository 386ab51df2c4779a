"""What a transform is given: a rationale with its question, and access to the rest of
the build.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, Self

from cotbuild.builder.variants.draws import Draws
from cotbuild.builder.variants.units import bare_forms, words
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


@dataclass(eq=False)
class RationaleExample:
    """One rationale before any transform, with its question. Never changed.

    Compared and hashed by identity, so that it is a cheap key of a cache: hashing the
    question's fields costs 20 µs.
    """

    question: Question
    sample_index: int
    rationale: str
    answer: str | None = None
    """The teacher's answer, in the form of the target; None: it gave no single one."""
    results: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    """What was computed of the rationale, for other variants of the set: by transform
    what it made of it, and by text which answers that names.
    """
    _words: list[str] | None = field(default=None, init=False, repr=False)
    _forms: list[str] | None = field(default=None, init=False, repr=False)

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

    # Not cached properties: before Python 3.12 these take a lock, 1 µs each.
    @property
    def words(self) -> list[str]:
        """The words of the rationale; shared by all variants, so never changed."""
        if self._words is None:
            self._words = words(self.rationale)
        return self._words

    @property
    def forms(self) -> list[str]:
        """The form of each of `words` in which they are compared."""
        if self._forms is None:
            self._forms = bare_forms(self.words)
        return self._forms

    def words_of(self, text: str) -> list[str]:
        """Return the words of a text, without splitting if it is the rationale."""
        return self.words if text is self.rationale else words(text)

    def forms_of(self, all_words: list[str]) -> list[str]:
        """Return the form of each word, those of `words` from memory."""
        return self.forms if all_words is self._words else bare_forms(all_words)

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


class BuildCorpus(Protocol):
    """What a transform may look up in the whole build.

    It depends on the set of the build's rationales, not on their order.
    """

    def rarities(self, words: Iterable[str]) -> list[float]:
        """Return ln(1 / the fraction of rationales with the word) for each word, given
        as `units.bare` returns it; 0 if none has it.
        """

    def words_at(self, points: Sequence[float], *, by_count: bool) -> list[str]:
        """Return the words at points in [0, 1) of the vocabulary, in which each
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


TransformFn = Callable[[str, RationaleExample, Draws, BuildCorpus], str | None]
"""A transform with its parameters bound: the text so far to the next text, or None if
it does not apply to this rationale, which is then dropped.
"""
