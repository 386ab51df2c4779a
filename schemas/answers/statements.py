"""Find where a teacher's text states an answer. Pure.

Texts are passed as `patterns.fold` leaves them, and a second time in lower case; both
have the length of the original, so offsets hold in all three.
"""

from collections import deque
from itertools import islice, zip_longest
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import answers_differ, option_table
from cotbuild.schemas.answers.language_statements import (
    LanguageStatement,
    find_language_statements,
    find_weak_language_statements,
)
from cotbuild.schemas.answers.readers import (
    READERS,
    ReadValue,
    opens_with_label,
)
from cotbuild.schemas.question import Question, QuestionKind

_MAX_CUES = 64
"""Cues read at either end of a text, which bounds the work on degenerate repeats."""
_READ_CHARS = 600
"""Characters read after a cue: more than the longest option of the five datasets."""
_INTRODUCTION_CHARS = 40


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


def find_statements(
    view: str, low: str, question: Question, answer_first: bool, given: bool
) -> list[Statement]:
    """Return every answer statement in order.

    `view` is the folded text, `low` the same in lower case. Weaker forms count only if
    no strong one names an answer. With `given` the answer comes from elsewhere, so a
    line of prose that reads as one ("house") is no statement.
    """
    cued = _find_cued(view, low, 0, question, p.LOW_CUES, answer_first)
    cued = _merge(view, cued, find_language_statements(view, low, question))
    if answer_first:
        opening = _find_opening(view, question, cued, given)
        if opening is not None:
            after = [one for one in cued if one.start >= opening.answer_end]
            return [opening, *after]
    if any(statement.answer is not None for statement in cued):
        return cued
    begin = max((statement.end for statement in cued), default=0)
    weak_cues = p.LOW_WEAK_CUES[question.kind]
    weak = _find_cued(view, low, begin, question, weak_cues, answer_first)
    if question.kind is QuestionKind.CHOICE:
        weak += _find_called_correct(view, low, begin, question)
    weak_in_language = find_weak_language_statements(view, low, begin, question)
    statements = _merge(view, [*cued, *weak], weak_in_language)
    return statements or _find_bare_answers(view, question, given)


def _merge(
    view: str, statements: list[Statement], others: list[LanguageStatement]
) -> list[Statement]:
    """Return English statements and those of other languages in order."""
    merged = list(statements)
    for other in others:
        merged.append(
            Statement(
                rule=other.rule,
                start=other.start,
                answer_start=other.answer_start,
                answer_end=other.answer_end,
                end=p.sentence_end(view, other.answer_end),
                answer=other.answer,
                complete=other.complete,
            )
        )
    return sorted(merged, key=lambda statement: statement.start)


def _find_cued(
    view: str,
    low: str,
    begin: int,
    question: Question,
    cues: tuple[p.Cue, ...],
    answer_first: bool,
) -> list[Statement]:
    """Return the statements that follow one of `cues`, such as "the answer is"."""
    spans = sorted(
        (*match.span(), cue.rule)
        for cue in cues
        for match in cue.pattern.finditer(low, begin)
    )
    spans = spans[:_MAX_CUES] if answer_first else spans[-_MAX_CUES:]
    next_starts = [start for start, _, _ in spans[1:]]
    statements = []
    first: int | None = None
    for (start, end, rule), next_start in zip_longest(spans, next_starts):
        first = start if first is None else first
        if next_start is not None and _is_introduction(low[end:next_start]):
            continue  # "Answer: The answer is B" is read at the second cue
        value = READERS[question.kind](view[end : end + _READ_CHARS], question)
        if value is not None:
            answer_end = end + value.end
            statements.append(
                Statement(
                    rule=rule,
                    start=first,
                    answer_start=end + value.start,
                    answer_end=answer_end,
                    end=p.sentence_end(view, answer_end),
                    answer=value.answer,
                    complete=value.complete,
                )
            )
        first = None
    return statements


def _is_introduction(gap: str) -> bool:
    """Return whether the text between two cues only leads over to the second."""
    if len(gap) > _INTRODUCTION_CHARS:
        return False
    gap = gap.strip(p.EDGE)
    return not gap or p.LOW_LEAD.match(gap) is not None


def _find_called_correct(
    view: str, low: str, begin: int, question: Question
) -> list[Statement]:
    """Return the letters called correct: "Option B is correct", "(B) is the best"."""
    statements = []
    for mark in islice(p.LOW_IS_CORRECT.finditer(low, begin), _MAX_CUES):
        window_start = max(begin, mark.start() - 20)
        name = p.LETTER_BEFORE.search(view, window_start, mark.start())
        if name is None:
            continue
        value = READERS[question.kind](f"({name[1] or name[2]})", question)
        if value is not None:
            statements.append(
                Statement(
                    rule="called_correct",
                    start=name.start(),
                    answer_start=name.start(name.lastindex or 0),
                    answer_end=name.end(name.lastindex or 0),
                    end=p.sentence_end(view, mark.end() - 1),
                    answer=value.answer,
                    complete=True,
                )
            )
    return statements


def _find_opening(
    view: str, question: Question, cued: list[Statement], given: bool
) -> Statement | None:
    """Return the answer that an answer-first text opens with, if it is no prose."""
    if cued and question.kind is QuestionKind.TEXT:
        return None  # any prose would do as the answer of a text question
    head = _read_head(view, question)
    if head is None or _lists_options(view, question):
        return None
    return None if given and _is_prose(view, question) else head


def _read_head(view: str, question: Question) -> Statement | None:
    """Return the answer that stands alone before its reason at the start of the text.

    Such as "(B) because …", "Yes, …" or "B. …".
    """
    clause = p.clause(view[:_READ_CHARS], 0)
    value = READERS[question.kind](clause, question)
    if value is None or value.answer is None:
        return None
    yes_no = question.kind is QuestionKind.YES_NO
    if not yes_no and not _is_bare(clause, value, question.kind):
        return None
    return Statement(
        rule="opening",
        start=0,
        answer_start=value.start,
        answer_end=value.end,
        end=len(clause),
        answer=value.answer,
        complete=value.complete or len(clause) < len(view),
    )


def _find_bare_answers(view: str, question: Question, given: bool) -> list[Statement]:
    """Return the lines, or the first clause, that are nothing but an answer.

    None of them counts if they differ, as in a list of the options.
    """
    statements = _read_bare_lines(view, question, given)
    if not statements:
        head = _read_bare_head(view, question)
        return [head] if head else []
    if answers_differ((statement.answer for statement in statements), question):
        return []
    return statements


def _read_bare_lines(view: str, question: Question, given: bool) -> list[Statement]:
    matches = p.LINE.finditer(view)
    first_lines = list(islice(matches, _MAX_CUES))
    # Of a long text only the last lines are kept: a match is larger than a short line.
    last_lines = deque(matches, maxlen=_MAX_CUES)
    lines = [*first_lines, *last_lines]
    if question.kind is QuestionKind.TEXT and len(lines) > 1:
        return []  # any short line of prose would do
    statements = []
    for line in lines:
        if given and _is_prose(line[0], question):
            continue
        value = READERS[question.kind](line[0][:_READ_CHARS], question)
        if value is None or value.answer is None:
            continue
        if _is_bare(line[0], value, question.kind):
            statements.append(
                Statement(
                    rule="lone_line",
                    start=line.start(),
                    answer_start=line.start() + value.start,
                    answer_end=line.start() + value.end,
                    end=line.end(),
                    answer=value.answer,
                    complete=value.complete,
                )
            )
    return statements


def _read_bare_head(view: str, question: Question) -> Statement | None:
    """Return a first clause that is yes, no, or a label that a reason follows."""
    if question.kind not in (QuestionKind.YES_NO, QuestionKind.CHOICE):
        return None
    head = _read_head(view, question)
    if head is None or question.kind is QuestionKind.YES_NO:
        return head
    has_reason = p.REASON.match(view, head.end) is not None
    return head if has_reason and opens_with_label(view, question) else None


def _is_prose(line: str, question: Question) -> bool:
    """Return whether a line opens with neither a choice's label nor yes or no."""
    if question.kind is QuestionKind.CHOICE:
        return not opens_with_label(line, question)
    return question.kind is not QuestionKind.YES_NO


def _lists_options(view: str, question: Question) -> bool:
    """Return whether several lines open with labels: a list of the options."""
    if question.kind is not QuestionKind.CHOICE:
        return False
    labels = option_table(question).labels
    openings = {
        labels.get(match[1].casefold()) for match in p.LINE_LABEL.finditer(view)
    }
    return len(openings - {None}) > 1


def _is_bare(line: str, value: ReadValue, kind: QuestionKind) -> bool:
    """Return whether a line holds nothing but the answer `value`."""
    rest = p.TAG.sub("", line[value.end :])
    if kind is QuestionKind.TEXT:
        is_short = len(line.split()) <= 8
        is_refusal = p.LOW_REFUSAL.match(line.lower()) is not None
        return is_short and not is_refusal and not rest.strip(p.EDGE + ".,;!。")
    if kind is QuestionKind.NUMBER:
        units = rest.strip(p.EDGE + ".%。").split()
        has_unit_only = len(units) <= 2 and all(unit.isalpha() for unit in units)
        return p.NUMBER_LINE.match(line) is not None and has_unit_only
    return not rest.strip(p.EDGE + ".,;!。")
