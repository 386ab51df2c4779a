"""What a module of a known dataset has to say about it."""

from collections.abc import Callable
from typing import NamedTuple

from cotbuild.builder.sources.base import Row
from cotbuild.schemas.question import Question, QuestionKind, SourceRef

ToQuestion = Callable[[Row, SourceRef], Question]
ToRationale = Callable[[Row], str | None]
"""The rationale that a row itself carries; None where it has none."""


class RowParser(NamedTuple):
    """How the rows of one split become questions."""

    to_question: ToQuestion
    has_id: bool
    """Whether rows bring their ids; otherwise ids are made from content and repeats are
    numbered.
    """
    rationale: ToRationale | None = None
    """None: no row carries one."""


class KnownDataset(NamedTuple):
    """A dataset that needs no mapping, as published and on the Hub."""

    name: str
    hub_id: str
    config_name: str | None
    revision: str
    """The commit that is read, whatever its branch says today."""
    splits: tuple[str, ...]
    """On the Hub; a folder of published files may hold others."""
    licence: str
    kind: QuestionKind
    matches: Callable[[Row], bool]
    to_question: ToQuestion
    id_column: str | None = "id"
    """On the Hub; None where rows have no ids."""
    rationale: ToRationale | None = None

    def form(self, first: Row | None = None) -> RowParser:
        """The form of a published file that begins with row `first`; None: of the Hub's
        rows.
        """
        has_id = self.id_column is not None and (
            first is None or self.id_column in first
        )
        return RowParser(self.to_question, has_id, self.rationale)
