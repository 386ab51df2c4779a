"""Canonical JSON and tagged digests: what request keys, fingerprints and row digests
are made of.
"""

import hashlib
import json
from typing import Any

from cotbuild.schemas.errors import DataError

# Made once: json.dumps would make one a call, and a key takes a call.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no white space, non-ASCII as is: equal values give equal
    text on any platform.

    Raises DataError on what JSON cannot hold exactly (other types, keys that are not
    strings, NaN, infinity).
    """
    _check(value, "$")
    return _ENCODER.encode(value)


def dumped_json(value: dict[str, Any]) -> str:
    """`canonical_json` of what a record was dumped to: JSON types alone, so unchecked,
    in half the time.
    """
    return _ENCODER.encode(value)


def digest(tag: str, value: object) -> str:
    """sha256 (64 hex digits) of `tag`, a newline and the canonical JSON of `value`.

    The tag keeps digests of different kinds of thing apart. Raises DataError as
    `canonical_json` does, and on lone surrogates, which no UTF-8 file can carry.
    """
    return digest_text(tag, canonical_json(value))


def digest_text(tag: str, text: str) -> str:
    """As `digest`, of canonical JSON that is at hand."""
    try:
        return hashlib.sha256(f"{tag}\n{text}".encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{tag}: text with a lone surrogate at {error.start}. Expected valid Unicode."
        ) from error


def _check(value: Any, path: str) -> None:
    kind = type(value)
    if kind in (str, int, bool) or value is None:
        return
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            raise DataError(
                f"canonical JSON: {path} is {value!r}. Expected a finite number."
            )
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise DataError(
                    f"canonical JSON: {path} has the key {key!r}. Expected a string."
                )
            _check(item, f"{path}.{key}")
    elif kind in (list, tuple):
        for i, item in enumerate(value):
            _check(item, f"{path}[{i}]")
    else:
        raise DataError(
            f"canonical JSON: {path} is a {kind.__name__}. Expected JSON types only."
        )
