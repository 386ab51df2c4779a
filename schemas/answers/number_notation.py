"""Match one number at one place, in the notations that people and models write. Pure.

Signs; currency; groups of digits (1,234,567; 1,23,456; 12 345; 12'345; 9{,}500;
1.234.567; 1.234,56); decimals (.25); fractions (3/4, 1 1/2, 2\\frac{1}{4}, ½); powers
(1.5 × 10^3, 1e3, 2^{10}, 10⁶); scales (5k, 1.5 million, $2bn).

A value is exact: a Decimal or a Fraction. Texts are as `fold_number` and
`latex.undress` leave them.
"""

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from cotbuild.schemas.answers.folding import fold

Value = Decimal | Fraction

_MAX_EXPONENT = 1000
"""Largest exponent that is read, and most digits of a power."""


class Number(NamedTuple):
    """A number in a text."""

    value: Value
    plain: str
    """In plain digits, as written apart from that: 1234.50, 3/4, 1 5/6."""
    start: int
    """Of its sign or currency."""
    end: int
    """Behind its scale, before a unit."""
    currency: str = ""
    """Its currency sign; empty: none before it."""


class _Magnitude(NamedTuple):
    """A number without its sign."""

    value: Value
    plain: str
    end: int


def fold_number(text: str) -> str:
    """Return a text in the form in which numbers are read, with the length it has."""
    return fold(text).replace("\u2044", "/").replace("\u2215", "/")


# --- sign and currency ---

CURRENCY = r"(?:(?:US|CA|AU|HK|NZ|[ACSR])?\$|[£€¥₹₩₽₫₺₴₪฿¢])"
_HEAD = re.compile(
    r"(?P<sign>[-+] ?|(?:negative|minus) )?"
    rf"(?P<currency>(?:{CURRENCY}|(?:USD|EUR|GBP|INR|CNY|RMB|Rs\.?)(?= ?[-0-9.])) ?)?"
    r"(?P<sign2>[-+])?",
    re.IGNORECASE,
)
_HEAD_CHARS = "+-nNmM$£€¥₹₩₽₫₺₴₪฿¢uUcCaAhHsSrReEgGiI"


def match_number(text: str, start: int = 0, *, maths: bool = False) -> Number | None:
    """Match the longest number at `start`; None if there is none.

    In `maths` a letter beside digits is a variable and no scale: 4k.
    """
    has_head = text[start : start + 1] in _HEAD_CHARS
    head = _HEAD.match(text, start) if has_head else None
    sign, sign2, currency = (
        head.group("sign", "sign2", "currency") if head else ("",) * 3
    )
    if sign and sign2:
        return None
    magnitude = _match_magnitude(text, head.end() if head else start)
    if magnitude is None:
        return None
    magnitude = _apply_scale(text, magnitude, has_currency=bool(currency), maths=maths)
    is_negative = bool(sign or sign2) and not (sign or sign2).startswith("+")
    return Number(
        value=_negate(magnitude.value) if is_negative else magnitude.value,
        plain=f"-{magnitude.plain}" if is_negative else magnitude.plain,
        start=start,
        end=magnitude.end,
        currency=(currency or "").strip(),
    )


def _negate(value: Value) -> Value:
    # The minus operator would round a Decimal to 28 digits.
    return value.copy_negate() if isinstance(value, Decimal) else -value


def _match_magnitude(text: str, start: int) -> _Magnitude | None:
    if fraction := _match_symbol_fraction(text, start):
        return fraction
    digits = _match_digits(text, start)
    if digits is None:
        return None
    for match in (_match_mixed, _match_slash, _match_power):
        if found := match(text, digits):
            return found
    return digits


# --- digits ---

_DIGITS = re.compile(
    # The same separator throughout: 1,234,567; 9{,}500; 12 345; 12'345
    r"(?P<grouped>[1-9][0-9]{0,2}(?P<separator>(?:,|\{,\})\u2009{0,3}|\u2009{2,3}| |')"
    r"[0-9]{3}(?:(?P=separator)[0-9]{3}){0,60})(?![0-9])(?!(?P=separator)[0-9])"
    r"(?P<grouped_rest>\.[0-9]++)?"
    # 12,34,567
    r"|(?P<indian>[1-9][0-9]?(?:,[0-9]{2}){1,30},[0-9]{3})(?![0-9]|,[0-9])"
    r"(?P<indian_rest>\.[0-9]++)?"
    # 1.234.567; 1.234.567,8
    r"|(?P<dotted>[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,60})(?:,(?P<dotted_rest>[0-9]++))?"
    r"(?![0-9]|[.,][0-9])"
    # 1.234,56; 1.234,567 may be two numbers
    r"|(?P<short>[1-9][0-9]{0,2}\.[0-9]{3}),(?P<short_rest>(?![0-9]{3}(?![0-9]))[0-9]++)"
    r"(?![.,]?[0-9])"
    r"|(?P<plain>[0-9]++(?:\.[0-9]++|\.(?= ?%))?|\.[0-9]++)"
)
_SYMBOL_UNIT = (
    rf"(?: ?(?:%|°|{CURRENCY}|(?:[kcm]?m|[km]?g|km/h|[mc]?l|L|USD|EUR|GBP)\b))"
)
_DECIMAL_COMMA = re.compile(
    # 3{,}5, and "3,5" beside a unit; without one it may be two numbers
    rf"\{{,\}}(?P<latex>[0-9]{{1,2}})(?![0-9])|,(?P<rest>[0-9]{{1,2}})(?={_SYMBOL_UNIT})"
)
_DECIMAL_COMMA_PRICE = re.compile(r",(?P<rest>[0-9]{2})(?![0-9]|[.,][0-9])")


def _match_digits(text: str, start: int) -> _Magnitude | None:
    found = _DIGITS.match(text, start)
    if found is None:
        return None
    if found["plain"]:
        return _match_decimal_comma(text, start, found["plain"])
    whole = found["grouped"] or found["indian"] or found["dotted"] or found["short"]
    plain = re.sub(r"[^0-9]", "", whole)
    plain += found["grouped_rest"] or found["indian_rest"] or ""
    if rest := found["dotted_rest"] or found["short_rest"]:
        plain += f".{rest}"
    return _Magnitude(Decimal(plain), plain, found.end())


def _match_decimal_comma(text: str, start: int, plain: str) -> _Magnitude:
    end = start + len(plain)
    has_price = text[max(0, start - 1) : start] in tuple("$£€")
    comma = None
    if "." not in plain:
        comma = _DECIMAL_COMMA.match(text, end)
        if comma is None and has_price:
            comma = _DECIMAL_COMMA_PRICE.match(text, end)
    if comma is None:
        plain = f"0{plain}" if plain.startswith(".") else plain.rstrip(".")
        return _Magnitude(Decimal(plain), plain, end)
    plain = f"{plain}.{comma[comma.lastgroup or 0]}"
    return _Magnitude(Decimal(plain), plain, comma.end())


# --- fractions ---

_VULGAR = {
    chr(code): Fraction(unicodedata.numeric(chr(code))).limit_denominator(10)
    for code in (0xBC, 0xBD, 0xBE, *range(0x2150, 0x215F), 0x2189)
}
_LATEX_FRACTION = re.compile(
    r"\\[dtc]?frac\s{0,4}(?:\{\s{0,4}(?P<top>-?(?:[0-9.,]|\{,\}){1,100})\s{0,4}\}|(?P<digit>[0-9]))"
    r"\s{0,4}(?:\{\s{0,4}(?P<bottom>(?:[0-9.,]|\{,\}){1,100})\s{0,4}\}|(?P<digit2>[0-9]))"
)
_SLASH = re.compile(r" ?/ ?(?P<bottom>[0-9]{1,100})(?![0-9]|[.,/][0-9])")
_BARE_FRACTION = re.compile(
    r"(?P<top>[0-9]{1,18}) ?/ ?(?P<bottom>[0-9]{1,18})(?![0-9]|[.,/][0-9])"
)
_BEFORE_FRACTION = re.compile(
    r"\s{0,4}(?=\\[dtc]?frac)| and (?=[0-9]+/[0-9])| (?=[0-9]+ ?/ ?[0-9])| ?"
)


def _match_symbol_fraction(text: str, start: int) -> _Magnitude | None:
    """Match \\frac{3}{4} or ½."""
    char = text[start : start + 1]
    if vulgar := _VULGAR.get(char):
        plain = f"{vulgar.numerator}/{vulgar.denominator}"
        return _Magnitude(vulgar, plain, start + 1)
    if char != "\\":
        return None
    found = _LATEX_FRACTION.match(text, start)
    if found is None:
        return None
    top, bottom = found["top"] or found["digit"], found["bottom"] or found["digit2"]
    return _divide(top, bottom, found.end())


def _match_mixed(text: str, whole: _Magnitude) -> _Magnitude | None:
    """Match the fraction of 1 1/2, 2\\frac{1}{4} or 3½ behind its whole number."""
    if "." in whole.plain:
        return None
    gap = _BEFORE_FRACTION.match(text, whole.end)
    at = gap.end() if gap else whole.end
    fraction = _match_symbol_fraction(text, at)
    if fraction is None and at > whole.end and (bare := _BARE_FRACTION.match(text, at)):
        fraction = _divide(bare["top"], bare["bottom"], bare.end())
    if fraction is None or fraction.value < 0:
        return None
    return _Magnitude(
        Fraction(whole.value) + Fraction(fraction.value),
        f"{whole.plain} {fraction.plain}",
        fraction.end,
    )


def _match_slash(text: str, top: _Magnitude) -> _Magnitude | None:
    """Match the rest of 3/4 behind its first number."""
    slash = _SLASH.match(text, top.end)
    if slash is None or "." in top.plain or len(top.plain) > 100:
        return None
    return _divide(top.plain, slash["bottom"], slash.end())


def _divide(top: str, bottom: str, end: int) -> _Magnitude | None:
    """Return a fraction of two numbers as written; None if it has no value."""
    negative = top.startswith("-")
    above, below = _read_part(top.removeprefix("-")), _read_part(bottom)
    if above is None or below is None or not below.value:
        return None
    value = Fraction(above.value) / Fraction(below.value)
    plain = f"{above.plain}/{below.plain}"
    if "." in plain:
        plain = format_value(value)
    return (
        _Magnitude(-value, f"-{plain}", end)
        if negative
        else _Magnitude(value, plain, end)
    )


def _read_part(part: str) -> _Magnitude | None:
    digits = _match_digits(part, 0)
    return digits if digits and digits.end == len(part) else None


# --- powers and scales ---

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_EXPONENT = (
    r"(?:(?:\^|\*\*) ?(?:\{ ?(?P<braced>[-+]?[0-9]{1,6}) ?\}|(?P<bare>[-+]?[0-9]{1,6}))"
    r"|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,6}))(?![0-9⁰¹²³⁴⁵⁶⁷⁸⁹^]|[.,][0-9])"
)
_TIMES_TEN = re.compile(r"\s{0,8}[×·*x⋅∙•]\s{0,8}10\s?" + _EXPONENT, re.IGNORECASE)
_POWER = re.compile(_EXPONENT)
_E = re.compile(r"e(?P<exponent>[-+]?[0-9]{1,6})(?![\w.])", re.IGNORECASE)


def _match_power(text: str, base: _Magnitude) -> _Magnitude | None:
    """Match the rest of 1e3, 1.5 × 10^3 or 2^{10} behind its first number."""
    if found := _E.match(text, base.end):
        return _shift(base, int(found["exponent"]), found.end())
    if found := _TIMES_TEN.match(text, base.end):
        return _shift(base, _exponent_of(found), found.end())
    if found := _POWER.match(text, base.end):
        return _raise(base, _exponent_of(found), found.end())
    return None


def _exponent_of(found: re.Match[str]) -> int:
    digits = found["braced"] or found["bare"] or found["raised"]
    return int(digits.translate(_SUPERSCRIPTS))


def _shift(base: _Magnitude, places: int, end: int) -> _Magnitude | None:
    """Multiply by 10 to the power of `places`."""
    if abs(places) > _MAX_EXPONENT:
        return None
    if isinstance(base.value, Fraction):
        value: Value = base.value * Fraction(10) ** places
    else:
        value = Decimal(f"{base.plain}E{places}")
    return _Magnitude(value, format_value(value), end)


def _raise(base: _Magnitude, exponent: int, end: int) -> _Magnitude | None:
    if len(base.plain) * abs(exponent) > _MAX_EXPONENT * 2:
        return None
    if not base.value and exponent <= 0:
        return None
    value = Fraction(base.value) ** exponent
    return _Magnitude(value, format_value(value), end)


SCALES = {
    "hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9,
    "trillion": 12, "bn": 9, "mn": 6, "mln": 6, "k": 3, "m": 6, "b": 9,
}  # fmt: skip
_SCALE_WORD = re.compile(
    r"\s{1,3}(?P<scale>hundred|thousand|million|billion|trillion|lakh|crore)\b"
    r"|-?(?P<joined>thousand|million|billion|trillion)\b"
    r"|\s?(?P<short>bn|mn|mln)\b(?!/)",
    re.IGNORECASE,
)
_SCALE_LETTER = re.compile(r"k(?![\w/^])")
_SCALE_OF_PRICE = re.compile(r" ?(?P<scale>[kKmMbB])(?![\w/^])")


def _apply_scale(
    text: str, number: _Magnitude, *, has_currency: bool, maths: bool
) -> _Magnitude:
    """Multiply out "2 million" and 5k; M and B are scales of a price only."""
    scale, end = "", number.end
    if found := _SCALE_WORD.match(text, number.end):
        scale, end = found["scale"] or found["joined"] or found["short"], found.end()
    elif has_currency and (found := _SCALE_OF_PRICE.match(text, number.end)):
        scale, end = found["scale"], found.end()
    elif not maths and (found := _SCALE_LETTER.match(text, number.end)):
        scale, end = "k", found.end()
    if not scale:
        return number
    return _shift(number, SCALES[scale.lower()], end) or number


def format_value(value: Value) -> str:
    """Return a value in plain digits, as a fraction if it is no finite decimal."""
    if isinstance(value, Decimal):
        digits = format(value, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if value.denominator == 1:
        return str(value.numerator)
    return f"{value.numerator}/{value.denominator}"
