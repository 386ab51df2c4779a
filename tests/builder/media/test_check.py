"""The door for the bytes of pictures: what passes, and one clause for what does not."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.media.check import (
    MAX_IMAGE_BYTES,
    identify_image,
    read_image_facts,
)
from cotbuild.builder.media.faults import BadImage
from cotbuild.schemas.question import ImageRef
from tests.support.pictures import draw_animation, draw_picture


@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
    ],
)
def test_a_picture_is_known_by_its_content(format: str, media_type: str) -> None:
    data = draw_picture(size=(40, 30), format=format)
    image = identify_image(data)
    facts = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": media_type,
        "width": 40,
        "height": 30,
    }
    assert image == ImageRef.parse(facts, "test")
    assert read_image_facts(data) == image


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        pytest.param(b"", "is empty: 0 bytes", id="empty"),
        pytest.param(b"hello", "begins with b'hello', which is no PNG", id="text"),
        pytest.param(b"<?xml?><svg/>", "is SVG, expected PNG", id="svg"),
        pytest.param(draw_picture(format="BMP"), "is BMP, expected PNG", id="bmp"),
        pytest.param(draw_picture(format="TIFF"), "is TIFF, expected PNG", id="tiff"),
        pytest.param(draw_animation("GIF"), "is an animated GIF", id="gif"),
        pytest.param(draw_animation("PNG"), "is an animated PNG", id="apng"),
        pytest.param(draw_animation("WEBP"), "is an animated WEBP", id="webp"),
        pytest.param(draw_picture(size=(7100, 7100)), "7100 x 7100 pixels", id="large"),
        pytest.param(
            draw_picture(size=(20000, 9000)), "more than 50,000,000 pixels", id="bomb"
        ),
        pytest.param(b"\0" * (MAX_IMAGE_BYTES + 1), "has 16,777,217 bytes", id="bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_header(data: bytes, clause: str) -> None:
    for read in (read_image_facts, identify_image):
        with pytest.raises(BadImage, match=clause):
            read(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP"])
def test_half_a_picture_is_no_picture(format: str) -> None:
    data = draw_picture(size=(200, 200), format=format)
    with pytest.raises(BadImage, match=r"^the picture"):
        identify_image(data[: len(data) // 2])


@given(
    st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]),
    st.integers(0, 400),
    st.binary(max_size=8),
)
def test_damaged_bytes_raise_one_error_or_pass(
    format: str, place: int, put: bytes
) -> None:
    data = draw_picture(format=format)
    damaged = data[:place] + put + data[place + len(put) :]
    try:
        image = identify_image(damaged)
    except BadImage:
        return
    assert image.sha256 == hashlib.sha256(damaged).hexdigest()
