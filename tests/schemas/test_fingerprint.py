"""Canonical JSON: one text a value, and an error where there is none."""

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.fingerprint import canonical_json, digest

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Colour(StrEnum):
    RED = "red"


@given(values)
def test_it_is_json_and_reads_back(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), scalars, min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {1: 2},
        {"a": {None: 1}},
        [object()],
        {"a": b"x"},
        {"a": {1, 2}},
        Colour.RED,
    ],
)
def test_what_json_cannot_hold_exactly_is_refused(value: Any) -> None:
    with pytest.raises(DataError, match="canonical JSON"):
        canonical_json(value)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(DataError, match="lone surrogate"):
        digest("t", "\ud800")


def test_tags_keep_kinds_apart() -> None:
    assert digest("a", 1) != digest("b", 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), ("1", 1), ([], {}), ("é", "e\u0301"), (None, "null")],
)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assert digest("t", one) != digest("t", other)
