"""How inputs are written in prompts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.prompts.inputs import (
    input_heading,
    input_lines,
    join_pieces,
    without_empty_lines,
)
from cotbuild.schemas.completion import ImagePart, TextPart
from cotbuild.schemas.question import ImageRef, Input

IMAGE = ImageRef(sha256="0" * 64, media_type="image/png", width=1, height=1)


@pytest.mark.parametrize(
    ("name", "heading"),
    [("hint", "Hint"), ("source_lang", "Source lang"), ("image_2", "Image 2")],
)
def test_a_heading_is_the_name_in_words(name: str, heading: str) -> None:
    assert input_heading(name) == heading


def test_only_texts_have_lines() -> None:
    inputs = [Input(name="a", text=" x "), Input(name="image", image=IMAGE)]
    assert input_lines(inputs) == ["A: x"]


@pytest.mark.parametrize(
    ("form", "empty", "kept"),
    [
        ("a: $a\nb: $b", {"a"}, "b: $b"),
        ("a: $a $b\nc", {"a"}, "a: $a $b\nc"),
        ("a: $a $b\nc", {"a", "b"}, "c"),
        ("costs $$5", {"a"}, "costs $$5"),
    ],
)
def test_lines_without_values_are_left_out(
    form: str, empty: set[str], kept: str
) -> None:
    assert without_empty_lines(form, empty) == kept


@given(st.text(), st.text())
def test_texts_are_put_in_once(first: str, second: str) -> None:
    filled = join_pieces("$a|${b}|$$", {"a": first}, {"b": (second,)})
    assert filled == f"{first}|{second}|$"


def test_white_space_next_to_a_picture_is_left_out() -> None:
    content = join_pieces("See\n$i\nor $i", {}, {"i": (IMAGE,)}, "\nend")
    image = ImagePart(image=IMAGE)
    assert content == (
        TextPart(text="See"),
        image,
        TextPart(text="or"),
        image,
        TextPart(text="end"),
    )
