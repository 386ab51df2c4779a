"""Find where a teacher's text states an answer, by the table of `rules`. Pure.

Texts are passed as `folding.fold` leaves them, and a second time in lower case; both
have the length of the original, so offsets hold in all three.
"""

import re
from collections.abc import Sequence
from itertools import islice, zip_longest

from cotbuild.schemas.answers import doubts, limits, ownership
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import answers_differ
from cotbuild.schemas.answers.cue_values import Cue, ends_bold, read_value
from cotbuild.schemas.answers.read_value import ReadValue
from cotbuild.schemas.answers.readers import read_option_before
from cotbuild.schemas.answers.rule import Bound, Rule, Strength
from cotbuild.schemas.answers.rules import select_rules_for_text
from cotbuild.schemas.answers.statement import Statement, to_statement
from cotbuild.schemas.question import Question, QuestionKind

_MAX_CUES = 64
"""Cues read at either end of a text, which bounds the work on degenerate repeats."""
_BEFORE_CHARS = 200
"""Characters read before a cue that the answer stands before."""
_INTRODUCTION_CHARS = 40
_TEXT_COMMAND = re.compile(r"\\(?:text[a-z]{0,2}|math[a-z]{1,4}|mbox) ?\{")
_CLAUSE_START = re.compile(r"[.!?;:,\n](?=[\s\"'*(])|\n")


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
    statements = _without_headings(statements, question)
    return sorted(statements, key=lambda statement: statement.start)


def _without_headings(
    statements: list[Statement], question: Question
) -> list[Statement]:
    """Return the statements without the headings of a text that takes option by option.

    Behind "####" stand the answer, or "Option (A):" and then "Option (B):".
    """
    if question.kind is not QuestionKind.CHOICE:
        return statements
    marked = [one for one in statements if one.rule == "hash_marks"]
    if not answers_differ((one.answer for one in marked), question):
        return statements
    return [one for one in statements if one.rule != "hash_marks"]


def _find_cues(low: str, begin: int, rules: Sequence[Rule]) -> list[Cue]:
    lines = "\n" + low  # the first line begins with a line break, too
    cues = []
    for rule in rules:
        for pattern in rule.cues:
            if pattern.pattern.startswith(r"\n"):
                for match in pattern.finditer(lines, begin):
                    cues.append(Cue(max(0, match.start() - 1), match.end() - 1, rule))
            else:
                for match in pattern.finditer(low, begin):
                    cues.append(Cue(*match.span(), rule))
    return sorted(cues, key=lambda cue: (cue.start, cue.end))


def _leads_over(low: str, cue: Cue, following: Cue) -> bool:
    """Return whether the text between two cues only leads over to the second."""
    gap = low[cue.end : following.start]
    if len(gap) > _INTRODUCTION_CHARS:
        return False
    gap = _TEXT_COMMAND.sub("", gap).strip(p.EDGE)
    return not gap or p.LOW_LEAD.match(gap) is not None


def _read_cue(
    view: str, low: str, cue: Cue, start: int, question: Question
) -> Statement | None:
    """Read the answer that a cue introduces; None if it states nothing.

    `start` is where the introduction begins.
    """
    if _is_doubtful(view, low, cue, question):
        return None
    value = read_value(view, low, cue, question)
    if value is None:
        return None
    if value.answer is not None:
        if not _is_given(view, low, cue, value, question):
            return None
        if _is_withdrawn(low, value.answer, value.end, question):
            value = value._replace(answer=None)
    end = p.sentence_end(view, value.end)
    if cue.rule.last and p.has_words(view, end):
        return None
    return to_statement(cue.rule.id, value, start=start, end=end)


def _is_doubtful(view: str, low: str, cue: Cue, question: Question) -> bool:
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
    if ownership.is_of_another(low, cue.start, cue.end, question):
        return True
    if is_open and ownership.is_opinion(low, cue.start):
        return True
    return doubts.is_denied(before) or doubts.is_remark(low, cue.start, cue.end)


def _is_given(
    view: str, low: str, cue: Cue, value: ReadValue, question: Question
) -> bool:
    """Return whether a cue gives its value as the answer.

    It does not where the value is denied, only counts something out, is asked for or
    supposed, or where the clause goes on behind it.
    """
    kind = question.kind
    if doubts.is_denied_value(low, cue.end):
        return False
    if kind is QuestionKind.NUMBER and doubts.is_ordinal(low, cue.end, value.start):
        return False
    is_asked = doubts.is_asked(low, value.end)
    if is_asked and not _may_end_in_question(value, question):
        return False
    is_closed = doubts.is_closed(low, value.end, kind) or ends_bold(view, value)
    if cue.rule.closes and not is_closed:
        return False
    # "The answer would be B if it were dry"
    is_supposed = low.endswith("would be", cue.start, cue.end)
    return not (is_supposed and doubts.has_condition_behind(low, value.end))


def _is_withdrawn(low: str, answer: str, end: int, question: Question) -> bool:
    """Return whether what follows an answer that ends at `end` takes it back or limits it."""
    if doubts.is_revised(low, end):
        return True
    if question.kind is not QuestionKind.YES_NO:
        return False
    return limits.holds_in_one_case(low, answer, end) or limits.is_limited(
        low, end, question
    )


def _may_end_in_question(value: ReadValue, question: Question) -> bool:
    """Return whether the question mark behind a value may be its own."""
    if question.kind is QuestionKind.TEXT:
        return True
    return any(
        choice.label == value.answer and choice.text.rstrip().endswith("?")
        for choice in question.choices
    )


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
        statement = to_statement(rule.id, value, start=value.start, end=end)
        statements.append(statement)
    return statements
