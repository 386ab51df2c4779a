"""Quality flags of a text: loops, refusals, markup.

The rules are exact, cheap, and linear in the length of the text. Pure.
"""

import re
from collections.abc import Iterator, Sequence

from cotbuild.schemas.answers.mentions import names_target
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Flag

LOOP_TIMES = 3
"""Fewest times in a row that a block of words makes a loop."""
LOOP_WORDS = 12
"""Fewest words of a loop in all: "very, very, very" is none."""
LOOP_PERIOD = 50
"""Most words of a block."""
SUM_WORDS = 60
"""Fewest words of a loop that is a sum: GSM8K's own rationales have
"5 cars + 5 cars + 5 cars".
"""

_GRAM = 4
"""Words of the n-grams that suggest the periods worth a look: a loop repeats some
4-gram at least LOOP_WORDS - 7 times. To look at every period takes 20 times as long.
"""
_SUM = frozenset("+-*x×=") | {"plus", "times"}


def find_flags(rationale: str, question: Question) -> set[Flag]:
    """Return the flags of a rationale, as kept."""
    if not rationale:
        return {Flag.EMPTY}
    applies = {
        Flag.REPEATS_ITSELF: repeats_itself(rationale),
        Flag.MARKUP: has_markup(rationale),
        Flag.NAMES_TARGET: names_target(rationale, question),
    }
    return {flag for flag, is_set in applies.items() if is_set}


def repeats_itself(text: str) -> bool:
    """Return whether a block of words is repeated LOOP_TIMES in a row.

    It has to be LOOP_WORDS words or more in all; the numbers of a list do not count.
    """
    words = [
        word
        for word in text.lower().split()
        # Most words are ruled out by their last character.
        if word[-1] not in ".):" or not word[:-1].isdigit()
    ]
    grams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    if len(grams) - len(set(grams)) < LOOP_WORDS - 2 * _GRAM + 1:
        return False
    return any(_has_period(words, period) for period in _find_periods(grams))


def _find_periods(grams: Sequence[tuple[str, ...]]) -> Iterator[int]:
    """Yield each distance up to LOOP_PERIOD between two places of a gram, once.

    They come as they are found: a text that loops mostly does so with the first.
    """
    places: dict[tuple[str, ...], list[int]] = {}
    periods: set[int] = set()
    for i, gram in enumerate(grams):
        earlier = places.setdefault(gram, [])
        for place in reversed(earlier):
            period = i - place
            if period > LOOP_PERIOD:
                break
            if period not in periods:
                periods.add(period)
                yield period
        if len(periods) == LOOP_PERIOD:
            return
        earlier.append(i)


def _has_period(words: list[str], period: int) -> bool:
    """Return whether there is a loop of a block of `period` words."""
    needed = max(period * (LOOP_TIMES - 1), LOOP_WORDS - period)
    needed_of_sum = SUM_WORDS - period
    run = 0
    for i in range(period, len(words)):
        run = run + 1 if words[i] == words[i - period] else 0
        if run < needed:
            continue
        if run >= needed_of_sum or _SUM.isdisjoint(words[i - period : i]):
            return True
    return False


# --- refusals: for folded, lower-case text; a literal first word keeps a scan fast ---

_OFFERED = (
    r"(?:answer |given |listed |provided |available |presented |possible |above |the "
    r"|these |those )"
)
_NO_CHOICE = tuple(
    re.compile(pattern)
    for pattern in (
        # "none of the other options" and "none of the options A, C or D" leave one
        rf"none of (?<!implies none of ){_OFFERED}{{1,4}}(?:choices|options|answers"
        r"|alternatives)\b"
        r"(?!,? \(?(?:[a-h]\b(?!, b, c)|except|other than|but\b|besides|apart))",
        r"answer(?: choice)?(?: is|:)[ :*_\"'(<]{0,4}(?:none\b(?! other)"
        r"|(?:also )?not (?:among|provided|listed|given|available|present|included"
        r"|one of|determinable))",
        r"no (?<!\wno )(?:single |one )?(?:correct|right|suitable|valid"
        r"|appropriate) (?:answer|option|choice)s?\b",
        r"no (?<!\wno )(?:given |listed |provided |answer )?(?:option"
        r"|choice)s? (?:(?:given|listed|provided|here) )?"
        r"(?:is|are|fits?|match(?:es)?|seems?|directly|correctly|exactly)\b",
    )
)
_ANSWERING = (
    r"(?:(?:answer|respond|assist|comply|choose|help with)(?! but)\b"
    r"|(?:provide|give|determine|select|generate|write|offer) (?:an?|the|any|that|this|you)\b)"
)
_CANNOT = r"(?:cannot|can't|am unable|am not able|do not|don't|could not|couldn't|won't|will not)"
_DECLINES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"cannot (?<=\bi cannot ){_ANSWERING}",
        rf"can't (?<=\bi can't ){_ANSWERING}",
        rf"unable to (?:(?<=\bi am unable to )|(?<=\bi'm unable to )){_ANSWERING}",
        r"cannot be (?:(?<=answer cannot be )|(?<=question cannot be ))(?:determined"
        r"|answered|given)\b",
        r"sorry(?:(?<=\bi'm sorry)|(?<=\bi am sorry)"
        rf"|(?<=\Asorry)),? (?:but )?(?:i {_CANNOT}\b|(?:this|that|it) )",
        r"as an ai(?:,| language| model| assistant)",
        r"don't know(?<=\bi don't know)(?: the answer\b| which\b|\.?\s*\Z)",
    )
)


def is_refusal(low: str, question: Question) -> bool:
    """Return whether a text declines to answer, or says that no choice is right.

    `low` is the text folded and in lower case.
    """
    if any(pattern.search(low) for pattern in _DECLINES):
        return True
    if any("none" in choice.text.lower() for choice in question.choices):
        return False  # "none of these" is a choice
    return any(pattern.search(low) for pattern in _NO_CHOICE)


# --- markup ---

_MARKUP = re.compile(
    # tags; "x <y and y> z" is none
    r"</?[a-z]>|</?[a-z]{2}[\w :'-]{0,40}/?>|<[a-z]{1,20} [a-z-]{1,20}=[^<>]{0,200}>"
    r"|<\|[a-z_]{1,30}\|>|\[/?INST\]|<</?SYS>>"  # chat markers
    # LaTeX
    r"|\\[a-z]{2,20}\{|\\(?:times|cdot|div|pm|leq?|geq?|neq?|approx|ldots|quad"
    r"|rightarrow)\b|\\[()\[\]]"
    r"|\*\*(?<![\w)]\*\*)(?=[^\s*])[^*\n]{1,300}\*\*"  # bold; 2**3 is arithmetic
    r"|`{3}|(?<![^\n])#{1,6} (?=\S)",  # fences, headings
    re.IGNORECASE,
)


def has_markup(text: str) -> bool:
    """Return whether `text` has tags, chat markers, LaTeX commands or Markdown.

    Of Markdown: bold, headings, fences.
    """
    if not any(mark in text for mark in "<\\*`#["):  # as in most texts
        return False
    return _MARKUP.search(text) is not None
