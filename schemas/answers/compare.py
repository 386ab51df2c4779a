"""Compare answers: whether one is the target, and whether several mean the same.

Builder and student share these rules, so that both mean the same by correct. An answer
is a choice's label, yes or no, a number in digits, or a short text. Pure.
"""

import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, Protocol

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.expressions import (
    fold_expression,
    is_prose,
    parse_labels,
    strip_emphasis,
)
from cotbuild.schemas.answers.folding import find_look_alikes
from cotbuild.schemas.answers.latex import fold_latex
from cotbuild.schemas.answers.numbers import (
    WholeNumber,
    parse_number,
    read_whole_number,
)
from cotbuild.schemas.question import Question, QuestionKind

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_QUOTES = dict.fromkeys(map(ord, "'\u2018\u2019"))
UNCOMPARED = dict.fromkeys(map(ord, " \n\t$\\{}"))
"""Characters that make no difference between options that are expressions."""
_MARK = re.compile(r"[^\w\s]|_")
_GROUP_COMMA = re.compile(r"(?<=[0-9]),[0-9]{3}(?![0-9])|(?<=[0-9]),[0-9]{2},[0-9]")
_NAME_END = re.compile(r"(?:\A|[^\w*])?[^\W\d_][#*-](?!\w)")
_LEADING_ZERO = re.compile(r"\s*0[0-9]")


# --- grading ---


class MathMetric(Protocol):
    """A metric that decides whether two expressions mean the same."""

    def agrees(self, answer: str, target: str) -> bool:
        """Return whether both mean the same; False if it cannot tell in time."""


def is_correct(answer: str, question: Question) -> bool:
    """Return whether `answer` is the question's target; False if it has none.

    See `find_match`; no metric is asked.
    """
    return find_match(answer, question) is not None


def find_match(
    answer: str, question: Question, *, math_metric: MathMetric | None = None
) -> str | None:
    """Return which comparison finds that `answer` is the target; None: none does.

    Choices compare by their text ("label"), numbers by value ("number"), and yes and no
    as words ("yes_no"). Texts compare with any of the targets: as `normalise_text`
    leaves them, without LaTeX dressing, or as expressions ("text"); by value, if both
    are numbers whose units agree ("number"); as sets of labels ("label_set"). What is
    not equal then, numbers and texts alike, is left to `math_metric` ("math_verify").
    Prose is scored, and never equal.
    """
    match question.kind:
        case QuestionKind.CHOICE:
            return "label" if _is_correct_choice(answer, question) else None
        case QuestionKind.YES_NO:
            is_target = answer.strip().casefold() in question.targets
            return "yes_no" if is_target else None
        case QuestionKind.NUMBER:
            found = _match_number(answer, question.targets)
        case QuestionKind.TEXT:
            found = _match_text(answer, question.targets)
        case QuestionKind.PROSE:
            return None
    if found is not None or math_metric is None:
        return found
    return _match_maths(answer, question.targets, math_metric)


def is_hundredfold(answer: str, target: str) -> bool:
    """Return whether a number is a hundred times the target: 50 for 0.5.

    Such an answer is incorrect: a percent sign is a unit. Many of them say that the
    targets of a source are shares, and that its answers are percents.
    """
    value, shares = parse_number(answer), parse_number(target)
    if value is None or shares is None or not shares:
        return False
    return Fraction(value) == 100 * Fraction(shares)


def _match_number(answer: str, targets: Iterable[str]) -> str | None:
    value = parse_number(answer)
    if value is None or all(value != parse_number(target) for target in targets):
        return None
    return "number"


def _match_text(answer: str, targets: Sequence[str]) -> str | None:
    """Return the first comparison that finds a target equal to a text."""
    if any(_are_equal_texts(answer, target) for target in targets):
        return "text"
    if any(_are_equal_quantities(answer, target) for target in targets):
        return "number"
    labels = parse_labels(answer)
    if labels is not None:
        others = map(parse_labels, targets)
        if any(other is not None and labels.equals(other) for other in others):
            return "label_set"
    return None


def _match_maths(
    answer: str, targets: Sequence[str], math_metric: MathMetric
) -> str | None:
    """Ask a metric about expressions alone: it takes words as products of letters."""
    for target in targets:
        both = (answer, target)
        is_maths = any(_is_maths(one) for one in both)
        if is_maths and not any(map(is_prose, both)) and math_metric.agrees(*both):
            return "math_verify"
    return None


def _is_maths(text: str) -> bool:
    return fold_expression(text) is not None or parse_number(text) is not None


def _are_equal_texts(answer: str, target: str) -> bool:
    own, other = fold_expression(answer), fold_expression(target)
    if own is not None or other is not None:
        return own == other
    return _fold_text(answer) == _fold_text(target)


def _are_equal_quantities(answer: str, target: str) -> bool:
    """Return whether both are numbers of one value, with one unit or only one."""
    own, other = _read_quantity(answer), _read_quantity(target)
    if own is None or other is None or own.value != other.value:
        return False
    return own.unit == other.unit or not own.unit or not other.unit


def _read_quantity(text: str) -> WholeNumber | None:
    # 007 is a name, and the text of 5! is that of a factorial.
    if _LEADING_ZERO.match(text):
        return None
    return read_whole_number(text, maths=True)


def _fold_text(text: str) -> str:
    return normalise_text(fold_latex(strip_emphasis(text)))


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
            return fold_expression(answer) or _fold_text(answer)


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
    if char == "," and _GROUP_COMMA.match(mark.string, mark.start()):
        return ""
    if char in "#*-":
        name_end = _NAME_END.match(mark.string, max(0, mark.start() - 2))
        if name_end is not None and name_end.end() == mark.end():
            return char  # C#, A*, A-
    is_sign = char == "-" and not before.isalnum()
    in_number = digit_after and ((char in ".:/" and digit_before) or is_sign)
    # Symbols and combining marks carry meaning, as in C+ and in Hindi vowels.
    is_punctuation = unicodedata.category(char).startswith(("P", "C"))
    return char if in_number or not is_punctuation else " "


def _casefold(text: str) -> str:
    if text.isascii():
        return text.lower()  # the same, and faster
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
    exact: dict[str, str]
    """Label to the option's characters without spaces and dressing.

    Only of options that their words do not tell apart, or that are expressions: a + b - 2
    has the words of a + b + 2.
    """


def option_table(question: Question) -> OptionTable:
    """Return the table of the question's choices; cached."""
    return table_of_options(question.options)


@lru_cache(maxsize=256)  # the samples of one question come one after the other
def table_of_options(choices: tuple[tuple[str, str], ...]) -> OptionTable:
    """Return the table of choices, each with label and text; cached."""
    labels = {}
    for label, _ in choices:
        if found := p.LABEL.search(label):
            labels[found[0].casefold()] = label
    for form, label in [*labels.items()]:
        for other in find_look_alikes(form):
            labels.setdefault(other, label)
    words = {label: _option_words(text) for label, text in choices}
    return OptionTable(
        labels=labels,
        texts={label: casefold_text(text) for label, text in choices},
        words=words,
        first_words=frozenset(option[0] for option in words.values()),
        max_words=max((len(option) for option in words.values()), default=0),
        exact=_exact_options(choices, words),
    )


def _exact_options(
    choices: tuple[tuple[str, str], ...], words: dict[str, list[str]]
) -> dict[str, str]:
    texts: dict[tuple[str, ...], set[str]] = {}
    for label, text in choices:
        texts.setdefault(tuple(words[label]), set()).add(casefold_text(text))
    exact = {}
    for label, text in choices:
        has_twin = len(texts[tuple(words[label])]) > 1
        if has_twin or fold_expression(text) is not None:
            folded = p.fold(text).casefold().translate(UNCOMPARED)
            exact[label] = folded.rstrip(".,;:") or folded or text
    return exact


def casefold_word(word: str) -> str:
    """Return one word of a folded text in the form in which words compare.

    Marks and the letter that they are on become one character.
    """
    folded = word.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def _option_words(text: str) -> list[str]:
    folded = p.fold(text)
    if folded.isascii():
        tokens = p.TOKEN.findall(folded.lower())
    else:
        tokens = [casefold_word(token) for token in p.TOKEN.findall(folded)]
    words = [word for word in tokens if word not in p.ARTICLES]
    return words or tokens or [text]
