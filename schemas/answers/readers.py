"""Read one answer at one place of a text, such as what follows "The answer is".

There is one reader for each kind of question. What is bounded by marks is read as a
whole. Pure.
"""

from collections.abc import Callable

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.choice_readers import read_choice
from cotbuild.schemas.answers.plain_readers import (
    read_bounded_text,
    read_no_single_text,
    read_number,
    read_text,
    read_yes_no,
)
from cotbuild.schemas.answers.read_value import ReadValue
from cotbuild.schemas.answers.stated_numbers import read_bounded_stated_number
from cotbuild.schemas.question import Question, QuestionKind

READERS: dict[QuestionKind, Callable[[str, Question], ReadValue | None]] = {
    QuestionKind.CHOICE: read_choice,
    QuestionKind.YES_NO: read_yes_no,
    QuestionKind.NUMBER: read_number,
    QuestionKind.TEXT: read_text,
}


def read_bounded(
    content: str, question: Question, *, maths: bool = False, whole: bool = False
) -> ReadValue | None:
    """Read a value that is all of `content`: a box, a tag, a line, a cell.

    Several lines, or several numbers, are one text and no number. `maths` says that it
    is LaTeX, as in a box; `whole` that a number stands alone, and not in a sentence.
    """
    match question.kind:
        case QuestionKind.TEXT:
            no_single = read_no_single_text(content, question)
            return no_single or read_bounded_text(content, maths=maths)
        case QuestionKind.NUMBER:
            return read_bounded_stated_number(content, maths=maths, whole=whole)
        case _:
            value = READERS[question.kind](content, question)
            return value._replace(complete=True) if value else None


def read_option_before(
    text: str, start: int, end: int, question: Question
) -> ReadValue | None:
    """Read the answer that ends at `end`: "Option B" of "Option B is correct".

    It is a label behind "option" or in brackets, a lone capital, or all that stands
    between `start` and `end`, words that lead over to it aside.
    """
    kind = question.kind
    if kind is QuestionKind.CHOICE:
        name = p.LETTER_BEFORE.search(text, max(start, end - 20), end)
        if name is not None:
            group = name.lastindex or 0
            value = READERS[kind](f"({name[group]})", question)
            if value is None or value.answer is None:
                return value
            return ReadValue(value.answer, *name.span(group), complete=True)
    low = text[start:end].lower()
    lead = p.LOW_CLAUSE_LEAD.match(low)
    start += lead.end() if lead else 0
    value = READERS[kind](text[start:end], question)
    if value is None or text[start + value.end : end].strip(p.EDGE + "."):
        return None
    if text[start : start + value.start].strip(p.EDGE):
        return None
    return value.shift(start)._replace(complete=True)
