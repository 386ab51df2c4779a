"""Canonical JSON and tagged digests, which request keys, fingerprints and row digests
are made of.
"""

import hashlib
import json
import math
from typing import Any

from cotbuild.schemas.errors import DataError

# One encoder for all calls: json.dumps creates one per call, and every key needs a call.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: object) -> str:
    """Encode a value as JSON with sorted keys, no white space and non-ASCII unescaped.

    Equal values give equal text on any platform. Raises DataError on what JSON cannot
    hold exactly: other types, keys that are not strings, NaN, infinity.
    """
    _check_encodable(value, "$")
    return _ENCODER.encode(value)


def dumped_json(value: object) -> str:
    """Encode a dumped record, or a value of one, as `canonical_json` does, without
    checking its types.

    A record dumps to JSON types alone. Skipping the check halves the time.
    """
    return _ENCODER.encode(value)


def digest(tag: str, value: object) -> str:
    """Return the SHA-256 (64 hex digits) of `tag`, a newline and canonical JSON.

    The tag keeps digests of different kinds of thing apart. Raises DataError as
    `canonical_json` does, and on lone surrogates, which no UTF-8 file can hold.
    """
    return digest_text(tag, canonical_json(value))


def digest_text(tag: str, text: str) -> str:
    """Return the digest of text that is canonical JSON already; see `digest`."""
    try:
        return hashlib.sha256(f"{tag}\n{text}".encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{tag}: lone surrogate at character {error.start}. Use valid Unicode text."
        ) from error


def _check_encodable(value: Any, path: str) -> None:
    """Raise DataError where JSON would not hold the value exactly."""
    kind = type(value)
    if kind in (str, int, bool) or value is None:
        return
    if kind is float:
        if not math.isfinite(value):
            raise DataError(
                f"canonical JSON: {path} is {value!r}. Expected a finite number."
            )
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise DataError(
                    f"canonical JSON: {path} has the key {key!r}. Expected a string."
                )
            _check_encodable(item, f"{path}.{key}")
    elif kind in (list, tuple):
        for i, item in enumerate(value):
            _check_encodable(item, f"{path}[{i}]")
    else:
        raise DataError(
            f"canonical JSON: {path} is a {kind.__name__}. Expected JSON types only."
        )
