"""Filters as queries of URLs, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.rationale import Flag, Verdict


@settings(deadline=None, max_examples=30)
@given(
    st.builds(
        RowFilter,
        config=st.sampled_from(["rationales", "questions", "post_cot"]),
        verdict=st.none() | st.sampled_from(list(Verdict)),
        flag=st.none() | st.sampled_from(list(Flag)),
        text=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
        tag=st.none() | st.sampled_from(["area:north", "a:b:c", "x:é ü"]),
        min_chars=st.none() | st.integers(0, 10**15),
        max_tokens=st.none() | st.integers(0, 10**15),
    )
)
def test_a_filter_survives_its_query(row_filter: RowFilter) -> None:
    assert RowFilter.from_query(row_filter.to_query()) == row_filter


def test_empty_parameters_count_as_absent() -> None:
    given_by_a_form = {"verdict": "", "text": "", "min_chars": "", "config": ""}
    assert RowFilter.from_query(given_by_a_form) == RowFilter()
    assert not RowFilter.from_query({"config": "questions"}).has_conditions


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([("colour", "red")], "'colour': there is none of this name"),
        ([("x" * 9000, "1")], "there is none of this name"),
        ([("verdict", "right")], "verdict is 'right'"),
        ([("verdict", "correct"), ("verdict", "correct")], "given twice"),
        ([("flag", "CUT")], "flag is 'CUT'"),
        ([("min_chars", "-1")], "not a whole number"),
        ([("min_chars", "1e3")], "not a whole number"),
        ([("min_chars", "٣")], "not a whole number"),
        ([("max_tokens", "9" * 40)], "not a whole number"),
        ([("text", "x" * 1001)], "at most 1000"),
        ([("text", "\ud800")], "surrogate"),
        ([("tag", "north")], "name:value"),
        ([("tag", ":north")], "name:value"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    query: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        RowFilter.from_query(query)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_condition_is_added_and_removed() -> None:
    row_filter = RowFilter.from_query({"verdict": "correct", "text": "a"})
    assert row_filter.replace(verdict=None, flag="cut").to_query() == {
        "text": "a",
        "flag": "cut",
    }
