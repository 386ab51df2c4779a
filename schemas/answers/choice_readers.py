"""Read the option that a text names at one place, by its label or by its words. Pure."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import (
    UNCOMPARED,
    OptionTable,
    casefold_word,
    option_table,
)
from cotbuild.schemas.answers.read_value import ReadValue, read_no_single, skip
from cotbuild.schemas.question import Question, QuestionKind

_SIGNS = "-+±√"
_FIRST_MARKS = _SIGNS + "(["
"""What may be the first character of an option, before its first word."""


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


def read_choice(text: str, question: Question) -> ReadValue | None:
    """Read a label, an option's text, or both.

    Several options, or a label before or behind another option's text, are no single
    answer.
    """
    options = option_table(question)
    start = skip(p.OPENING, text, 0)
    if lettered := _read_label(text, start, options):
        label, start, end = lettered
        complete = end < len(text) or text[-1] != "a"
        beside = _read_option_text(text, skip(p.BESIDE, text, end), options)
        if beside and options.texts[beside.label] == options.texts[label]:
            end = beside.end
        elif beside and _belongs_to_label(text, end, beside):
            return ReadValue(None, start, beside.end, complete=True)
    elif named := _read_option_text(text, start, options):
        label, start, end = named
        complete = end < len(text)
        if _has_other_label_behind(text, end, label, options):
            return ReadValue(None, start, end, complete=True)
    else:
        return read_no_single(text, start)
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
    start = skip(p.OPENING, text, 0)
    return _read_label(text, start, option_table(question)) is not None


def read_named_option(text: str, question: Question) -> ReadValue | None:
    """Read the option whose label or text is at the start, whatever follows it."""
    options = option_table(question)
    start = skip(p.OPENING, text, 0)
    if found := p.LABEL.match(text, start):
        label = options.labels.get(found[0].casefold())
        if label is not None and len(label) > 2:
            return ReadValue(label, *found.span(), complete=True)
    named = _match_option_text(text, start, options)
    return ReadValue(*named, complete=True) if named else None


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
    between = text[label_end : skip(p.BESIDE, text, label_end)]
    ends_clause = p.CLAUSE_ENDS.match(text, beside.end) is not None
    return ends_clause and set(between).isdisjoint(".,\n")


def _has_other_label_behind(
    text: str, end: int, label: str, options: OptionTable
) -> bool:
    """Return whether an option's text that ends at `end` is labelled as another option.

    As in "wood (B)" and "wood, which is option B", where wood is E.
    """
    found = p.LABEL_BEHIND.match(text, end)
    if found is None or p.DENIED.match(text, found.end()):
        return False  # "The answer is wood, option B is wrong"
    other = options.labels.get(found[found.lastindex or 0].casefold())
    return other is not None and options.texts[other] != options.texts[label]


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
