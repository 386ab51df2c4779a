"""What stands around a number: a unit, a list, or the rest of a longer expression. Pure.

A finite piece of a longer expression is never the number: 2√3, 3\\pi, 4x + 1, ±3, > 3,
0.\\overline{3}, 3:30, 2^n. Nor is one number of several: 3, 7, 9; 10-12; 2 hours and
30 minutes. Texts are as `fold_number` and `latex.undress` leave them.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from cotbuild.schemas.answers.number_notation import CURRENCY, Number, match_number


class Follows(Enum):
    """What a number in a text is followed by."""

    NOTHING = auto()
    """Its unit, the end of its sentence, or prose."""
    EXPRESSION = auto()
    """The rest of an expression whose value is another."""
    ANOTHER = auto()
    """Another number of a list or a range."""


class Context(NamedTuple):
    """A number's unit, and what comes behind it."""

    follows: Follows
    unit: str
    """In one form, such as %, ° or km/h; empty: none."""
    end: int
    """Of the unit, or of the number."""


# --- units ---

_SYMBOLS = (
    r"mm|cm|dm|km|m|mi|in(?=[ ~]{0,2}(?:[\\^.²³,)]|\Z))|ft|yd|nm|um|μm|µm|mg|kg|g|lbs?|oz|t"
    r"|ml|mL|cl|dl|l|L|gal|ha"
    r"|ms|ns|s|sec|secs|min|mins|h|hr|hrs|yr|yrs|am|pm|a\.m\.|p\.m\."
    "|kJ|J|kcal|cal|kW|MW|W|kWh|Wh|V|mV|kV|A|mA|Hz|kHz|MHz|GHz|N|kN|Pa|kPa|MPa|atm|bar"
    r"|(?<=[ °~])K|C|F|mol|mmol|eV|Ω|ohms?|rad|mph|kph|kmh|rpm|fps|bps|kb|KB|MB|GB|TB|dB|pts?|px"
    "|sq|cu|USD|EUR|GBP|INR|CNY|RMB|JPY|AUD|CAD|CHF|SEK|NOK|DKK|PLN|Rs"
)
_NAMES = (
    "millimet(?:er|re)s?|centimet(?:er|re)s?|kilomet(?:er|re)s?|met(?:er|re)s?|miles?|inch(?:es)?"
    "|foot|feet|yards?|acres?|hectares?|milligrams?|grams?|kilograms?|kilos?|tons?|tonnes?|pounds?"
    "|ounces?|lit(?:er|re)s?|millilit(?:er|re)s?|gallons?|quarts?|pints?|cups?"
    "|seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centuries|degrees?|radians?"
    "|celsius|fahrenheit|kelvins?|joules?|calories|watts?|kilowatts?|volts?|amp(?:ere)?s?|hertz|newtons?"
    "|dollars?|cents?|euros?|rupees?|yuan|yen|pence|pesos?|francs?|units?|points?|square|cubic|per"
    "|percent|percentage"
)
_EAST_ASIAN = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_EAST_ASIAN_SCALE = "[百千万萬亿億兆만억천백](?![克米瓦])"
_UNIT_WORD = rf"(?:(?:{_SYMBOLS}|{_NAMES})(?![^\W_¹²³⁻]))"
_UNIT_POWER = r"(?: ?\^ ?(?:\{ ?-?[1-4] ?\}|-?[1-4](?![0-9]))|[⁻]?[²³¹])?"
_UNIT = re.compile(
    r"[\s~]{0,12}(?:"
    r"(?P<percent>%|per ?cent\b|pct\b)"
    r"|(?P<degree>°\s?(?:[CFK](?![^\W_]))?)"
    rf"|(?P<currency>{CURRENCY}(?! ?[0-9]))"
    rf"|(?P<per>/ ?)?(?P<word>{_UNIT_WORD}){_UNIT_POWER}"
    rf"(?:[\s~]{{0,4}}(?:/|·|⋅|\*|\bper\b)?[\s~]{{0,4}}{_UNIT_WORD}{_UNIT_POWER}){{0,4}})"
    rf"|(?P<counter>(?!{_EAST_ASIAN_SCALE})[{_EAST_ASIAN}]{{1,6}})"  # 42個, 42개
)


def match_unit(text: str, at: int, *, maths: bool = False) -> tuple[str, int]:
    """Return the unit at `at` and its end; "" and `at` if there is none.

    In `maths` a letter that touches the digits is a variable: 3m.
    """
    found = _UNIT.match(text, at)
    if found is None:
        return "", at
    touches = found["word"] is not None and found.start("word") == at
    if touches and maths and len(found["word"]) == 1:
        return "", at
    unit = "".join(found[0].casefold().split()).strip("~")
    return ("%" if found["percent"] else unit), found.end()


# --- the rest of an expression ---

_GAP = r"[ \u2009~]{0,12}"
_MATHS_WORDS = (
    "pi|sqrt|root|squared|cubed|factorial|mod|modulo|sin|cos|tan|log|ln|exp|choose"
    "|halves|thirds|fourths|fifths|sixths|sevenths|eighths|ninths|tenths|twelfths|recurring|repeating"
    "|hundredths|thousandths|millionths|tens|hundreds|thousands|dozens?"
)
_EXPRESSION = re.compile(
    rf"{_GAP}(?:"
    r"\((?=[^()]{0,60}[-+*/^])(?![^()]{0,60}[^\W\d_]{3})[^()]{0,60}[a-zA-Z]"  # 2 (x + 1)
    r"|"
    r"[\^√π∞±×÷·⋅≤≥≠∫∑∏∪∩∈]"
    r"|\\[a-zA-Z{|]"  # what `undress` left: \sqrt, \overline, \ldots
    r"|\{?\\"
    r"|\+(?!\s*\Z)"
    r"|\* ?[0-9(\\]| \* |\*\* ?[0-9]"
    r"|-[a-zA-Z](?![\w'])|- [b-zB-Z](?![\w'])|-(?=[(\\√])|-\s{0,4}\\"
    r"|/ ?(?:[0-9(\\]|[a-zA-Z](?![\w']))"
    r"|[<>] ?[0-9a-zA-Z](?![a-zA-Z/])|[<>]= ?"
    r"|: ?[0-9]"
    r"|\|(?! )"
    rf"|{_EAST_ASIAN_SCALE}|(?<=[{_EAST_ASIAN}])[0-9]"  # 5万 is 50,000; 7打1只
    rf"|(?:{_MATHS_WORDS})(?![\w-])(?! (?:of|in|the|for)\b)"
    r"|(?:times|plus|minus|over|x) ?(?=[0-9(\\√π])"
    r"|(?:divided|multiplied|increased|decreased) by\b|raised to\b|to the (?:power|[0-9])"
    r"|and (?:a|one|two|three) (?:half|third|quarter|thirds|quarters|fourths?|fifths?|eighths?)\b"
    r"|(?:in|out of) (?:every )?[0-9]"
    r"|(?:or|and) (?:more|fewer|less|above|over|higher|lower|greater|below|under|up)\b"
    r")",
    re.IGNORECASE,
)
_EXPRESSION_BEHIND_NOUN = re.compile(
    # "10% of 420", "8 less than 50", "50 apples - 8 apples", "6 boxes x 7 apples"
    r"(?: [^\W\d_]{2,20}){0,2}? "
    r"(?:of|less|minus|plus|times|x|[-+*\u00d7\u00f7\u2212]|divided by|multiplied by"
    r"|(?:less|more|fewer|(?!rather)[a-z]{2,12}er) than) ?[$£€]?[0-9]",
    re.IGNORECASE,
)
_TOUCHING = re.compile(
    # the rest of a decimal, a list, or a variable that touches the digits
    r"[.,][0-9]|\.[\\{(]|'[0-9]|\{,\}|\.{2,3}(?=[0-9])|\((?=[a-z0-9\\√])[^()]{0,60}[-+*/^0-9=\\]|\[[0-9]"
    r"|!(?=[-+*/×÷=^]| ?[*/×÷=^])|_[0-9{]"
    # 5m people may be million; not so 5m long
    r"|m (?=[a-z]{3,})(?!(?:long|tall|high|wide|deep|away|per|and|from|apart|above|below"
    r"|for|each|thick|square)\b)",
    re.IGNORECASE,
)
_LETTER = re.compile(
    # Of the scripts that variables are in; in "42個" and "42개" the letter is a unit.
    r"(?P<gap>[ \u2009~]{0,12})(?P<word>[a-zA-Z\u00c0-\u024f\u0370-\u03ff]+)"
    r"(?P<next>\^|\(|[0-9_²³]|)"
)
_PROSE_NEXT = re.compile(r"(?:[ -][^\W\d_]{2,}|[ ][\"'*(]*[^\W\d_]{2,})")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)(?![^\W_])", re.IGNORECASE)
_ELLIPSIS = re.compile(r"\.{2,}|\u2026")


def _continues(text: str, number: Number, at: int, *, maths: bool) -> bool:
    """Return whether the number, or its unit that ends at `at`, is a piece of more."""
    if _TOUCHING.match(text, number.end):
        return True
    if maths and text.startswith("!", number.end):
        return True
    if "." in number.plain and _ELLIPSIS.match(text, number.end):
        return True
    if _EXPRESSION.match(text, at) or _EXPRESSION_BEHIND_NOUN.match(text, at):
        return True
    return _is_variable(text, at, touches=at == number.end, maths=maths)


def _is_variable(text: str, at: int, *, touches: bool, maths: bool) -> bool:
    """Return whether letters behind a number are variables: 4x, 3 ab, 2n + 1."""
    found = _LETTER.match(text, at)
    if found is None:
        return False
    word, is_attached = found["word"], touches and not found["gap"]
    if is_attached and _ORDINAL.match(word):
        return False
    if found["next"]:
        return is_attached or len(word) == 1 or found["next"] in ("^", "_")
    if len(word) == 1:
        is_before_prose = _PROSE_NEXT.match(text, found.end()) is not None
        return maths or not is_before_prose
    return maths and is_attached


# --- other numbers ---

_JOINER = re.compile(
    rf"{_GAP}(?P<joiner>,? ?\b(?:or|and|to|through|until)\b|[,;&≈\u2192\u21d2]|-{{1,2}}|/|(?=\s))"
    r"[\s~]{0,12}"
)
_LIST_END = re.compile(
    r"(?: [^\W\d_]{2,20})?\s*(?:[,;]|\b(?:and|or)\b|[)\]}]|\.?\s*\Z|\.\s|\n)"
)
_COMPOUND = re.compile(
    r"\b(?:hours?|hrs?|h|minutes?|mins?|min|feet|foot|ft|'|years?|months?|weeks?|days?|pounds?"
    r"|lbs?|ounces?|dollars?|degrees?|meters?|km|m|kg|yards?|°)\s{0,3}\Z",
    re.IGNORECASE,
)
_UNIT_PROSE = re.compile(
    r"[\s~]{1,4}[^\W\d_]{2,20}(?: (?!(?:and|or|to)\b)[^\W\d_]{2,20})?"
    r"(?=,? (?:(?:and|or|to) )?[$£€-]?[0-9])"
)


def _joins_another(text: str, number: Number, unit_end: int) -> bool:
    """Return whether the number is one of several, and not all of them are equal."""
    for at in {number.end, unit_end}:
        if _is_followed_by_other(text, number, at):
            return True
    prose = _UNIT_PROSE.match(text, number.end)
    return prose is not None and _is_followed_by_other(text, number, prose.end())


def _is_followed_by_other(text: str, number: Number, at: int) -> bool:
    joiner = _JOINER.match(text, at)
    if joiner is None:
        return False
    other = match_number(text, joiner.end())
    if other is None:
        return False
    mark = joiner["joiner"].strip(" ,")
    if mark == "" and "," not in joiner["joiner"]:
        is_compound = _COMPOUND.search(text, max(0, at - 10), at) is not None
        return at == number.end or is_compound
    if mark == "" or mark == ";":  # "72, 3 of which are red" is no list
        is_list = _LIST_END.match(text, other.end) is not None
        return is_list and other.value != number.value
    if mark == "≈" and "/" in number.plain:
        return False  # 1/3 ≈ 0.33
    if mark in ("or", "≈", "\u2192", "\u21d2"):
        return other.value != number.value
    return True


def find_context(text: str, number: Number, *, maths: bool = False) -> Context:
    """Return a number's unit and what follows it."""
    unit, end = match_unit(text, number.end, maths=maths)
    if _joins_another(text, number, end):
        return Context(Follows.ANOTHER, unit, end)
    if _continues(text, number, end, maths=maths):
        return Context(Follows.EXPRESSION, unit, end)
    return Context(Follows.NOTHING, unit, end)


_BEFORE = re.compile(
    r"(?:[<>≤≥≠±√^∞|/]|(?<!_)_|\b[xX] ?\*|\\[a-zA-Z]{1,20}\s?\{?|[+×·÷]|[a-zA-Z]\("
    r"|(?:\)|(?<!\w)[a-zA-Z]) ?-"  # a - 4
    # the logarithm of 42
    r"|\b(?:log|ln|lg|sin|cos|tan|exp|sqrt|cbrt|(?:root|square|cube|logarithm|factorial) of)"
    # Step 3, Option 2
    r"|\b(?:step|option|choice|question|problem|case|part|chapter|section|figure|table"
    r"|page|example|item|equation|line))\s{0,4}\Z",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:not|n't|never|less|more|fewer|greater|least|most|under|over|above|below|between"
    r"|from|either|than|if|unless|except|up to|neither|nor|half|third|quarter"
    r"|twice|double|triple|times)\b|n't\b|[<>≤≥≠±]",
    re.IGNORECASE,
)


def is_piece(text: str, start: int) -> bool:
    """Return whether what comes before `start` makes a number there a piece: ±3, √3."""
    return _BEFORE.search(text, max(0, start - 24), start) is not None


def limits_number(words: str) -> bool:
    """Return whether the words before a number deny or bound it: "not", "at least"."""
    return _BOUND.search(words) is not None
