"""Reading one answer at one place: what stands behind "The answer is".

One reader per kind of question, all pure.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import OptionTable, option_table
from cotbuild.schemas.question import Question, QuestionKind


class ReadValue(NamedTuple):
    """An answer read at one place of a text.

    A reader returns None instead if the place says nothing about an answer.
    """

    answer: str | None
    """None: the place says that there is no single answer."""
    end: int
    """Its end in the text read."""
    complete: bool
    """Whether the text would say the same if it were cut directly after it."""


def read_choice(text: str, question: Question) -> ReadValue | None:
    """A label, an option's text, or both; several options, or a label beside another
    option's text, are no answer.
    """
    options = option_table(question)
    start = _skip(p.OPENING, text, 0)
    named = _letter(text, start, options)
    if named is None:
        if (named := _option(text, start, options)) is None:
            return _refusal(text, start)
        label, end = named
        closed = end < len(text)
    else:
        label, end = named
        closed = end < len(text) or text[-1] != "a"
        behind = _skip(p.BESIDE, text, end)
        if beside := _option(text, behind, options):
            if options.texts[beside[0]] == options.texts[label]:
                end = beside[1]
            elif not set(text[end:behind]) & set(".,\n") and p.CLAUSE_ENDS.match(
                text, beside[1]
            ):
                return ReadValue(None, beside[1], True)
    if p.DENIED.match(text, end):
        return None  # "The answer is B: air heads is incorrect"
    if _names_another(text, end, label, options):
        return ReadValue(None, end, True)
    if _goes_on_listing(text, end, label, options):
        return None  # "Choose the correct answer: A) ice B) rain"
    return ReadValue(label, end, closed)


def opens_with_label(text: str, question: Question) -> bool:
    """Whether a choice's label comes first; "The train is faster because …" opens with
    an option's text.
    """
    return _letter(text, _skip(p.OPENING, text, 0), option_table(question)) is not None


def _skip(pattern: re.Pattern[str], text: str, start: int) -> int:
    """The offset behind `pattern`, which may match nothing, at `start`."""
    found = pattern.match(text, start)
    return found.end() if found else start


def _letter(text: str, start: int, options: OptionTable) -> tuple[str, int] | None:
    """A choice's label at `start` and the offset behind it, unless it reads as a word:
    "A", "I", the 1 of 1.5.
    """
    found = p.LABEL.match(text, start)
    label = found and options.labels.get(found[0].casefold())
    if not found or not label or p.NUMBER_GOES_ON.match(text, found.end()):
        return None
    said, end = found[0], found.end()
    if p.AFTER_LETTER.match(text, end) or (said.isupper() and said not in ("A", "I")):
        return label, end
    beside = _option(text, end, options)
    return (label, end) if beside and beside[0] == label else None


def _names_another(text: str, after: int, label: str, options: OptionTable) -> bool:
    """Whether a further option is joined on in the same sentence: "(a) fort or (e)
    museum", "B, C and D".
    """
    clause = p.clause(text, after)
    named = [
        options.labels.get((m[1] or m[2]).casefold()) for m in p.JOINED.finditer(clause)
    ]
    if joint := p.JOINT.match(clause):
        joined = _option(clause, joint.end(), options)
        named.append(joined and joined[0])
    return any(
        other is not None and options.texts[other] != options.texts[label]
        for other in named
    )


def _goes_on_listing(text: str, end: int, label: str, options: OptionTable) -> bool:
    """Whether the next label of the question follows as the next item of a list."""
    order = list(options.labels.values())
    after = p.LISTED.match(text, end)
    following = after and options.labels.get((after[1] or after[2]).casefold())
    return following is not None and order.index(following) == order.index(label) + 1


def _option(text: str, start: int, options: OptionTable) -> tuple[str, int] | None:
    """The option whose whole text stands at `start`, the longest if several do, and the
    offset behind it.
    """
    first = next(_tokens(text, start), None)
    if first is None or first[0] not in options.first_words:
        return None
    said = list(islice(_tokens(text, start), options.max_words))
    words = [word for word, _ in said]
    fitting = [
        label
        for label, option in options.words.items()
        if words[: len(option)] == option
    ]
    if not fitting:
        return None
    label = max(
        fitting, key=lambda label: len(options.words[label])
    )  # the first of equals
    end = said[len(options.words[label]) - 1][1]
    return (label, end) if p.AFTER_OPTION.match(text, end) else None


def _tokens(text: str, start: int) -> Iterator[tuple[str, int]]:
    """The words that are not articles, case-folded, each with the offset behind it."""
    for token in p.TOKEN.finditer(text, start):
        word = token[0].casefold()
        if word not in p.ARTICLES:
            yield word, token.end()


def read_yes_no(text: str, question: Question) -> ReadValue | None:  # noqa: ARG001
    """yes, no, true or false."""
    start = _skip(p.OPENING, text, 0)
    if found := p.YES_NO.match(text, start):
        return ReadValue(
            "yes" if found["yes"] else "no", found.end(), found.end() < len(text)
        )
    return _refusal(text, start)


def _refusal(text: str, start: int) -> ReadValue | None:
    refusal = p.NO_SINGLE.match(text, start)
    return ReadValue(None, refusal.end(), True) if refusal else None


def read_number(text: str, question: Question) -> ReadValue | None:  # noqa: ARG001
    """The number that follows, the one behind the last "=", or the only one of the
    clause.
    """
    start = _skip(p.NUMBER_OPENING, text, 0)
    if refusal := _refusal(text, start):
        return refusal
    if fraction := p.FRACTION.match(text, start):
        return ReadValue(
            f"{fraction[1]}{fraction[2]}/{fraction[3]}", fraction.end(), True
        )
    clause = text[:start] + p.clause(text, start)
    found = _one_number(clause, start)
    if found is None or p.OPERATOR.match(clause, found.end()):
        return None
    if p.SEVERAL.match(clause, found.end()):
        return ReadValue(None, found.end(), True)
    return ReadValue(
        plain_number(found), found.end(), bool(text[found.end() :].strip(" .,"))
    )


def _one_number(clause: str, start: int) -> re.Match[str] | None:
    numbers = list(p.NUMBER.finditer(clause, start))
    equals = clause.rfind("=")
    if equals >= start:
        return next((n for n in numbers if n.start() > equals), None)
    if numbers and (
        numbers[0].start() == start or len({plain_number(n) for n in numbers}) == 1
    ):
        return numbers[0]
    return None


def plain_number(found: re.Match[str]) -> str:
    """A NUMBER match in plain digits: no commas or currency, "2 million" multiplied
    out, fractions as written.
    """
    signs = f"{found['sign'] or ''}{found['sign2'] or ''}".strip()
    sign = "-" if signs not in ("", "+") else ""
    digits = re.sub(r"[^0-9]", "", found["digits"] or "0") + (
        found["decimals"] or found["leading"] or ""
    )
    scale = p.SCALE.match(found.string, found.end())
    if scale and not found["rest"]:
        whole, _, part = digits.partition(".")
        zeros = p.SCALES[scale[1].lower()]
        digits = (
            whole
            + part[:zeros].ljust(zeros, "0")
            + ("." + part[zeros:] if part[zeros:] else "")
        )
    return sign + digits + (found["rest"] or "")


def read_text(text: str, question: Question) -> ReadValue | None:  # noqa: ARG001
    """What follows, to the end of its clause."""
    start = _skip(p.TEXT_OPENING, text, 0)
    if refusal := _refusal(text, start):
        return refusal
    clause = p.clause(text, start)
    answer = clause.strip(p.EDGE + ".,;!?")
    end = start + len(clause)
    return ReadValue(answer, end, bool(text[end:].strip())) if answer else None


READERS: dict[QuestionKind, Callable[[str, Question], ReadValue | None]] = {
    QuestionKind.CHOICE: read_choice,
    QuestionKind.YES_NO: read_yes_no,
    QuestionKind.NUMBER: read_number,
    QuestionKind.TEXT: read_text,
}
