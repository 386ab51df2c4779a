"""The Retry-After header of HTTP (RFC 9110, section 10.2.3)."""

import math
import time
from email.utils import parsedate_to_datetime


def parse_retry_after(
    value: str | None, *, max_s: float = math.inf, now_s: float | None = None
) -> float | None:
    """Return the seconds that a Retry-After header asks to wait, from 0 to `max_s`.

    The header holds a number of seconds or an HTTP date, which is compared with `now_s`
    (seconds since the epoch; None: the clock). Returns None if there is no header or it
    is malformed.
    """
    if value is None:
        return None
    try:
        wait_s = float(value)
    except ValueError:
        date_s = _parse_http_date(value)
        if date_s is None:
            return None
        wait_s = date_s - (time.time() if now_s is None else now_s)
    if math.isnan(wait_s):
        return None
    return min(max(wait_s, 0.0), max_s)


def _parse_http_date(value: str) -> float | None:
    """Return an HTTP date as seconds since the epoch, or None if it is none."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):  # of a year or a zone of 20 digits
        return None
