"""Find the numbers of a text that are written in plain digits. Pure.

Mentions of a target are looked for at every number of a rationale, so this is one fast
pattern; `numbers` reads what an answer may be.
"""

import re

from cotbuild.schemas.answers.number_notation import SCALES

# A comma cannot come before a number, so that those of one number are read once. TeX's
# separators can, so their count is bounded.
_GROUPS = (
    r"(?=(?:,|\{,\}|\\,)[0-9]{3})"
    r"(?>(?:,[0-9]{3})*(?:(?:\{,\}|\\,)[0-9]{3}(?:,[0-9]{3})*){0,40})"
)
PLAIN_NUMBER = re.compile(
    r"(?<![\w.,:/^])(?P<sign>[-+]|(?:negative|minus) )?(?:[$£€¥] ?)?(?P<sign2>-)?"
    r"(?:(?P<digits>[0-9]{1,3}" + _GROUPS + r"(?![0-9])"
    r"|[0-9]++)(?P<decimals>\.[0-9]++)?"
    r"(?P<rest> [1-9][0-9]*+/[0-9]++|/[0-9]++)?|(?P<leading>\.[0-9]++))"
    r"(?!\w{0,20}[\d^]|[.,:/]\d|\{,| ?[*x] ?10\^)",
    re.IGNORECASE,
)
SCALE = re.compile(r" ?(thousand|million|billion)\b", re.IGNORECASE)


def plain_number(found: re.Match[str]) -> str:
    """Return a match of `PLAIN_NUMBER` in plain digits.

    Without commas and currency, and with "2 million" multiplied out; fractions stay.
    """
    signs = f"{found['sign'] or ''}{found['sign2'] or ''}".strip()
    sign = "" if signs in ("", "+") else "-"
    whole = re.sub(r"[^0-9]", "", found["digits"] or "0")
    digits = whole + (found["decimals"] or found["leading"] or "")
    if found["rest"]:
        return sign + digits + found["rest"]
    if scale := SCALE.match(found.string, found.end()):
        digits = shift_point(digits, SCALES[scale[1].lower()])
    return sign + digits


def shift_point(digits: str, places: int) -> str:
    """Multiply plain digits by 10 to the power of `places`."""
    whole, _, decimals = digits.partition(".")
    shifted = whole + decimals[:places].ljust(places, "0")
    rest = decimals[places:]
    return f"{shifted}.{rest}" if rest else shifted
