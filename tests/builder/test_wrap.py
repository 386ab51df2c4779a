"""Wrapped text: as textwrap's, but for words without end."""

import textwrap

from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.wrap import MAX_RUN_CHARS, wrap_paragraph


@given(st.text(st.sampled_from("ab-. \t\u3000"), max_size=200), st.integers(8, 30))
def test_ordinary_text_is_wrapped_as_textwrap_does(text: str, width: int) -> None:
    found = wrap_paragraph(text, width, later_indent="  ")
    assert found == textwrap.wrap(text, width, subsequent_indent="  ")


def test_a_long_word_is_cut_at_the_width() -> None:
    word = "a" * (MAX_RUN_CHARS + 1)
    lines = wrap_paragraph(f"See   {word}  here", 50, later_indent="    ")
    assert {len(line) for line in lines[:-1]} == {50}
    assert lines[0].startswith("See aaa")
    assert "".join(line.removeprefix("    ") for line in lines) == f"See {word} here"
    assert wrap_paragraph("\t" * 10_000, 50) == []
