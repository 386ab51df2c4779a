"""Grading: whether an answer is the target.

Shared by builder and student, so that both mean the same by correct.
"""

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction

from cotbuild.schemas.question import Question, QuestionKind

_UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_QUOTES = dict.fromkeys(map(ord, "'\u2018\u2019"))
_MARK = re.compile(r"[^\w\s]|_")
_NUMERAL = re.compile(r"([-+]?)(\d+(?:\.\d*)?|\.\d+)")
_FRACTION = re.compile(r"([-+]?)(?:(\d{1,18}) )?(\d{1,18})/(\d{1,18})")
_ARTICLES = ("a", "an", "the")


def grade(answer: str, question: Question) -> bool:
    """Whether `answer` is one of the question's targets; False where no target is
    published.
    """
    match question.kind:
        case QuestionKind.CHOICE:
            return _grade_choice(answer, question)
        case QuestionKind.NUMBER:
            value = number_value(answer)
            return value is not None and any(
                value == number_value(target) for target in question.targets
            )
        case QuestionKind.YES_NO:
            return answer.strip().casefold() in question.targets
        case QuestionKind.TEXT:
            said = normalise_text(answer)
            return any(said == normalise_text(target) for target in question.targets)


def _grade_choice(answer: str, question: Question) -> bool:
    """By option text: 42 CommonsenseQA train rows list the target's text under a second
    letter.
    """
    texts = {choice.label: choice.text for choice in question.choices}
    if question.target is None or answer not in texts:
        return False
    return answer == question.target or compared(texts[answer]) == compared(
        texts[question.target]
    )


def compared(text: str) -> str:
    """An option's text as compared: NFKC, case-folded, white space collapsed."""
    return " ".join(_folded(text).split())


def number_value(text: str) -> Decimal | Fraction | None:
    """The value of a number as people write it: currency, commas and a final % dropped.
    None: not one number.

    A fraction or mixed number ("3/4", "1 1/2") gives a Fraction; Decimal and Fraction
    compare exactly.
    """
    plain = _folded(text).replace("\u2212", "-").replace("\u2044", "/").replace(",", "")
    plain = " ".join(re.sub(r"[$£€¥¢]|%\s*\Z", "", plain).split()).replace("- ", "-")
    if _NUMERAL.fullmatch(plain):
        return Decimal(plain)
    if (fraction := _FRACTION.fullmatch(plain)) and int(fraction[4]):
        size = int(fraction[2] or 0) + Fraction(int(fraction[3]), int(fraction[4]))
        return -size if fraction[1] == "-" else size
    return None


def normalise_text(text: str) -> str:
    """Short text as compared: NFKC, case-folded, without articles, punctuation and
    invisible characters.

    Points, colons, slashes and a sign that belong to a number stay, so 3.5 is not 35
    and -5 is not 5.
    """
    folded = _folded(text)
    bare = _MARK.sub(_keep_in_number, folded.translate(_QUOTES)).split()
    words = [
        word
        for i, word in enumerate(bare)
        if word not in _ARTICLES or i == len(bare) - 1
    ]
    return " ".join(words) or " ".join(folded.split())


def _keep_in_number(mark: re.Match[str]) -> str:
    char, before = mark[0], mark.string[: mark.start()][-1:]
    digit_follows = mark.string[mark.end() : mark.end() + 1].isdigit()
    if char == "," and before.isdigit() and digit_follows:
        return ""
    inside = (char in ".:/" and before.isdigit()) or (
        char == "-" and not before.isalnum()
    )
    if (digit_follows and inside) or not unicodedata.category(char).startswith(
        ("P", "C")
    ):
        return char  # symbols and combining marks carry meaning: C+, Hindi vowels
    return " "


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_UNSEEN).casefold()
