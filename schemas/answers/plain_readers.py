"""Read yes or no, a number or a short text at one place of a text. Pure."""

from cotbuild.schemas.answers import numbers
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import is_correct
from cotbuild.schemas.answers.language_detection import match_yes_no, stands_alone
from cotbuild.schemas.answers.list_marks import read_list_item
from cotbuild.schemas.answers.read_value import ReadValue, read_no_single, skip
from cotbuild.schemas.answers.wrappers import (
    is_whole_clause,
    match_wrapped,
    strip_wrappers,
)
from cotbuild.schemas.question import Question


def read_yes_no(text: str, question: Question) -> ReadValue | None:
    """Read yes, no, true or false, in any language that the text or question is in."""
    start = skip(p.OPENING, text, 0)
    if in_language := match_yes_no(text, start, question):
        answer, end = in_language
        return ReadValue(answer, start, end, complete=end < len(text))
    found = p.YES_NO.match(text, start)
    if found is None or not stands_alone(text, found.end(), question):
        return read_no_single(text, start)
    answer = "yes" if found["yes"] else "no"
    return ReadValue(answer, *found.span(), complete=found.end() < len(text))


# --- numbers ---


def read_number(text: str, question: Question) -> ReadValue | None:  # noqa: ARG001
    """Read the number that follows, the one after the last "=", or the clause's only one.

    A range ("3 or 4"), an expression (2√3) and several items of a list are no single
    answer.
    """
    if item := read_list_item(text):
        if item.has_others:
            return ReadValue(None, item.start, item.end, complete=True)
        text = item.text
    start = skip(p.NUMBER_OPENING, text, 0)
    if no_single := read_no_single(text, start):
        return no_single
    reading = numbers.read_number(text)
    if reading is None:
        return None
    return ReadValue(reading.plain, reading.start, reading.end, reading.complete)


def read_bounded_number(text: str, *, maths: bool = False) -> ReadValue | None:
    """Read the number that is all that a bounded value says: a box, a tag, a field.

    Words such as a unit may follow it, or a sentence may hold it as its only number;
    any other content is None. `maths` says that the text is LaTeX, as in a box.
    """
    if whole := read_whole_number(text, maths=maths):
        return whole
    reading = numbers.read_number_of_prose(text)
    if reading is None or reading.plain is None:
        return None
    return ReadValue(reading.plain, reading.start, reading.end, complete=True)


def read_whole_number(text: str, *, maths: bool = False) -> ReadValue | None:
    """Read a number that stands alone, words such as a unit aside; not in a sentence."""
    whole = numbers.read_whole_number(text, maths=maths, with_words=True)
    if whole is None:
        return None
    return ReadValue(whole.plain, whole.start, whole.end, complete=True)


# --- texts ---


def read_text(text: str, question: Question) -> ReadValue | None:
    """Read what follows, to the end of its clause or of what it is set in."""
    if no_single := read_no_single_text(text, question):
        return no_single
    start = skip(p.TEXT_LEAD, text, 0)
    wrapped = match_wrapped(text, start)
    if wrapped is not None and is_whole_clause(text, wrapped):
        stop = wrapped.after
    else:
        stop = start + len(p.clause(text, start))
        tag = p.TAG.search(text, start, stop)
        stop = tag.start() if tag else stop
    found = read_bounded_text(text[:stop], start)
    if found is None:
        return None
    return found._replace(complete=bool(text[stop:].strip()))


def read_bounded_text(
    text: str, start: int = 0, *, maths: bool = False
) -> ReadValue | None:
    """Read all of `text` from `start` on, without what it is set in.

    In maths "!" is a factorial, and no final mark.
    """
    final_marks = ".,;" if maths else ".,;!?\u3002"
    start, end = strip_wrappers(text, start, len(text), final_marks=final_marks)
    if start >= end or text[start:] in p.OPENING_BRACKETS:
        return None  # "[" alone is cut short
    if not text[start:end].strip("_*-. "):
        return None  # a blank to fill in
    return ReadValue(text[start:end], start, end, complete=True)


def read_no_single_text(text: str, question: Question) -> ReadValue | None:
    """Read that there is no single answer, unless the words for it are the answer."""
    no_single = read_no_single(text, skip(p.TEXT_OPENING, text, 0))
    if no_single is None or _is_whole_word(text, no_single, question):
        return None
    return no_single


def _is_whole_word(text: str, no_single: ReadValue, question: Question) -> bool:
    """Return whether "both", "none" or "neither" is the whole answer, as it may be.

    Other words, such as "unknown", may if they are a target.
    """
    clause = p.clause(text, no_single.start)
    if is_correct(clause.strip(p.EDGE + ".,;!?"), question):
        return True
    word = text[no_single.start : no_single.end].lower()
    if word not in p.NAMED_NONE:
        return False
    return p.CLAUSE_ENDS.match(text, no_single.end) is not None
