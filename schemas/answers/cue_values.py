"""Read the value of a cue within what bounds it: its clause, braces, a tag, a line. Pure.

Texts are passed as `folding.fold` leaves them, and a second time in lower case.
"""

import re
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import doubts
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.choice_readers import names_foreign_label
from cotbuild.schemas.answers.latex import undress
from cotbuild.schemas.answers.number_context import (
    Follows,
    find_context,
    limits_number,
    match_unit,
)
from cotbuild.schemas.answers.number_notation import fold_number, match_number
from cotbuild.schemas.answers.plain_readers import read_bounded_number
from cotbuild.schemas.answers.read_value import ReadValue
from cotbuild.schemas.answers.readers import READERS, read_bounded
from cotbuild.schemas.answers.rule import Bound, Rule, Strength
from cotbuild.schemas.answers.stated_numbers import read_stated_number
from cotbuild.schemas.answers.wrappers import match_braces
from cotbuild.schemas.question import Question, QuestionKind

_READ_CHARS = 600
"""Characters read after a cue: more than the longest option of the five datasets."""
_COMMAND_CHARS = 40
"""How far before a cue the command may open that it stands in, such as a box."""
_MAX_TAG_CHARS = 4000
_CLOSING_TAG = re.compile(r"<\|?/|\[/")
_BOLD = re.compile(r"\*\*(?=[^\s*])([^*\n]{1,80})(?<=[^\s*])\*\*")
_OR_BOLD = re.compile(r"[*_ ]{0,4}(?:or|to|and) [*_]{1,3}[-+]?[$£€]?[0-9]")
_BOLD_UNIT = re.compile(r"(?: [^\W\d_]{1,20}){0,4}+\*\*")
_OR_SAME = re.compile(r",? ?(?:or|i\.e\.|that is|which is),? (?:about |equal to )?")
_MAX_SHARE_CHARS = 20
_WHICH_IS = re.compile(
    r"(?:[^.!?\n]|\.(?=[0-9])){0,120}?,? which (?:is|equals|makes|gives)"
    r"(?: equal to)? (?=[*_$(]{0,4}[-+]?[$£€]?[0-9])"
)
_CELL_END = re.compile(r"\||\n")


class Cue(NamedTuple):
    """A place where a rule's cue was found."""

    start: int
    end: int
    rule: Rule


def read_value(view: str, low: str, cue: Cue, question: Question) -> ReadValue | None:
    """Read the value of a cue within its bound; offsets are into `view`."""
    match cue.rule.bound:
        case Bound.BRACES:
            close = match_braces(view, cue.end)
            return _read_between(view, cue, close, question)
        case Bound.TAG:
            return _read_between(view, cue, _find_closing_tag(low, cue), question)
        case Bound.CELL:
            cell = _CELL_END.search(view, cue.end)
            return _read_between(view, cue, cell.start() if cell else None, question)
        case Bound.LINE:
            return _read_line(view, cue, question)
        case Bound.NOTHING:
            return ReadValue(None, cue.start, cue.end, complete=True)
        case _:
            return _read_clause(view, low, cue, question)


def _find_closing_tag(low: str, cue: Cue) -> int | None:
    """Return where the tag of a cue closes: at its own closing tag, else at any."""
    name = low[cue.start : cue.end].strip("<>[]|")
    stop = cue.end + _MAX_TAG_CHARS
    for closing in (f"</{name}", f"[/{name}", f"<|/{name}"):
        start = low.find(closing, cue.end, stop)
        if start >= 0:
            return start
    tag = _CLOSING_TAG.search(low, cue.end, stop)
    return tag.start() if tag else None


def _read_between(
    view: str, cue: Cue, close: int | None, question: Question
) -> ReadValue | None:
    """Read the whole content up to the closing mark at `close`.

    A number that is none as a whole is a statement all the same: it names no number.
    Without a closing mark the text was cut, and what there is is read as a clause.
    """
    if close is None:
        rest = view[cue.end : cue.end + _READ_CHARS]
        return _shift(_read_open(rest, cue.rule, question), cue.end)
    content = view[cue.end : close]
    maths = cue.rule.bound is Bound.BRACES
    value = _shift(read_bounded(content, question, maths=maths), cue.end)
    if value is not None:
        return value
    if p.has_words(content, 0) and question.kind is QuestionKind.NUMBER:
        return ReadValue(None, cue.end, close, complete=True)
    if names_foreign_label(content, question):
        return ReadValue(None, cue.end, close, complete=True)
    return None


def _read_line(view: str, cue: Cue, question: Question) -> ReadValue | None:
    """Read all the rest of the line; the last line of a text may have been cut."""
    line_end = view.find("\n", cue.end)
    stop = line_end if line_end >= 0 else len(view)
    value = read_bounded(view[cue.end : stop], question, whole=True)
    if value is not None and stop == len(view):
        value = value._replace(complete=False)
    return _shift(value, cue.end)


def _read_clause(view: str, low: str, cue: Cue, question: Question) -> ReadValue | None:
    """Read what follows a cue, to the end of its clause."""
    if question.kind is QuestionKind.NUMBER:
        return _read_number_clause(view, low, cue, question)
    if question.kind is QuestionKind.TEXT:
        return _read_text_clause(view, cue, question)
    rest = view[cue.end : cue.end + _READ_CHARS]
    value = _read_open(rest, cue.rule, question)
    if value is None and cue.rule.strength is Strength.FORMAL:
        foreign = names_foreign_label(rest, question)
        value = ReadValue(None, 0, foreign, complete=True) if foreign else None
    return _shift(value, cue.end)


def _read_number_clause(
    view: str, low: str, cue: Cue, question: Question
) -> ReadValue | None:
    """Read the number that follows a cue; none if it is only compared with."""
    stop = min(cue.end + _READ_CHARS, len(view))
    if doubts.is_compared(low, cue.end):
        return ReadValue(None, cue.end, stop, complete=True)
    rest = view[cue.end : stop]
    value = _read_open(rest, cue.rule, question)
    if value is None and "**" in rest:
        value = _read_bold_number(rest)
    if value is None:
        return None
    if value.answer is None:
        value = _read_same_share(rest, value) or _read_closing(rest, value) or value
    if _OR_BOLD.match(rest, value.end):
        value = value._replace(answer=None)
    return value.shift(cue.end)


def _read_text_clause(view: str, cue: Cue, question: Question) -> ReadValue | None:
    """Read the text that follows a cue, to the end of the bold or box they share."""
    start = cue.end
    stop = _box_end(view, cue, _bold_end(view, cue, start + _READ_CHARS))
    rest = view[start:stop]
    if _opens_command(view, cue):
        start += len(rest) - len(rest.lstrip(" }"))  # "\\text{Answer: } x"
        rest = view[start:stop]
    return _shift(_read_open(rest, cue.rule, question), start)


def _read_open(rest: str, rule: Rule, question: Question) -> ReadValue | None:
    """Read the answer that follows a cue; number words count behind a formal one."""
    if question.kind is QuestionKind.NUMBER and rule.strength is Strength.FORMAL:
        return read_stated_number(rest, question)
    return READERS[question.kind](rest, question)


def _box_end(view: str, cue: Cue, stop: int) -> int:
    r"""Return where the box closes that a cue stands in, or `stop`."""
    window_start = max(0, cue.start - _COMMAND_CHARS)
    box = view.rfind("boxed{", window_start, cue.start)
    close = match_braces(view, box + len("boxed{")) if box >= 0 else None
    return close if close is not None and cue.end <= close < stop else stop


def _opens_command(view: str, cue: Cue) -> bool:
    r"""Return whether a cue stands in a command that closes behind it: "\text{…}"."""
    before = view[max(0, cue.start - _COMMAND_CHARS) : cue.end]
    start = before.rfind("\\text")
    return start >= 0 and "}" not in before[start:]


def _read_bold_number(rest: str) -> ReadValue | None:
    """Read the only bold value of the answer's sentence."""
    first = p.WORD.search(rest)
    sentence = p.sentence_end(rest, first.start() if first else 0)
    bold = list(islice(_BOLD.finditer(rest, 0, sentence + 2), 2))
    if len(bold) != 1 or limits_number(rest[: bold[0].start()]):
        return None  # "It takes more than **3 hours**"
    return _shift(read_bounded_number(bold[0][1]), bold[0].start(1))


def ends_bold(view: str, value: ReadValue) -> bool:
    """Return whether bold opens before a value and closes behind it or its unit."""
    is_opened = view.startswith("**", value.start - 2)
    return is_opened and _BOLD_UNIT.match(view, value.end) is not None


def _read_same_share(rest: str, value: ReadValue) -> ReadValue | None:
    """Read a share that is given twice, once as a percentage: "0.24, or 24%"."""
    view = undress(fold_number(rest)).text
    first = match_number(view, value.start)
    if first is None:
        return None
    unit, end = match_unit(view, first.end)
    joiner = _OR_SAME.match(view, end)
    second = match_number(view, joiner.end()) if joiner else None
    if second is None:
        return None
    other = find_context(view, second)
    if other.follows is not Follows.NOTHING or {unit, other.unit} != {"", "%"}:
        return None
    if max(len(first.plain), len(second.plain)) > _MAX_SHARE_CHARS:
        return None
    share, percents = (first, second) if other.unit else (second, first)
    if Fraction(share.value) * 100 != Fraction(percents.value):
        return None
    return ReadValue(first.plain, first.start, first.end, complete=False)


def _read_closing(rest: str, value: ReadValue) -> ReadValue | None:
    """Read the number that closes a clause: "10% of 420, which is 42"."""
    which = _WHICH_IS.match(rest, value.start)
    if which is None:
        return None
    closing = read_bounded_number(rest[which.end() : p.sentence_end(rest, which.end())])
    return _shift(closing, which.end())


def _bold_end(view: str, cue: Cue, stop: int) -> int:
    """Return where the bold ends that opened in the line before the cue, or `stop`."""
    line_start = view.rfind("\n", 0, cue.start) + 1
    window_start = max(line_start, cue.start - _READ_CHARS)
    if view.count("**", window_start, cue.end) % 2 == 0:
        return stop
    line_end = view.find("\n", cue.end, stop)
    close = view.find("**", cue.end, line_end if line_end >= 0 else stop)
    return close if close > cue.end else stop


def _shift(value: ReadValue | None, offset: int) -> ReadValue | None:
    if value is None:
        return None
    return value.shift(offset)
