"""What a rule of reading answers is: a cue, what bounds its value, and its strength."""

import re
from enum import StrEnum
from typing import NamedTuple

from cotbuild.schemas.question import QuestionKind

ALL = frozenset(QuestionKind) - {QuestionKind.PROSE}
"""All kinds but prose, whose answers are read by `prose_answer`."""
CHOICE = frozenset({QuestionKind.CHOICE})
NUMBER = frozenset({QuestionKind.NUMBER})
YES_NO = frozenset({QuestionKind.YES_NO})
TEXT = frozenset({QuestionKind.TEXT})
NOT_TEXT = ALL - TEXT


class Strength(StrEnum):
    """How much a rule's statements count."""

    FORMAL = "formal"
    """Words or marks that do nothing but introduce an answer."""
    WEAK = "weak"
    """Words of reasoning; they count where no formal statement names an answer, and
    where they take it back in the last sentence.
    """
    ALONE = "alone"
    """No cue: a line or clause that is nothing but an answer."""


class Bound(StrEnum):
    """How far the answer reaches from its cue."""

    CLAUSE = "clause"
    """To the end of its clause, or of the quotes, bold or maths it is set in."""
    BRACES = "braces"
    """To the brace that closes the cue's; the whole content is the answer."""
    TAG = "tag"
    """To the closing tag; the whole content is the answer."""
    LINE = "line"
    """To the end of the line; the whole line is the answer."""
    CELL = "cell"
    """To the end of the table's cell."""
    BEFORE = "before"
    """The answer stands before the cue, from the start of its clause."""
    NOTHING = "nothing"
    """There is none: the cue says that there is no single answer."""


class Rule(NamedTuple):
    """One way to state an answer."""

    id: str
    """Recorded with each answer that the rule reads."""
    strength: Strength
    kinds: frozenset[QuestionKind]
    """The kinds of question it reads answers of."""
    reads: str
    """What it reads, in a line."""
    example: str
    cues: tuple[re.Pattern[str], ...] = ()
    """Each begins with a literal word where it can; none: see `rules`."""
    words: tuple[str, ...] = ()
    """The rule is tried on texts that hold one of them; empty: on all."""
    bound: Bound = Bound.CLAUSE
    closes: bool = False
    """Whether its clause must end behind the answer: "so (A) is wrong" states nothing."""
    last: bool = False
    """Whether only the last sentence of the text counts."""
