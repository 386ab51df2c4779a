"""Choose the statements of a text that count. Pure.

Texts are passed as `folding.fold` leaves them, and a second time in lower case.
"""

import itertools
import re
from collections.abc import Sequence

from cotbuild.schemas.answers import alone, limits, ownership
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import answers_differ
from cotbuild.schemas.answers.language_patterns import OWN_HEADS
from cotbuild.schemas.answers.language_statements import (
    find_language_statements,
    find_weak_language_statements,
)
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.answers.rule import Strength
from cotbuild.schemas.answers.statement import Statement, to_statement
from cotbuild.schemas.answers.statements import find_cued_statements
from cotbuild.schemas.question import Question, QuestionKind

_LAST_CHARS = 400
"""Longest last sentence that the closing rule reads."""
_SO = re.compile(r"[ *_\n]*+(?:so|therefore|thus|hence|consequently)\b,? ")
_NEW_ITEM = re.compile(
    r"[\s\"'*_)\]}$.!]*\n[ \t]*\n[ >*_#-]*(?P<head>[^\W\d_][^\W\d_]*(?: [^\W\d_]+){0,2})"
    r"(?: ?#?\d{1,3})?[*_ ]{0,4}:(?!/)"
)
_HEADS = (
    "step part case method option approach answer final conclusion so therefore thus "
    "hence explanation reason reasoning rationale justification note check "
    "verification verify solution calculation summary analysis double result "
    "correction wait however now finally next first second third total overall why "
    "because proof"
)
_PART_RULES = ("closing_yes_no", "lone_line")
"""Rules that may read the answer to a part of the question."""
_OWN_HEADS = OWN_HEADS.union(_HEADS.split())


def find_statements(
    view: str,
    low: str,
    question: Question,
    *,
    answer_first: bool = False,
    given: bool = False,
    closing_sentence: bool = False,
) -> list[Statement]:
    """Return every answer statement that counts, in order.

    Formal statements count. Weak ones do if no formal one names an answer, or in the
    last sentence, where they take it back. With `given` the answer comes from elsewhere,
    so a line of prose that reads as one ("house") is no statement.
    """
    formal = find_cued_statements(view, low, 0, question, Strength.FORMAL, answer_first)
    formal = _merge(formal, find_language_statements(view, low, question))
    if answer_first:
        opening = alone.find_opening(view, question, formal, given)
        if opening is not None:
            after = [one for one in formal if one.start >= opening.answer_end]
            return [opening, *after]
    begin = max((statement.end for statement in formal), default=0)
    is_answered = any(statement.answer is not None for statement in formal)
    if is_answered and (answer_first or not p.has_words(view, begin)):
        return formal if answer_first else _settle(view, low, formal, question)
    weak = find_cued_statements(view, low, begin, question, Strength.WEAK, answer_first)
    weak_in_language = find_weak_language_statements(view, low, begin, question)
    if is_answered:
        return _settle(
            view, low, [*formal, *_taking_back(view, formal, weak)], question
        )
    statements = _merge([*formal, *_drop_parts(low, weak, question)], weak_in_language)
    if statements:
        return statements
    lone = _drop_parts(low, alone.find_lone_answers(view, question, given), question)
    if lone or not closing_sentence or given:
        return lone
    return _find_closing_sentence(view, low, question)


def _drop_parts(
    low: str, statements: list[Statement], question: Question
) -> list[Statement]:
    """Return the statements without answers to one of several questions of the text.

    As in "Can it fly? No. Can it swim? Yes."
    """
    return [
        one
        for one in statements
        if one.rule not in _PART_RULES
        or one.answer not in ("yes", "no")
        or not limits.answers_parts(low, one.answer, question)
    ]


def _merge(statements: list[Statement], others: list[Statement]) -> list[Statement]:
    """Return English statements and those of other languages in order."""
    return sorted([*statements, *others], key=lambda statement: statement.start)


def _taking_back(
    view: str, formal: list[Statement], weak: list[Statement]
) -> list[Statement]:
    """Return the weak statement of the last sentence, if the text ends in one."""
    if not weak or p.has_words(view, weak[-1].end):
        return []
    return weak[-1:] if weak[-1].answer != formal[-1].answer else []


def _settle(
    view: str, low: str, statements: list[Statement], question: Question
) -> list[Statement]:
    """Return the statements, the last one without an answer if it is not the text's own.

    That is so if an invented next item may begin before it, if two statements of one
    sentence differ, if the text answers several questions in turn, one of them with yes
    and one with no, or if it says behind that the answer cannot be this one.
    """
    last = statements[-1]
    if (
        _are_parted_by_new_item(view, statements, question)
        or _differ_in_sentence(statements, question)
        or _answer_in_turn(low, statements, question)
        or (last.answer and ownership.is_ruled_out(low, last.answer, last.end))
    ):
        return [*statements[:-1], last._replace(answer=None, complete=True)]
    return statements


def _differ_in_sentence(statements: list[Statement], question: Question) -> bool:
    if len(statements) < 2:
        return False
    earlier, last = statements[-2:]
    if earlier.end < last.answer_start:
        return False
    return answers_differ((earlier.answer, last.answer), question)


def _answer_in_turn(low: str, statements: list[Statement], question: Question) -> bool:
    if question.kind is not QuestionKind.YES_NO or len(statements) < 2:
        return False
    earlier, last = statements[-2:]
    if not answers_differ((earlier.answer, last.answer), question):
        return False
    return limits.answers_in_turn(low, (earlier.start, last.start), question)


def _are_parted_by_new_item(
    view: str, statements: Sequence[Statement], question: Question
) -> bool:
    r"""Return whether a new item begins between two statements that differ.

    As in "…the answer is neutral.\n\nPremise: It rains.\n… the answer is entailment."
    """
    for earlier, later in itertools.pairwise(statements):
        if not answers_differ((earlier.answer, later.answer), question):
            continue
        item = _NEW_ITEM.match(view, earlier.end, later.start + 40)
        if item is None or item.end() > later.answer_start:
            continue
        if item["head"].lower().split()[0] not in _OWN_HEADS:
            return True
    return False


def _find_closing_sentence(view: str, low: str, question: Question) -> list[Statement]:
    """Return the only number of the last sentence, if that opens with "so" or the like."""
    if question.kind is not QuestionKind.NUMBER:
        return []
    opening = _SO.match(low, _last_sentence_start(view))
    if opening is None:
        return []
    value = READERS[QuestionKind.NUMBER](view[opening.end() :], question)
    if value is None or value.answer is None:
        return []
    value = value.shift(opening.end())
    rest = view[opening.end() : value.start] + view[value.end :]
    if any(char.isdigit() for char in rest):
        return []
    statement = to_statement(
        "closing_sentence", value, start=opening.start(), end=len(view)
    )
    return [statement]


def _last_sentence_start(view: str) -> int:
    """Return where the last sentence begins; the end if it is too long."""
    last_word = len(view.rstrip(p.EDGE + ".!?"))
    start = max(0, last_word - _LAST_CHARS)
    is_cut = start > 0
    for mark in p.SENTENCE_END.finditer(view, start, last_word):
        start = mark.end()
        is_cut = False
    return len(view) if is_cut else start
