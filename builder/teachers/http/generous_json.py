"""Parses JSON as servers write it. No IO."""

import json
import math
from typing import Any

from pydantic_core import from_json


def load_json(raw: bytes) -> tuple[Any, bool]:
    """Parse JSON generously; return the value, and whether characters were replaced.

    A byte order mark, control characters in strings, bytes that are no UTF-8 and lone
    surrogates are accepted. Raises ValueError if it is not JSON.
    """
    try:
        return from_json(raw), False
    except ValueError:
        pass  # the parser below is slower, and accepts more
    encoding = json.detect_encoding(raw)
    text = raw.decode(encoding, "replace")
    try:
        value = json.loads(text, parse_int=_parse_int, strict=False)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    except ValueError as fault:
        raise ValueError(f"Invalid JSON: {fault}") from None
    was_replaced = raw.decode(encoding, "ignore") != text
    return value, was_replaced


def _parse_int(digits: str) -> int | float:
    """Return a number, or infinity for one that nothing counts."""
    return int(digits) if len(digits) <= 20 else math.inf


def replace_surrogates(text: str) -> str:
    """Return the text with U+FFFD in place of lone surrogates, which no file can hold."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
