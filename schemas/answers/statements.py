"""Where a teacher's text states an answer.

Offsets are into the text as `patterns.fold` and lower() leave it.
"""

import re
from collections.abc import Hashable, Iterable
from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import compared, normalise_text, number_value
from cotbuild.schemas.answers.readers import (
    READERS,
    ReadValue,
    opens_with_label,
    options_of,
)
from cotbuild.schemas.question import Question, QuestionKind

_MAX_CUES = 64  # at either end of the text: bounds the work on degenerate repeats
_REACH = 600  # characters read after a cue; more than the longest option of the five datasets


class Statement(NamedTuple):
    """A place where an answer is stated. Offsets into the teacher's turn."""

    start: int  # of its introduction ("So the answer")
    after: int  # behind the answer itself
    end: int  # of its sentence
    answer: str | None  # None: it says that there is no single one
    whole: bool


# --- where the teacher's own turn lies ---


def turn_end(low: str, question: Question) -> int:
    """Where run-on text begins: an invented next question, or a chat marker.

    Restating this question is no run-on.
    """
    marks = [mark for mark in islice(p.LOW_RUN_ON.finditer(low), 3) if mark.start()]
    if not marks:
        return len(low)
    own = " ".join(question.text.lower().split())[:40]
    said = " ".join(low[marks[0].end() : marks[0].end() + 120].strip(p.EDGE).split())
    if said.startswith(own) and not p.LOW_CUES[0].search(low, 0, marks[0].start()):
        marks = marks[1:]
    return marks[0].start() if marks else len(low)


def split_thought(text: str) -> tuple[str | None, str]:
    """What stands in <think> blocks, None where nothing does, and the text without
    them.

    A closing tag with none before it ends a thought that the chat template opened; one
    that never closes reaches to the end of the text.
    """
    marks = list(p.THINK.finditer(text)) if "<" in text else []
    if not marks:
        return None, text
    thoughts: list[str] = []
    rest: list[str] = []
    inside, start = marks[0][0].startswith("</"), 0
    for mark in marks:
        (thoughts if inside else rest).append(text[start : mark.start()])
        inside, start = not mark[0].startswith("</"), mark.end()
    (thoughts if inside else rest).append(text[start:])
    return "\n".join(thoughts).strip() or None, "\n".join(rest).strip()


# --- statements ---


def find_statements(
    view: str, low: str, question: Question, answer_first: bool, given: bool
) -> list[Statement]:
    """All answer statements in order; weaker forms count only where no strong one names
    an answer.

    With `given` the answer does not come from here, so a line of prose that reads as
    one ("house") is none.
    """
    stated = _cued(view, low, 0, question, p.LOW_CUES, answer_first)
    if answer_first and not (
        stated and question.kind is QuestionKind.TEXT
    ):  # any prose would do as a text's head
        head = _head(view, question)
        if (
            head
            and not (given and _is_prose(view, question))
            and not _lists_options(view, question)
        ):
            return [head, *(s for s in stated if s.start >= head.after)]
    if any(s.answer is not None for s in stated):
        return stated
    behind = max((s.end for s in stated), default=0)
    weak = _cued(
        view, low, behind, question, p.LOW_WEAK_CUES[question.kind], answer_first
    )
    if question.kind is QuestionKind.CHOICE:
        weak += _called_correct(view, low, behind, question)
    return sorted([*stated, *weak], key=_start) or _alone(view, question, given)


def _start(stated: Statement) -> int:
    return stated.start


def _cued(
    view: str,
    low: str,
    begin: int,
    question: Question,
    cues: tuple[re.Pattern[str], ...],
    answer_first: bool,
) -> list[Statement]:
    found = sorted(m.span() for cue in cues for m in cue.finditer(low, begin))
    found = found[:_MAX_CUES] if answer_first else found[-_MAX_CUES:]
    stated = []
    first: int | None = None
    for i, (start, pos) in enumerate(found):
        first = start if first is None else first
        if i + 1 < len(found) and _introduces(low[pos : found[i + 1][0]]):
            continue  # "Answer: The answer is B": the second one reads it
        value = READERS[question.kind](view[pos : pos + _REACH], question)
        if value is not None:
            stated.append(_statement(view, first, pos, value))
        first = None
    return stated


def _introduces(gap: str) -> bool:
    gap = gap.strip(p.EDGE) if len(gap) <= 40 else gap
    return not gap or (len(gap) <= 40 and p.LOW_LEAD.match(gap) is not None)


def _statement(view: str, start: int, pos: int, value: ReadValue) -> Statement:
    after = pos + value.end
    return Statement(
        start, after, p.sentence_end(view, after), value.answer, value.closed
    )


def _called_correct(
    view: str, low: str, begin: int, question: Question
) -> list[Statement]:
    """Letters called correct: "Option B is correct", "(B) is the best answer"."""
    stated = []
    for mark in islice(p.LOW_IS_CORRECT.finditer(low, begin), _MAX_CUES):
        name = p.LETTER_BEFORE.search(view, max(begin, mark.start() - 20), mark.start())
        value = name and READERS[question.kind](f"({name[1] or name[2]})", question)
        if name and value:
            stated.append(
                Statement(
                    name.start(),
                    mark.end(),
                    p.sentence_end(view, mark.end() - 1),
                    value.answer,
                    True,
                )
            )
    return stated


def _head(view: str, question: Question) -> Statement | None:
    """An answer that the text opens with, alone before its reason: "(B) because …",
    "Yes, …", "B. …".
    """
    clause = p.clause(view[:_REACH], 0)
    value = READERS[question.kind](clause, question)
    if value is None or value.answer is None:
        return None
    if question.kind is not QuestionKind.YES_NO and not _is_bare(
        clause, value, question.kind
    ):
        return None
    return Statement(
        0, value.end, len(clause), value.answer, value.closed or len(clause) < len(view)
    )


def _alone(view: str, question: Question, given: bool) -> list[Statement]:
    """Lines, or a first clause, that are nothing but an answer; none where they differ,
    as in a list of the options.
    """
    lines = list(p.LINE.finditer(view))
    kind = question.kind
    stated = []
    for line in (
        lines
        if len(lines) <= 2 * _MAX_CUES
        else [*lines[:_MAX_CUES], *lines[-_MAX_CUES:]]
    ):
        if given and _is_prose(line[0], question):
            continue
        value = READERS[kind](line[0][:_REACH], question)
        if value and value.answer is not None and _is_bare(line[0], value, kind):
            stated.append(
                Statement(
                    line.start(),
                    line.start() + value.end,
                    line.end(),
                    value.answer,
                    value.closed,
                )
            )
    if kind is QuestionKind.TEXT and len(lines) > 1:
        stated = []  # any short line of prose would do
    head = None if kind is QuestionKind.NUMBER else _head(view, question)
    if head and not stated:
        labelled = kind is QuestionKind.CHOICE and opens_with_label(view, question)
        if kind is QuestionKind.YES_NO or (labelled and p.REASON.match(view, head.end)):
            stated = [head]
    return [] if differ((s.answer for s in stated), question) else stated


def _is_prose(line: str, question: Question) -> bool:
    """Whether a line that could be an answer opens with neither a choice's label nor
    yes or no.
    """
    if question.kind is QuestionKind.CHOICE:
        return not opens_with_label(line, question)
    return question.kind is not QuestionKind.YES_NO


def _lists_options(view: str, question: Question) -> bool:
    """Whether several lines open with labels: a list of the options, not an answer."""
    if question.kind is not QuestionKind.CHOICE:
        return False
    labels = options_of(question).labels
    return (
        len({labels.get(m[1].casefold()) for m in p.LINE_LABEL.finditer(view)} - {None})
        > 1
    )


def _is_bare(line: str, value: ReadValue, kind: QuestionKind) -> bool:
    rest = line[value.end :]
    if kind is QuestionKind.TEXT:
        return (
            len(line.split()) <= 8
            and not p.LOW_REFUSAL.match(line.lower())
            and not rest.strip(p.EDGE + ".!")
        )
    if kind is QuestionKind.NUMBER:
        words = rest.strip(p.EDGE + ".%").split()
        return (
            p.NUMBER_LINE.match(line) is not None
            and len(words) <= 2
            and all(w.isalpha() for w in words)
        )
    return not rest.strip(p.EDGE + ".,;!")


def differ(answers: Iterable[str | None], question: Question) -> bool:
    """Whether more than one answer is among them; letters with the same option text are
    one, as are 12 and 12.0.
    """
    said = {answer for answer in answers if answer is not None}
    return len(said) > 1 and len({_meaning(answer, question) for answer in said}) > 1


def _meaning(answer: str, question: Question) -> Hashable:
    match question.kind:
        case QuestionKind.CHOICE:
            return options_of(question).texts.get(answer)
        case QuestionKind.NUMBER:
            return number_value(answer) or compared(answer)
        case _:
            return normalise_text(answer)
