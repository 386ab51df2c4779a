"""Find the lines and openings that are nothing but an answer, without a cue. Pure."""

import re
from collections import deque
from itertools import islice

from cotbuild.schemas.answers import limits
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.choice_readers import opens_with_label, read_named_option
from cotbuild.schemas.answers.compare import answers_differ, option_table
from cotbuild.schemas.answers.list_marks import blank_bullet
from cotbuild.schemas.answers.read_value import ReadValue
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.answers.statement import Statement, to_statement
from cotbuild.schemas.question import Question, QuestionKind

_MAX_LINES = 64
"""Lines read at either end of a text, which bounds the work on degenerate repeats."""
_READ_CHARS = 600
_CLASSES = (
    "entailment neutral contradiction entailed contradictory positive negative mixed "
    "true false yes no maybe unknown uncertain undetermined supported refuted "
    "supports refutes acceptable unacceptable duplicate irrelevant relevant moral "
    "immoral hateful offensive sarcastic spam ham plausible implausible"
)
_CLASS_NAMES = frozenset(_CLASSES.split())
"""Options that name a class and open no prose: "neutral the cat may be awake"."""
_GOES_ON = re.compile(
    r"[ ](?:is|are|was|were|and|or|but|means|would|could|can|may|has|have|statements?"
    r"|relations?|hypothesis|premise|if|when|options?|answers?)\b",
    re.IGNORECASE,
)
_AFTER_NAME = re.compile(r"[*_)\]\"']{0,4} ?[:;] ?(?=\S)")
_AFTER_MARKED_NAME = re.compile(r"[*_)\]\"']{1,4} (?=[^\W\d_])")
_EQUATION = re.compile(r"[^\w\n]*(?:(?:[\d.,()+*/^$£€¥%{}\\-]| (?:x )?)*+=)?[^\w\n]*")
_ITEM = re.compile(r"[ \t>]*+[-+*\u2022] ")
_BOLD_LINE = re.compile(r"[ >#-]{0,4}\*\*([^*\n]{1,80}[^*\n:])\*\*[.!]?\s*")


def find_opening(
    view: str, question: Question, cued: list[Statement], given: bool
) -> Statement | None:
    """Return the answer that an answer-first text opens with, if it is no prose."""
    if cued and question.kind is QuestionKind.TEXT:
        return None  # any prose would do as the answer of a text question
    head = _read_head(view, question) or _read_class_name(view, question)
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
    if yes_no and limits.holds_in_one_case(view.lower(), value.answer, value.end):
        return None
    if not yes_no and not _is_bare(clause, value, question.kind):
        return None
    return _opening(value, len(clause), value.complete or len(clause) < len(view))


def _read_class_name(view: str, question: Question) -> Statement | None:
    """Return the option that a text opens with, set off by a colon or by nothing.

    "neutral: it may be", "neutral the cat may be awake". Without a mark the options must
    be names of classes.
    """
    if question.kind is not QuestionKind.CHOICE:
        return None
    value = read_named_option(view[:_READ_CHARS], question)
    if value is None or _lists_options(view, question):
        return None
    if mark := _AFTER_NAME.match(view, value.end):
        if _weighs_options(view, question):
            return None
        return _opening(value, mark.end(), complete=True)
    names = option_table(question).texts.values()
    if view[0] in '([*_"' and (mark := _AFTER_MARKED_NAME.match(view, value.end)):
        goes_on = _GOES_ON.match(view, mark.end() - 1)
        return None if goes_on else _opening(value, mark.end(), complete=True)
    are_classes = all(name in _CLASS_NAMES for name in names)
    if are_classes and view[value.end : value.end + 1] == " ":
        goes_on = _GOES_ON.match(view, value.end)
        return None if goes_on else _opening(value, value.end, complete=True)
    return None


def _weighs_options(view: str, question: Question) -> bool:
    """Return whether several options stand before a colon: each is looked at in turn."""
    folded = view.casefold()
    names = set(option_table(question).texts.values())
    return sum(f"{name}:" in folded for name in names) > 1


def _opening(value: ReadValue, end: int, complete: bool) -> Statement:
    value = value._replace(complete=complete)
    return to_statement("opening", value, start=0, end=end)


def find_lone_answers(view: str, question: Question, given: bool) -> list[Statement]:
    """Return the lines, or the first clause, that are nothing but an answer.

    None of them counts if they differ, as in a list of the options.
    """
    statements = _read_lone_lines(view, question, given)
    if not statements:
        head = _read_lone_head(view, question, given)
        return [head] if head else []
    if answers_differ((statement.answer for statement in statements), question):
        return []
    return statements


def _read_lone_lines(view: str, question: Question, given: bool) -> list[Statement]:
    lines = _outer_lines(view)
    if question.kind is QuestionKind.NUMBER:
        lines = [*_drop_steps(lines), *lines[-1:]]
    if question.kind is QuestionKind.TEXT and len(lines) > 1:
        # Any short line of prose would do, a bold one would not.
        lines = [line for line in lines[-1:] if _BOLD_LINE.fullmatch(line[0])]
    statements = []
    for line in lines:
        if given and _is_prose(line[0], question):
            continue
        text = line[0]
        if question.kind is QuestionKind.NUMBER:
            text = blank_bullet(text)
        value = READERS[question.kind](text[:_READ_CHARS], question)
        if value is None or value.answer is None:
            continue
        if _is_bare(text, value, question.kind):
            start, end = line.span()
            value = value.shift(start)
            statements.append(to_statement("lone_line", value, start=start, end=end))
    if question.kind is QuestionKind.NUMBER and statements:
        is_last = statements[-1].start == lines[-1].start()
        return statements if is_last else []
    return statements


def _drop_steps(lines: list[re.Match[str]]) -> list[re.Match[str]]:
    """Return the lines before the last that are no step of a chain.

    An equation is one, and so is an item of a list that the last line does not go on.
    """
    if not lines:
        return []
    kept = [line for line in lines[:-1] if "=" not in line[0]]
    if _ITEM.match(lines[-1][0]):
        return kept
    return [line for line in kept if not _ITEM.match(line[0])]


def _outer_lines(view: str) -> list[re.Match[str]]:
    """Return the first and last lines that say anything; all of a text that has few."""
    matches = (line for line in p.LINE.finditer(view) if p.WORD.search(line[0]))
    first_lines = list(islice(matches, _MAX_LINES))
    # Of a long text only the last lines are kept: a match is larger than a short line.
    last_lines = deque(matches, maxlen=_MAX_LINES)
    return [*first_lines, *last_lines]


def _read_lone_head(view: str, question: Question, given: bool) -> Statement | None:
    """Return a first clause that is yes, no, or a label that a reason follows."""
    if question.kind not in (QuestionKind.YES_NO, QuestionKind.CHOICE):
        return None
    head = _read_head(view, question)
    if question.kind is QuestionKind.YES_NO:
        return head
    if head is not None:
        has_reason = p.REASON.match(view, head.end) is not None
        return head if has_reason and opens_with_label(view, question) else None
    return None if given else _read_class_name(view, question)


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
        low = line.lower()
        is_refusal = p.LOW_REFUSAL.match(low) is not None or "answer is" in low
        return is_short and not is_refusal and not rest.strip(p.EDGE + ".,;!\u3002")
    if kind is QuestionKind.NUMBER:
        units = rest.strip(p.EDGE + ".%\u3002").split()
        has_unit_only = len(units) <= 2 and all(unit.isalpha() for unit in units)
        # "18 + w = 60" has an unknown.
        has_no_unknown = _EQUATION.fullmatch(line, 0, value.start) is not None
        starts_with_number = p.NUMBER_LINE.match(line) is not None
        return starts_with_number and has_unit_only and has_no_unknown
    return not rest.strip(p.EDGE + ".,;!\u2705\u2714\ufe0f\u3002")
