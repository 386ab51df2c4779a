"""A place of a text that states an answer. Pure."""

from typing import NamedTuple

from cotbuild.schemas.answers.read_value import ReadValue


class Statement(NamedTuple):
    """A place where an answer is stated. Offsets are into the teacher's turn."""

    rule: str
    """Id of the rule that reads it."""
    start: int
    """Of its introduction, such as "So the answer"."""
    answer_start: int
    answer_end: int
    """The span of the value itself."""
    end: int
    """Of its sentence, or where the reason for it begins."""
    answer: str | None
    """None: it says that there is no single one."""
    complete: bool
    """Whether a text cut directly after it would still state the same."""


def to_statement(rule: str, value: ReadValue, *, start: int, end: int) -> Statement:
    """Return the statement from `start` to `end` in which a rule reads `value`.

    The span of the value is in the teacher's turn, too.
    """
    return Statement(
        rule=rule,
        start=start,
        answer_start=value.start,
        answer_end=value.end,
        end=end,
        answer=value.answer,
        complete=value.complete,
    )
