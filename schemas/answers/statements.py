"""Find where a teacher's text states an answer, by the table of `rules`. Pure.

Texts are passed as `folding.fold` leaves them, and a second time in lower case; both
have the length of the original, so offsets hold in all three.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice, zip_longest
from typing import NamedTuple

from cotbuild.schemas.answers import doubts, limits
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
from cotbuild.schemas.answers.readers import READERS, read_bounded, read_option_before
from cotbuild.schemas.answers.rule import Bound, Rule, Strength
from cotbuild.schemas.answers.rules import select_rules_for_text
from cotbuild.schemas.answers.stated_numbers import read_stated_number
from cotbuild.schemas.answers.wrappers import match_braces
from cotbuild.schemas.question import Question, QuestionKind

_MAX_CUES = 64
"""Cues read at either end of a text, which bounds the work on degenerate repeats."""
_READ_CHARS = 600
"""Characters read after a cue: more than the longest option of the five datasets."""
_BEFORE_CHARS = 200
"""Characters read before a cue that the answer stands before."""
_INTRODUCTION_CHARS = 40
_MAX_TAG_CHARS = 4000
_CLOSING_TAG = re.compile(r"<\|?/|\[/")
_BOLD = re.compile(r"\*\*(?=[^\s*])([^*\n]{1,80})(?<=[^\s*])\*\*")
_OR_BOLD = re.compile(r"[*_ ]{0,4}(?:or|to|and) [*_]{1,3}[-+]?[$£€]?[0-9]")
_TEXT_COMMAND = re.compile(r"\\(?:text[a-z]{0,2}|math[a-z]{1,4}|mbox) ?\{")
_BOLD_UNIT = re.compile(r"(?: [^\W\d_]{1,20}){0,4}+\*\*")
_OR_SAME = re.compile(r",? ?(?:or|i\.e\.|that is|which is),? (?:about |equal to )?")
_MAX_SHARE_CHARS = 20
_CELL_END = re.compile(r"\||\n")
_CLAUSE_START = re.compile(r"[.!?;:,\n](?=[\s\"'*(])|\n")


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
    """Of its sentence."""
    answer: str | None
    """None: it says that there is no single one."""
    complete: bool
    """Whether a text cut directly after it would still state the same."""


class _Cue(NamedTuple):
    """A place where a rule's cue was found."""

    start: int
    end: int
    rule: Rule


def find_cued_statements(
    view: str,
    low: str,
    begin: int,
    question: Question,
    strength: Strength,
    answer_first: bool,
) -> list[Statement]:
    """Return the statements from `begin` on that rules of one strength read, in order."""
    rules = select_rules_for_text(low, begin, question.kind, strength)
    after = [rule for rule in rules if rule.bound is not Bound.BEFORE]
    cues = _find_cues(low, begin, after)
    cues = cues[:_MAX_CUES] if answer_first else cues[-_MAX_CUES:]
    statements = []
    introduction: int | None = None
    for cue, following in zip_longest(cues, cues[1:]):
        start = cue.start if introduction is None else introduction
        introduction = None
        if following is not None and _leads_over(low, cue, following):
            introduction = start  # "Answer: The answer is B" is read at the second cue
            continue
        if statement := _read_cue(view, low, cue, start, question):
            statements.append(statement)
    for rule in rules:
        if rule.bound is Bound.BEFORE:
            statements += _read_before(view, low, begin, rule, question)
    return sorted(statements, key=lambda statement: statement.start)


def _find_cues(low: str, begin: int, rules: Sequence[Rule]) -> list[_Cue]:
    lines = "\n" + low  # the first line begins with a line break, too
    cues = []
    for rule in rules:
        for pattern in rule.cues:
            if pattern.pattern.startswith(r"\n"):
                for match in pattern.finditer(lines, begin):
                    cues.append(_Cue(max(0, match.start() - 1), match.end() - 1, rule))
            else:
                for match in pattern.finditer(low, begin):
                    cues.append(_Cue(*match.span(), rule))
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def _leads_over(low: str, cue: _Cue, following: _Cue) -> bool:
    """Return whether the text between two cues only leads over to the second."""
    gap = low[cue.end : following.start]
    if len(gap) > _INTRODUCTION_CHARS:
        return False
    gap = _TEXT_COMMAND.sub("", gap).strip(p.EDGE)
    return not gap or p.LOW_LEAD.match(gap) is not None


def _read_cue(
    view: str, low: str, cue: _Cue, start: int, question: Question
) -> Statement | None:
    """Read the answer that a cue introduces; None if it states nothing.

    `start` is where the introduction begins.
    """
    rule = cue.rule
    kind = question.kind
    if _is_doubtful(view, low, cue, question):
        return None
    if rule.bound is Bound.NOTHING:
        value = ReadValue(None, cue.start, cue.end, complete=True)
    else:
        found = _read_value(view, low, cue, question)
        if found is None:
            return None
        value = found
    end = p.sentence_end(view, value.end)
    if value.answer is not None:
        if doubts.is_denied_value(low, cue.end):
            return None
        if kind is QuestionKind.NUMBER and doubts.is_ordinal(low, cue.end, value.start):
            return None
        if doubts.is_asked(low, value.end) and not _may_end_in_question(
            value, question
        ):
            return None
        is_closed = doubts.is_closed(low, value.end, kind) or _ends_bold(view, value)
        if rule.closes and not is_closed:
            return None
        if (
            doubts.is_qualified(low, value.end, kind)
            or doubts.is_revised(low, value.end)
            or (
                kind is QuestionKind.YES_NO
                and (
                    doubts.goes_both_ways(low, value.answer, value.end)
                    or limits.answers_other_case(low, value.answer, value.end)
                )
            )
        ):
            value = value._replace(answer=None)
    if rule.last and has_words(view, end):
        return None
    return _to_statement(rule, start, end, value)


def _is_doubtful(view: str, low: str, cue: _Cue, question: Question) -> bool:
    """Return whether the clause of a cue supposes, denies, limits or only remarks."""
    before = doubts.read_before(view, low, cue.start)
    is_open = cue.rule.bound in (Bound.CLAUSE, Bound.NOTHING)
    if is_open and doubts.is_hypothetical(view, before, cue.start, question.kind):
        return True
    if is_open and question.kind is QuestionKind.YES_NO:
        sentence = doubts.read_sentence_before(view, cue.start)
        if limits.limits_answer(sentence, question):
            return True
    if doubts.is_of_a_part(low, cue.start, cue.end):
        return True
    return doubts.is_denied(before) or doubts.is_remark(low, cue.start, cue.end)


def _may_end_in_question(value: ReadValue, question: Question) -> bool:
    """Return whether the question mark behind a value may be its own."""
    if question.kind is QuestionKind.TEXT:
        return True
    return any(
        choice.label == value.answer and choice.text.rstrip().endswith("?")
        for choice in question.choices
    )


def _to_statement(rule: Rule, start: int, end: int, value: ReadValue) -> Statement:
    return Statement(
        rule=rule.id,
        start=start,
        answer_start=value.start,
        answer_end=value.end,
        end=end,
        answer=value.answer,
        complete=value.complete,
    )


def _read_value(view: str, low: str, cue: _Cue, question: Question) -> ReadValue | None:
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
            line_end = view.find("\n", cue.end)
            stop = line_end if line_end >= 0 else len(view)
            found = _shift(
                read_bounded(view[cue.end : stop], question, whole=True), cue.end
            )
            is_cut = found is not None and stop == len(view)
            return found._replace(complete=False) if found and is_cut else found
        case _:
            return _read_clause(view, low, cue, question)


def _find_closing_tag(low: str, cue: _Cue) -> int | None:
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
    view: str, cue: _Cue, close: int | None, question: Question
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
    if has_words(content, 0) and question.kind is QuestionKind.NUMBER:
        return ReadValue(None, cue.end, close, complete=True)
    if names_foreign_label(content, question):
        return ReadValue(None, cue.end, close, complete=True)
    return None


def _read_clause(
    view: str, low: str, cue: _Cue, question: Question
) -> ReadValue | None:
    """Read what follows a cue, to the end of its clause."""
    kind = question.kind
    stop = cue.end + _READ_CHARS
    if kind is QuestionKind.TEXT:
        stop = _box_end(view, cue, _bold_end(view, cue, stop))
    rest = view[cue.end : stop]
    if kind is QuestionKind.NUMBER and doubts.is_compared(low, cue.end):
        return ReadValue(None, cue.end, min(stop, len(view)), complete=True)
    offset = cue.end
    if kind is QuestionKind.TEXT and _opens_command(view, cue):
        offset += len(rest) - len(rest.lstrip(" }"))  # "\\text{Answer: } x"
        rest = view[offset:stop]
    value = _read_open(rest, cue.rule, question)
    if value is None and kind is QuestionKind.NUMBER and "**" in rest:
        value = _read_bold_number(rest)
    if value is not None and value.answer is None and kind is QuestionKind.NUMBER:
        value = _read_same_share(rest, value) or value
    if (
        value is not None
        and kind is QuestionKind.NUMBER
        and _OR_BOLD.match(rest, value.end)
    ):
        value = value._replace(answer=None)
    if value is None and cue.rule.strength is Strength.FORMAL:
        foreign = names_foreign_label(rest, question)
        value = ReadValue(None, 0, foreign, complete=True) if foreign else None
    return _shift(value, offset)


def _read_open(rest: str, rule: Rule, question: Question) -> ReadValue | None:
    """Read the answer that follows a cue; number words count behind a formal one."""
    if question.kind is QuestionKind.NUMBER and rule.strength is Strength.FORMAL:
        return read_stated_number(rest, question)
    return READERS[question.kind](rest, question)


def _box_end(view: str, cue: _Cue, stop: int) -> int:
    r"""Return where the box closes that a cue stands in, or `stop`."""
    window_start = max(0, cue.start - _INTRODUCTION_CHARS)
    box = view.rfind("boxed{", window_start, cue.start)
    close = match_braces(view, box + len("boxed{")) if box >= 0 else None
    return close if close is not None and cue.end <= close < stop else stop


def _opens_command(view: str, cue: _Cue) -> bool:
    r"""Return whether a cue stands in a command that closes behind it: "\text{…}"."""
    before = view[max(0, cue.start - _INTRODUCTION_CHARS) : cue.end]
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


def _ends_bold(view: str, value: ReadValue) -> bool:
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


def _bold_end(view: str, cue: _Cue, stop: int) -> int:
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
    return value._replace(start=value.start + offset, end=value.end + offset)


def _read_before(
    view: str, low: str, begin: int, rule: Rule, question: Question
) -> list[Statement]:
    """Return the answers that stand before their cue: "Option B is correct"."""
    statements = []
    found = (match for cue in rule.cues for match in cue.finditer(low, begin))
    for cue in islice(found, _MAX_CUES):
        window_start = max(begin, cue.start() - _BEFORE_CHARS)
        # "…(B), which is the correct answer"
        which = p.WHICH_BEFORE.search(view, max(begin, cue.start() - 12), cue.start())
        stop = which.start() if which else cue.start()
        for mark in _CLAUSE_START.finditer(view, window_start, stop):
            window_start = mark.end()
        value = read_option_before(view, window_start, stop, question)
        if value is None:
            continue
        before = doubts.read_before(view, low, value.start)
        if doubts.is_hypothetical(view, before, value.start, question.kind):
            continue
        if doubts.is_asked(low, cue.end()) or doubts.has_condition_behind(
            low, cue.end()
        ):
            continue
        end = p.sentence_end(view, cue.end() - 1)
        statements.append(_to_statement(rule, value.start, end, value))
    return statements


def has_words(text: str, start: int) -> bool:
    """Return whether a text holds a word from `start` on, tags aside."""
    return p.WORD.search(p.TAG.sub("", text[start:])) is not None
