"""What a cell that stands for a picture holds."""

import base64
from urllib.parse import quote_from_bytes

import pytest

from cotbuild.builder.media.faults import BadImage
from cotbuild.builder.media.values import (
    FilePath,
    WebAddress,
    is_web_address,
    parse_picture_value,
)
from tests.support.pictures import draw_picture

PNG = draw_picture()
TEXT = base64.b64encode(PNG).decode()
URL = "https://pictures.example/a.png"


@pytest.mark.parametrize(
    "value",
    [
        PNG,
        bytearray(PNG),
        {"bytes": PNG, "path": "a.png"},
        {"bytes": PNG, "path": None},
        TEXT,
        f" {TEXT}\n",
        "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
        TEXT.rstrip("="),
        TEXT.replace("+", "-").replace("/", "_"),
        f"data:image/png;base64,{TEXT}",
        f"DATA:;BASE64,{TEXT}",
        f"data:image/png,{quote_from_bytes(PNG)}",
    ],
)
def test_bytes_come_in_many_forms(value: object) -> None:
    assert parse_picture_value(value) == PNG


@pytest.mark.parametrize("format", ["JPEG", "GIF", "WEBP"])
def test_base64_is_known_by_how_it_begins(format: str) -> None:
    data = draw_picture(format=format)
    assert parse_picture_value(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("train/1/image.png", FilePath("train/1/image.png")),
        (" a.png ", FilePath("a.png")),
        ("/9j/a.png", FilePath("/9j/a.png")),
        ({"bytes": None, "path": "a.png"}, FilePath("a.png")),
        (URL, WebAddress(URL)),
        ("HTTP://pictures.example/a", WebAddress("HTTP://pictures.example/a")),
        ({"bytes": None, "path": URL}, WebAddress(URL)),
    ],
)
def test_other_cells_say_where_the_picture_is(value: object, expected: object) -> None:
    assert parse_picture_value(value) == expected
    assert is_web_address(value) == isinstance(expected, WebAddress)


@pytest.mark.parametrize(
    ("value", "clause"),
    [
        (None, "the picture is None, expected bytes, a path"),
        (3, "the picture is 3, expected bytes"),
        ([PNG], "the picture is .*, expected bytes"),
        ({"path": 3}, "expected bytes or a path in it"),
        ({}, "the picture is {}, expected bytes or a path in it"),
        ("", "the picture is '', expected a path"),
        ("s3://bucket/a.png", "'s3://bucket/a.png', whose scheme is not read"),
        ("file:///etc/passwd", "whose scheme is not read"),
        ("data:image/png", "a data: URI without data"),
        ("data:image/png;base64,?", "which is no base64"),
        (f"https://a.example/{'a' * 9000}", "URL has 9,018 characters"),
        ("a" * 5000, "expected a path, a URL, a data: URI"),
        ("iVBORw0KGgo" + "A" * (24 << 20), "characters of base64, more than"),
    ],
    ids=range(13),
)
def test_anything_else_is_refused_in_one_clause(value: object, clause: str) -> None:
    with pytest.raises(BadImage, match=clause) as caught:
        parse_picture_value(value)
    assert len(str(caught.value)) < 300
