"""Find where a text in another language than English introduces an answer. Pure."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.language_patterns import LanguagePatterns
from cotbuild.schemas.question import Question, QuestionKind

MAX_CUES = 64
"""Cues of one language read at the end of a text."""
LEAD_CHARS = 100
_SENTENCE_CHARS = 300
"""How far before a cue its sentence is searched for "if"."""
_BESIDE_CHARS = 4
"""How far before a noun its adjective may end."""
_SENTENCE_START = re.compile(r"[.!?。\n](?=[^.!?。\n]*\Z)")
_HEADING = re.compile(r"(?:\A|\n)[ >]{0,3}[#*_]{1,6}[^\n]{0,30}\Z")


class Texts(NamedTuple):
    """A text, its question, and the language that it is read in."""

    view: str
    """As `folding.fold` leaves it."""
    low: str
    """In lower case."""
    question: Question
    patterns: LanguagePatterns


class Place(NamedTuple):
    """Where a cue has been found."""

    rule: str
    start: int
    """Of the introduction."""
    end: int
    """Where the value begins."""
    needs_close: bool
    """Whether only a value that comes first and fills its clause counts."""
    is_heading: bool = False
    """Whether a colon or a line break leads to the value, and no verb."""
    needs_tail: bool = False
    """Whether the verb has to come behind the value: "dass die Antwort B ist"."""


def find_cues(texts: Texts) -> Iterator[Place]:
    """Yield the places behind "the answer is"."""
    code = texts.patterns.language.code
    matches = list(texts.patterns.cue.finditer(texts.low))[-MAX_CUES:]
    found = (_place(texts, match, f"answer_is:{code}") for match in matches)
    places = [place for place in found if place is not None]
    introduction: int | None = None
    for place, following in zip_longest(places, places[1:]):
        start = place.start if introduction is None else introduction
        introduction = None
        if following and _only_leads_over(texts, place.end, following.start):
            introduction = start
            continue
        yield place._replace(start=start)


def _place(texts: Texts, match: re.Match[str], rule: str) -> Place | None:
    """Return the place behind a cue; None if the words before it make it none."""
    patterns, low = texts.patterns, texts.low
    window_start = max(0, match.start() - LEAD_CHARS)
    window = low[window_start : match.start()]
    if _is_other_noun(texts, window):
        return None
    lead = patterns.lead.search(window)
    start = window_start + (lead.start() if lead else len(window))
    has_adjective = lead is not None and lead["adjective"] is not None
    if match["option"] and not has_adjective and not match["after"]:
        return None
    if match[0].endswith("\n") and not _HEADING.search(window):
        return None
    before = window[: lead.start() if lead else None].rstrip(" *_")
    if "]" in match[0] and before:
        if before[-1] not in "[\n":
            return None
        start = window_start + len(before) - 1
    if patterns.doubt.search(low, max(0, start - LEAD_CHARS), start):
        return None
    is_bare = _has_group(match, "bare")
    is_inverted = lead is not None and _has_group(lead, "verb")
    needs_tail = is_bare and not patterns.language.bare and not is_inverted
    is_heading = match[0].rstrip("*_\"' ").endswith((":", "=", "\n"))
    is_solution = patterns.solution and patterns.solution.fullmatch(match["noun"] or "")
    needs_close = is_bare or (is_heading and bool(is_solution))
    return Place(rule, start, match.end(), needs_close, is_heading, needs_tail)


def _has_group(match: re.Match[str], name: str) -> bool:
    """Return whether a group matched, which not every language's pattern has."""
    return name in match.re.groupindex and match[name] is not None


def _is_other_noun(texts: Texts, before: str) -> bool:
    """Return whether the noun is not that of the answer: "the wrong answer is"."""
    wrong = list(texts.patterns.wrong.finditer(before))
    if not wrong or len(before) - wrong[-1].end() > _BESIDE_CHARS:
        return False
    return texts.patterns.wrong.search(texts.question.text.lower()) is None


def _only_leads_over(texts: Texts, end: int, next_start: int) -> bool:
    """Return whether only marks are between two cues: "Antwort: Die Antwort ist B"."""
    return end <= next_start <= end + LEAD_CHARS and not texts.low[
        end:next_start
    ].strip(p.EDGE + ".")


def find_plain(
    texts: Texts, pattern: re.Pattern[str], rule: str, begin: int = 0
) -> Iterator[Place]:
    """Yield the places behind words after which only a value that fills its clause counts."""
    code = texts.patterns.language.code
    for match in list(pattern.finditer(texts.low, begin))[-MAX_CUES:]:
        yield Place(f"{rule}:{code}", match.start(), match.end(), needs_close=True)


def is_conditional(texts: Texts, start: int) -> bool:
    """Return whether "if" or "for example" comes before `start` in its sentence.

    A "so" takes it back, and for a number a comma does: "If we add them, the answer is".
    """
    patterns = texts.patterns
    window = texts.low[max(0, start - _SENTENCE_CHARS) : start]
    if found := _SENTENCE_START.search(window):
        window = window[found.end() :]
    if patterns.example.search(window):
        return True
    conditions = list(patterns.condition.finditer(window))
    if not conditions:
        return False
    consequence = window[conditions[-1].end() :]
    if patterns.so.search(consequence):
        return False
    is_option = texts.question.kind in (QuestionKind.CHOICE, QuestionKind.YES_NO)
    return is_option or "," not in consequence
