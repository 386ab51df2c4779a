"""Values from data and configuration cannot leave their place: Markdown, HTML, YAML,
BibTeX.
"""

import re
from html.parser import HTMLParser

import yaml
from huggingface_hub import DatasetCard
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cotbuild.builder.card import code_span, dump_yaml, inline_text, parse_front_matter
from cotbuild.builder.card.markdown import (
    MAX_INLINE,
    bibtex_text,
    code_block,
    details_block,
    table_lines,
)
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.yaml_text import MAX_YAML_BYTES

MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = [
    "a | b",
    "`x` ``y``",
    "<script>alert(1)</script>",
    "<!-- x",
    "![i](u) [l](u) [r]: u",
    "https://evil.example www.evil.example",
    "$math$ $$m$$",
    "---",
    "# h",
    "1. x",
    "- x",
    "=",
    "</details>",
    "```\n````\n# out",
    "a\n---\nb: c",
    "\0\x1b[31m\u2028\u2029\x85\u202etxt.exe\u2066",
    "&lt;b&gt; &#60;",
    "\\",
    "\ud800",
    "}, x = {",
    "x" * 1_000_000,
]
TEXTS = st.one_of(
    st.text(),
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from(HOSTILE[:-1])).map(" ".join),
)


def shown(markdown: str) -> str:
    """The text of a page's only paragraph, without its marks."""
    kinds = [token.type for token in MARKDOWN.parse(markdown)]
    assert kinds == ["paragraph_open", "inline", "paragraph_close"]
    children = MARKDOWN.parse(markdown)[1].children or []
    assert {child.type for child in children} <= {"text", "text_special"}
    return "".join(child.content for child in children)


@given(TEXTS.filter(lambda text: text.strip()))
def test_inline_is_plain_text_and_reads_as_the_value(value: str) -> None:
    expected = escape_hidden(" ".join(value.split()))
    found = shown(inline_text(value))
    assert (
        found == expected
        if len(value) <= MAX_INLINE
        else found.endswith(f" … (cut: {len(value):,} characters)")
    )


@given(TEXTS)
def test_code_is_one_span_in_its_backticks(value: str) -> None:
    assert "|" not in code_span(value)
    (child,) = MARKDOWN.parse(code_span(value))[1].children or []
    assert child.type == "code_inline"


@given(st.lists(TEXTS, min_size=2, max_size=3), st.booleans())
def test_a_table_has_just_the_cells_meant(values: list[str], as_code: bool) -> None:
    cells = tuple(map(code_span if as_code else inline_text, values))
    tokens = MARKDOWN.parse("\n".join(table_lines(cells, [cells, cells])) + "\n")
    assert [t.type for t in tokens].count("td_open") == 2 * len(values)
    assert [t.type for t in tokens].count("th_open") == len(values)
    assert tokens[-1].type == "table_close"


@given(TEXTS, TEXTS)
def test_a_folded_block_holds_its_text(value: str, summary: str) -> None:
    tokens = MARKDOWN.parse(
        "\n".join([*details_block(summary, code_block(value, "json")), "# after"])
    )
    assert [token.type for token in tokens[:3]] == ["html_block", "fence", "html_block"]
    assert tokens[4].content == "after"
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
            tags.append(tag)

    Tags().feed(tokens[0].content)
    assert tags == ["details", "summary"]


@given(TEXTS)
def test_bibtex_keeps_braces_and_quotes_in_balance(value: str) -> None:
    found = bibtex_text(value)
    depth = 0
    for brace in re.findall("[{}]", found):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert "\n" not in found
    assert not re.search(r"(?<!\\)[%&#$]", found)


SAFE = TEXTS.filter(lambda text: all(not 0xD800 <= ord(c) <= 0xDFFF for c in text))


@settings(max_examples=40)  # PyYAML takes seconds for a megabyte
@given(
    st.dictionaries(
        st.sampled_from(["pretty_name", "license_name", "x"]),
        SAFE | st.lists(SAFE, max_size=2),
    )
)
def test_front_matter_gives_values_back_to_every_reader(
    values: dict[str, object],
) -> None:
    values = {"license": "mit", **values}
    text = f"---\n{dump_yaml(values)}---\n\n# Card\n\n---\n"
    # Two of the long texts are more than a front matter may hold.
    assume(len(text) < MAX_YAML_BYTES)
    assert parse_front_matter(text, "card") == values
    card = DatasetCard(text)
    data = card.data.to_dict()  # type: ignore[no-untyped-call]
    assert {name: data.get(name, values[name]) for name in values} == values
    assert card.text.strip() == "# Card\n\n---"
    assert yaml.safe_load(dump_yaml(values)) == values
