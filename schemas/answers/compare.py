"""Compare answers: whether one is the target, and whether several mean the same.

Builder and student share these rules, so that both mean the same by correct. An answer
is a choice's label, yes or no, a number in digits, or a short text. Pure.
"""

import re
import unicodedata
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.folding import look_alikes
from cotbuild.schemas.answers.numbers import parse_number
from cotbuild.schemas.question import Question, QuestionKind

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_QUOTES = dict.fromkeys(map(ord, "'\u2018\u2019"))
_MARK = re.compile(r"[^\w\s]|_")


# --- grading ---


def is_correct(answer: str, question: Question) -> bool:
    """Return whether `answer` is the question's target; False if it has none.

    Choices compare by their text, numbers by value, and short texts as
    `normalise_text` leaves them, with any of the targets.
    """
    match question.kind:
        case QuestionKind.CHOICE:
            return _is_correct_choice(answer, question)
        case QuestionKind.NUMBER:
            value = parse_number(answer)
            return value is not None and any(
                value == parse_number(target) for target in question.targets
            )
        case QuestionKind.YES_NO:
            return answer.strip().casefold() in question.targets
        case QuestionKind.TEXT:
            text = normalise_text(answer)
            return any(text == normalise_text(target) for target in question.targets)


def _is_correct_choice(answer: str, question: Question) -> bool:
    # By text: 42 CommonsenseQA train rows list the target's text under a second letter.
    texts = option_table(question).texts
    if question.target is None or answer not in texts:
        return False
    return texts[answer] == texts[question.target]


def answers_differ(answers: Iterable[str | None], question: Question) -> bool:
    """Return whether there is more than one answer among them; None is no answer.

    Labels of the same option text are one answer, and so are 12 and 12.0.
    """
    given = {answer for answer in answers if answer is not None}
    if len(given) < 2:
        return False
    return len({_meaning(answer, question) for answer in given}) > 1


def _meaning(answer: str, question: Question) -> Hashable:
    match question.kind:
        case QuestionKind.CHOICE:
            return option_table(question).texts.get(answer)
        case QuestionKind.NUMBER:
            value = parse_number(answer)
            return casefold_text(answer) if value is None else value
        case _:
            return normalise_text(answer)


# --- normal forms ---


def casefold_text(text: str) -> str:
    """Return `text` in NFKC, case-folded, with white space collapsed."""
    return " ".join(_casefold(text).split())


def normalise_text(text: str) -> str:
    """Return a short answer as `casefold_text`, without articles and punctuation.

    Points, colons, slashes and signs that belong to a number are kept: 3.5 is not 35,
    and -5 is not 5.
    """
    folded = _casefold(text)
    words = _MARK.sub(_replace_mark, folded.translate(_QUOTES)).split()
    kept = [
        word
        for i, word in enumerate(words)
        if word not in p.ARTICLES or i == len(words) - 1
    ]
    return " ".join(kept) or " ".join(folded.split())


def _replace_mark(mark: re.Match[str]) -> str:
    """Return what `normalise_text` puts in the place of a punctuation mark."""
    char = mark[0]
    # One character, or none at either end of the text.
    before = mark.string[max(0, mark.start() - 1) : mark.start()]
    after = mark.string[mark.end() : mark.end() + 1]
    digit_before, digit_after = before.isdigit(), after.isdigit()
    if char == "," and digit_before and digit_after:
        return ""
    is_sign = char == "-" and not before.isalnum()
    in_number = digit_after and ((char in ".:/" and digit_before) or is_sign)
    # Symbols and combining marks carry meaning, as in C+ and in Hindi vowels.
    is_punctuation = unicodedata.category(char).startswith(("P", "C"))
    return char if in_number or not is_punctuation else " "


def _casefold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold()


# --- options ---


class OptionTable(NamedTuple):
    """The choices of a question in the forms in which they are compared."""

    labels: dict[str, str]
    """Case-folded label to label."""
    texts: dict[str, str]
    """Label to option text, as `casefold_text` leaves it."""
    words: dict[str, list[str]]
    """Label to the option's words without articles."""
    first_words: frozenset[str]
    """The first word of each option: one look tells most places of a text apart."""
    max_words: int
    """The number of words of the longest option."""


def option_table(question: Question) -> OptionTable:
    """Return the table of the question's choices; cached."""
    # Hashing the models themselves costs 20 µs a call, their strings 1 µs.
    return _option_table(
        tuple((choice.label, choice.text) for choice in question.choices)
    )


@lru_cache(maxsize=256)  # the samples of one question come one after the other
def _option_table(choices: tuple[tuple[str, str], ...]) -> OptionTable:
    labels = {}
    for label, _ in choices:
        if found := p.LABEL.search(label):
            labels[found[0].casefold()] = label
    for form, label in [*labels.items()]:
        for other in look_alikes(form):
            labels.setdefault(other, label)
    words = {label: _option_words(text) for label, text in choices}
    return OptionTable(
        labels=labels,
        texts={label: casefold_text(text) for label, text in choices},
        words=words,
        first_words=frozenset(option[0] for option in words.values()),
        max_words=max((len(option) for option in words.values()), default=0),
    )


def _option_words(text: str) -> list[str]:
    tokens = [token.casefold() for token in p.TOKEN.findall(p.fold(text))]
    words = [word for word in tokens if word not in p.ARTICLES]
    return words or tokens or [text]
