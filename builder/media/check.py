"""The one door for the bytes of pictures: their type, their size, whether they decode.

Whoever published a data set chose the bytes. They are bounded before anything is
decoded, and read by four of Pillow's decoders only, whatever a name or a header says
that they are.
"""

import hashlib
import io
import warnings
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from cotbuild.builder.media.faults import BadImage
from cotbuild.builder.packages import missing_package
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.record import short_repr

T = TypeVar("T")

MAX_IMAGE_BYTES = 16 << 20
"""Largest picture. In the body of a request it takes a third more."""
MAX_IMAGE_PIXELS = 50_000_000
"""Most pixels of a picture, 200 MB when decoded. Pillow's own limit is 89 million."""

MediaType = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]

_MEDIA_TYPES: dict[str, MediaType] = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    # A JPEG that is followed by others, such as a depth map; decoders show the first.
    "MPO": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_DECODERS = ("PNG", "JPEG", "WEBP", "GIF")
_OTHER_FORMATS = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"\0\0\1\0", "an icon"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
)
"""First bytes of formats that people take for pictures, and their names."""


def read_image_facts(data: bytes) -> ImageRef:
    """Return type, size and digest of a picture from its header; nothing is decoded.

    Raises:
        BadImage: It is too large, animated, or no PNG, JPEG, WebP or GIF.
        ConfigError: Pillow is not installed.
    """
    _check_length(data)
    return _with_image(data, lambda image: _describe(image, data))


def identify_image(data: bytes) -> ImageRef:
    """Return what `read_image_facts` returns, after decoding the whole picture.

    Raises as `read_image_facts` does, and BadImage where decoding fails.
    """
    _check_length(data)

    def decode(image: Any) -> ImageRef:
        described = _describe(image, data)
        image.load()
        return described

    return _with_image(data, decode)


def _check_length(data: bytes) -> None:
    if not data:
        raise BadImage("the picture is empty: 0 bytes")
    if len(data) > MAX_IMAGE_BYTES:
        raise BadImage(
            f"the picture has {len(data):,} bytes, more than {MAX_IMAGE_BYTES:,}"
        )


def _with_image(data: bytes, use: Callable[[Any], T]) -> T:
    """Return `use` of the opened picture; whatever Pillow raises becomes BadImage."""
    image_module = _import_pillow()
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and of many pixels, which are counted here.
            warnings.simplefilter("ignore")
            with image_module.open(io.BytesIO(data), formats=_DECODERS) as image:
                return use(image)
    except BadImage:
        raise
    except image_module.DecompressionBombError as fault:
        raise BadImage(
            f"the picture has more than {MAX_IMAGE_PIXELS:,} pixels"
        ) from fault
    except Exception as fault:  # a decoder raises whatever its parser meets
        raise BadImage(_explain(data, fault)) from fault


def _import_pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as fault:
        raise missing_package("pictures need", "Pillow", "images") from fault
    return Image


def _describe(image: Any, data: bytes) -> ImageRef:
    width, height = image.size
    if width * height > MAX_IMAGE_PIXELS:
        raise BadImage(
            f"the picture has {width} x {height} pixels, more than "
            f"{MAX_IMAGE_PIXELS:,} in all"
        )
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise BadImage(f"the picture is an animated {image.format}; give one frame")
    return ImageRef(
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=_MEDIA_TYPES[image.format],
        width=width,
        height=height,
    )


def _explain(data: bytes, fault: Exception) -> str:
    """Say what bytes are that no decoder took, or why the decoder stopped."""
    if type(fault).__name__ != "UnidentifiedImageError":
        return f"the picture cannot be decoded: {short_repr(str(fault))}"
    for start, name in _OTHER_FORMATS:
        if data.startswith(start):
            return f"the picture is {name}, expected PNG, JPEG, WebP or GIF"
    start_of_text = data[:1000].lstrip().lower()
    if b"<svg" in start_of_text:
        return "the picture is SVG, expected PNG, JPEG, WebP or GIF"
    return f"the picture begins with {short_repr(data[:12])}, which is no PNG, JPEG, WebP or GIF"
