"""What a cell that stands for a picture holds. Pure."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from cotbuild.builder.media.check import MAX_IMAGE_BYTES
from cotbuild.builder.media.faults import BadImage
from cotbuild.schemas.record import short_repr

MAX_URL_CHARS = 8_192
MAX_PATH_CHARS = 4_096

_WEB = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://")
_BASE64_STARTS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
"""How PNG, JPEG, GIF and WebP begin in base64."""
_MIN_BASE64_CHARS = 64
_MAX_BASE64_CHARS = 4 * (MAX_IMAGE_BYTES // 3 + 1) + (1 << 20)
"""Longest text of a picture in base64; line breaks in it take up to a sixteenth more."""
_WHITE_SPACE = re.compile(r"\s+")


class WebAddress(NamedTuple):
    """A picture at an http(s) URL."""

    url: str


class FilePath(NamedTuple):
    """A picture in a file, by a path as the source gives it."""

    path: str


def parse_picture_value(value: object) -> bytes | WebAddress | FilePath:
    """Return the bytes in a cell that stands for a picture, or where they are.

    A cell holds bytes, the {"bytes", "path"} of the Hub's Image feature, a data: URI,
    base64 text, an http(s) URL or a path. Raises BadImage for anything else.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Mapping):
        return _parse_feature(value)
    if isinstance(value, str):
        return _parse_text(value.strip())
    raise BadImage(
        f"the picture is {short_repr(value)}, expected bytes, a path, a URL, a data: "
        "URI or base64"
    )


def is_web_address(value: object) -> bool:
    """Return whether a cell holds an http(s) URL, also as the path of an Image."""
    if isinstance(value, Mapping):
        return value.get("bytes") is None and is_web_address(value.get("path"))
    return isinstance(value, str) and _WEB.match(value.lstrip()) is not None


def _parse_feature(value: Mapping[object, object]) -> bytes | WebAddress | FilePath:
    """Return the bytes of an Image feature, or where its path leads."""
    data, path = value.get("bytes"), value.get("path")
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if data is None and isinstance(path, str):
        return _parse_text(path.strip())
    raise BadImage(
        f"the picture is {short_repr(dict(value))}, expected bytes or a path in it"
    )


def _parse_text(text: str) -> bytes | WebAddress | FilePath:
    if text[:5].lower() == "data:":
        return _read_data_uri(text)
    if _WEB.match(text):
        if len(text) > MAX_URL_CHARS:
            raise BadImage(
                f"the picture's URL has {len(text):,} characters, more than "
                f"{MAX_URL_CHARS:,}"
            )
        return WebAddress(text)
    if _SCHEME.match(text):
        raise BadImage(
            f"the picture is {short_repr(text)}, whose scheme is not read; expected an "
            "http(s) URL or a path"
        )
    if len(text) >= _MIN_BASE64_CHARS and text.startswith(_BASE64_STARTS):
        return _decode_base64(text)
    if not text or len(text) > MAX_PATH_CHARS:
        raise BadImage(
            f"the picture is {short_repr(text)}, expected a path, a URL, a data: URI, or "
            "base64 of PNG, JPEG, WebP or GIF"
        )
    return FilePath(text)


def _read_data_uri(uri: str) -> bytes:
    """Return the bytes of a data: URI, in base64 or percent-encoded."""
    header, comma, payload = uri.partition(",")
    if not comma:
        raise BadImage(f"the picture is {short_repr(uri)}, a data: URI without data")
    if header[-7:].lower() == ";base64":
        return _decode_base64(payload)
    _check_text_length(payload)
    return unquote_to_bytes(payload)


def _decode_base64(text: str) -> bytes:
    _check_text_length(text)
    # Line breaks, as MIME has them, and the alphabet for URLs.
    compact = _WHITE_SPACE.sub("", text).replace("-", "+").replace("_", "/")
    unpadded = compact.rstrip("=")
    padded = unpadded + "=" * (-len(unpadded) % 4)
    try:
        return base64.b64decode(padded, validate=True)
    except binascii.Error as fault:
        raise BadImage(
            f"the picture is {short_repr(text)}, which is no base64: {fault}"
        ) from fault


def _check_text_length(text: str) -> None:
    if len(text) > _MAX_BASE64_CHARS:
        raise BadImage(
            f"the picture has {len(text):,} characters of base64, more than "
            f"{MAX_IMAGE_BYTES:,} bytes"
        )
