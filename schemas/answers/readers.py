"""Read one answer at one place of a text, such as what follows "The answer is".

There is one reader for each kind of question. Pure.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import numbers
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import (
    UNCOMPARED,
    OptionTable,
    casefold_word,
    is_correct,
    option_table,
)
from cotbuild.schemas.answers.language_patterns import match_yes_no, stands_alone
from cotbuild.schemas.answers.wrappers import (
    is_whole_clause,
    match_wrapped,
    strip_wrappers,
)
from cotbuild.schemas.question import Question, QuestionKind

_SIGNS = "-+±√"
_FIRST_MARKS = _SIGNS + "(["
"""What may be the first character of an option, before its first word."""


class ReadValue(NamedTuple):
    """An answer read at one place of a text.

    A reader returns None instead if the place says nothing about an answer.
    """

    answer: str | None
    """None: the place says that there is no single answer."""
    start: int
    end: int
    """The span of the value in the text read."""
    complete: bool
    """Whether the text would say the same if it were cut directly after it."""


class _NamedOption(NamedTuple):
    """An option that a text names by its label or by its words."""

    label: str
    start: int
    end: int


class _Word(NamedTuple):
    word: str
    """Case-folded."""
    start: int
    end: int


# --- choices ---


def read_choice(text: str, question: Question) -> ReadValue | None:
    """Read a label, an option's text, or both.

    Several options, or a label next to another option's text, are no single answer.
    """
    options = option_table(question)
    start = _skip(p.OPENING, text, 0)
    if lettered := _read_label(text, start, options):
        label, start, end = lettered
        complete = end < len(text) or text[-1] != "a"
        beside = _read_option_text(text, _skip(p.BESIDE, text, end), options)
        if beside and options.texts[beside.label] == options.texts[label]:
            end = beside.end
        elif beside and _belongs_to_label(text, end, beside):
            return ReadValue(None, start, beside.end, complete=True)
    elif named := _read_option_text(text, start, options):
        label, start, end = named
        complete = end < len(text)
    else:
        return _read_no_single(text, start)
    if p.DENIED.match(text, end):
        return None  # "The answer is B: air heads is incorrect"
    if _names_another(text, end, label, options):
        return ReadValue(None, start, end, complete=True)
    if _continues_a_list(text, end, label, options):
        return None  # "Choose the correct answer: A) ice B) rain"
    return ReadValue(label, start, end, complete)


def opens_with_label(text: str, question: Question) -> bool:
    """Return whether a choice's label comes first.

    "The train is faster because …" opens with an option's text, not with a label.
    """
    start = _skip(p.OPENING, text, 0)
    return _read_label(text, start, option_table(question)) is not None


def _read_label(text: str, start: int, options: OptionTable) -> _NamedOption | None:
    """Read a choice's label at `start`.

    None if it reads as a word or part of a number: "A", "I", the 1 of 1.5.
    """
    found = p.LABEL.match(text, start)
    if found is None:
        return None
    label = options.labels.get(found[0].casefold())
    end = found.end()
    goes_on_text = found[0].isalpha()
    goes_on = p.LETTER_GOES_ON if goes_on_text else p.NUMBER_GOES_ON
    if label is None:
        return None
    if text.startswith(("+", "#", "^"), end):
        return None  # C++
    if found[0].islower() and any(
        option.end > end for option in _read_exact_options(text, start, options)
    ):
        return None  # the a of the option a - b
    if goes_on.match(text, end):
        # "C.60" names C where its text is 60, and 1.5 is no label.
        beside = _read_option_text(text, end + 1, options) if goes_on_text else None
        is_own = beside and options.texts[beside.label] == options.texts[label]
        return _NamedOption(label, start, end) if is_own else None
    is_letter = found[0].isupper() and found[0] not in ("A", "I")
    if is_letter or p.AFTER_LETTER.match(text, end):
        return _NamedOption(label, start, end)
    beside = _read_option_text(text, end, options)
    if beside is None or beside.label != label:
        return None
    return _NamedOption(label, start, end)


def _read_option_text(
    text: str, start: int, options: OptionTable
) -> _NamedOption | None:
    """Read the option whose whole text is at `start` and ends a phrase."""
    named = _match_option_text(text, start, options)
    return named if named and p.AFTER_OPTION.match(text, named.end) else None


def _match_option_text(
    text: str, start: int, options: OptionTable
) -> _NamedOption | None:
    """Match the option whose whole text is at `start`, the longest if several are.

    None if options of different texts reach equally far.
    """
    fitting = [
        *_read_exact_options(text, start, options),
        *_read_option_words(text, start, options),
    ]
    if not fitting:
        return None
    longest = max(fitting, key=lambda named: (named.end, -named.start))
    spans = [named for named in fitting if named[1:] == longest[1:]]
    texts = {options.texts[named.label] for named in spans}
    return longest if len(texts) == 1 else None


def _read_option_words(
    text: str, start: int, options: OptionTable
) -> Iterator[_NamedOption]:
    """Yield the options whose words are those at `start`."""
    first = next(_tokens(text, start), None)
    if first is None or first.word not in options.first_words:
        return
    if first.word[0].isdigit() and text[max(0, first.start - 1)] in _SIGNS:
        return  # -5 for the option 5
    tokens = list(islice(_tokens(text, start), options.max_words))
    words = [token.word for token in tokens]
    for label, option in options.words.items():
        if label in options.exact or words[: len(option)] != option:
            continue
        yield _NamedOption(label, first.start, tokens[len(option) - 1].end)


def _read_exact_options(
    text: str, start: int, options: OptionTable
) -> Iterator[_NamedOption]:
    """Yield the options whose characters are those at `start`."""
    for label, exact in options.exact.items():
        span = _match_exactly(text, start, exact)
        if span:
            yield _NamedOption(label, *span)


def _match_exactly(text: str, start: int, exact: str) -> tuple[int, int] | None:
    """Return the span of an option, compared character by character.

    A sign or bracket before `start` may be its first character.
    """
    before = text[:start].rstrip(" $\\{")
    if before and exact[0] == before[-1] and before[-1] in _FIRST_MARKS:
        start = len(before) - 1
    elif before and before[-1] in _SIGNS and len(before) == start:
        return None  # -x for the option x
    matched = 0
    for at in range(start, len(text)):
        char = text[at].casefold()
        if ord(char[0]) in UNCOMPARED:
            continue
        if not exact.startswith(char, matched):
            return None
        matched += len(char)
        if matched == len(exact):
            return start, at + 1
    return None


def _belongs_to_label(text: str, label_end: int, beside: _NamedOption) -> bool:
    """Return whether an option's text is the one that the label before it names."""
    between = text[label_end : _skip(p.BESIDE, text, label_end)]
    ends_clause = p.CLAUSE_ENDS.match(text, beside.end) is not None
    return ends_clause and set(between).isdisjoint(".,\n")


def _names_another(text: str, after: int, label: str, options: OptionTable) -> bool:
    """Return whether another option is joined on in the same sentence.

    As in "(a) fort or (e) museum" and "B, C and D".
    """
    clause = p.clause(text, after)
    named = []
    for joined in p.JOINED.finditer(clause):
        named.append(options.labels.get((joined[1] or joined[2]).casefold()))
    if joint := p.JOINT.match(clause):
        option = _read_option_text(clause, joint.end(), options)
        named.append(option.label if option else None)
    texts = {options.texts[other] for other in named if other is not None}
    return not texts <= {options.texts[label]}


def _continues_a_list(text: str, end: int, label: str, options: OptionTable) -> bool:
    """Return whether the question's next label follows as the next item of a list."""
    item = p.LISTED.match(text, end)
    if item is None:
        return False
    following = options.labels.get((item[1] or item[2]).casefold())
    if following is None:
        return False
    order = list(options.labels.values())
    return order.index(following) == order.index(label) + 1


def _tokens(text: str, start: int) -> Iterator[_Word]:
    """Yield the words from `start` on, without articles."""
    for token in p.TOKEN.finditer(text, start):
        word = casefold_word(token[0])
        if word not in p.ARTICLES:
            yield _Word(word, *token.span())


# --- yes or no, numbers, text ---


def read_yes_no(text: str, question: Question) -> ReadValue | None:
    """Read yes, no, true or false, in any language that the text or question is in."""
    start = _skip(p.OPENING, text, 0)
    if in_language := match_yes_no(text, start, question):
        answer, end = in_language
        return ReadValue(answer, start, end, complete=end < len(text))
    found = p.YES_NO.match(text, start)
    if found is None or not stands_alone(text, found.end(), question):
        return _read_no_single(text, start)
    answer = "yes" if found["yes"] else "no"
    return ReadValue(answer, *found.span(), complete=found.end() < len(text))


def read_number(text: str, question: Question) -> ReadValue | None:  # noqa: ARG001
    """Read the number that follows, the one after the last "=", or the clause's only one.

    A range ("3 or 4") and an expression (2√3) are no single answer.
    """
    start = _skip(p.NUMBER_OPENING, text, 0)
    if no_single := _read_no_single(text, start):
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
    whole = numbers.read_whole_number(text, maths=maths, with_words=True)
    if whole is not None:
        return ReadValue(whole.plain, whole.start, whole.end, complete=True)
    reading = numbers.read_number_of_prose(text)
    if reading is None or reading.plain is None:
        return None
    return ReadValue(reading.plain, reading.start, reading.end, complete=True)


def read_text(text: str, question: Question) -> ReadValue | None:
    """Read what follows, to the end of its clause or of what it is set in."""
    start = _skip(p.TEXT_OPENING, text, 0)
    if (no_single := _read_no_single(text, start)) and not _is_whole_word(
        text, no_single, question
    ):
        return no_single
    start = _skip(p.TEXT_LEAD, text, 0)
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


# --- values in bounds, and before a cue ---


def read_bounded(
    content: str, question: Question, *, maths: bool = False, whole: bool = False
) -> ReadValue | None:
    """Read a value that is all of `content`: a box, a tag, a line, a cell.

    Several lines, or several numbers, are one text and no number. `maths` says that it
    is LaTeX, as in a box; `whole` that a number stands alone, and not in a sentence.
    """
    match question.kind:
        case QuestionKind.TEXT:
            start = _skip(p.TEXT_OPENING, content, 0)
            no_single = _read_no_single(content, start)
            if no_single and not _is_whole_word(content, no_single, question):
                return no_single
            return read_bounded_text(content, maths=maths)
        case QuestionKind.NUMBER:
            if whole:
                return _read_whole_number(content)
            return read_bounded_number(content, maths=maths)
        case _:
            value = READERS[question.kind](content, question)
            return value._replace(complete=True) if value else None


def _read_whole_number(content: str) -> ReadValue | None:
    whole = numbers.read_whole_number(content, maths=False, with_words=True)
    if whole is None:
        return None
    return ReadValue(whole.plain, whole.start, whole.end, complete=True)


def names_foreign_label(text: str, question: Question) -> int:
    """Return the end of a lone letter at the start of `text` that is no label.

    0 if there is none. "The answer is (F)" of a question with A to E names no option.
    """
    if question.kind is not QuestionKind.CHOICE:
        return 0
    found = p.FOREIGN_LABEL.match(text)
    if found is None:
        return 0
    labels = option_table(question).labels
    letter = found[1] or found[2] or found[3]
    are_alike = all(
        len(label) == 1 and label.isalpha() == letter.isalpha() for label in labels
    )
    return found.end() if are_alike and letter.casefold() not in labels else 0


def read_named_option(text: str, question: Question) -> ReadValue | None:
    """Read the option whose label or text is at the start, whatever follows it."""
    options = option_table(question)
    start = _skip(p.OPENING, text, 0)
    if found := p.LABEL.match(text, start):
        label = options.labels.get(found[0].casefold())
        if label is not None and len(label) > 2:
            return ReadValue(label, *found.span(), complete=True)
    named = _match_option_text(text, start, options)
    return ReadValue(*named, complete=True) if named else None


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
    return value._replace(
        start=start + value.start, end=start + value.end, complete=True
    )


def _read_no_single(text: str, start: int) -> ReadValue | None:
    """Read "none", "unknown" or the like, which say that there is no single answer."""
    found = p.NO_SINGLE.match(text, start)
    return ReadValue(None, *found.span(), complete=True) if found else None


def _skip(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Return the end of a match of `pattern` at `start`; `start` if there is none."""
    found = pattern.match(text, start)
    return found.end() if found else start


READERS: dict[QuestionKind, Callable[[str, Question], ReadValue | None]] = {
    QuestionKind.CHOICE: read_choice,
    QuestionKind.YES_NO: read_yes_no,
    QuestionKind.NUMBER: read_number,
    QuestionKind.TEXT: read_text,
}
