"""What a module of a known dataset has to say about it."""

from collections.abc import Callable
from typing import NamedTuple

from cotbuild.builder.sources.rows import Row
from cotbuild.schemas.question import Question, SourceRef

ToQuestion = Callable[[Row, SourceRef], Question]


class Known(NamedTuple):
    """A dataset that needs no mapping, as published and on the Hub."""

    name: str
    hub_id: str
    config_name: str | None
    revision: str
    splits: tuple[str, ...]
    licence: str
    matches: Callable[[Row], bool]
    to_question: ToQuestion


class Form(NamedTuple):
    """How the rows of one split become questions."""

    to_question: ToQuestion
    has_id: bool
    """Whether rows bring their ids; otherwise ids are made from content and repeats are numbered."""
