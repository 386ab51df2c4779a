"""JSON is parsed within bounds, and values are shown within bounds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.errors import MAX_MESSAGE_CHARS, DataError, StoreError
from cotbuild.schemas.json_text import (
    MAX_JSON_DEPTH,
    JsonFault,
    parse_json,
    parse_record_json,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import short_repr

DEEPEST = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH

ANY_JSON = [
    ("[" + DEEPEST + "]", "nested deeper than 100 levels"),
    ("[" * 500_000, "nested deeper than 100 levels"),
    ('{"a": ' * 900 + "1" + "}" * 900, "nested deeper than 100 levels"),
    ('[{"a": ' * 60 + "1" + "}]" * 60, "nested deeper than 100 levels"),
    ("[NaN]", "NaN is no JSON value"),
    ("9" * 5_000, "more than (4,300 digits|64 bits)"),
    ("{", "Expecting property name"),
    ("", "Expecting value"),
]
RECORDS_ALONE = [
    ('{"n": 9223372036854775808}', "more than 64 bits"),
    ('{"n": -9223372036854775809}', "more than 64 bits"),
    (f'{{"n": {"9" * 4_000}}}', "more than 64 bits"),
    ('{"n": 1e999}', "out of range"),
    (r'{"a": ["\ud800"]}', "lone surrogate"),
    (r'{"a\uDFFF": 1}', "lone surrogate"),
    ('"\udc80"', "lone surrogate at character 1"),
    (b'{"a": "\xff"}', "byte 7 is 0xff, not UTF-8"),
    ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' twice"),
]


@pytest.mark.parametrize(("text", "message"), [*ANY_JSON, *RECORDS_ALONE])
def test_a_record_that_exceeds_a_bound_is_refused(
    text: str | bytes, message: str
) -> None:
    with pytest.raises(JsonFault, match=message) as caught:
        parse_record_json(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("text", "message"), ANY_JSON)
def test_a_row_that_exceeds_a_bound_is_refused(text: str, message: str) -> None:
    with pytest.raises(JsonFault, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    "text",
    [DEEPEST, r'["\ud83d\ude00"]', '"' + "[" * 500 + '"', "[" + "[]," * 500 + "1]"],
)
def test_what_is_within_the_bounds_is_read(text: str) -> None:
    assert parse_json(text) == json.loads(text)
    assert parse_record_json(text) == json.loads(text)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
)


@given(plain)
def test_plain_values_are_those_of_the_standard_library(value: Any) -> None:
    text = json.dumps(value)
    assert parse_record_json(text.encode()) == parse_json(text) == value


@given(plain | st.tuples(plain, plain))
def test_a_value_is_shown_by_its_repr(value: Any) -> None:
    shown, full = short_repr(value), repr(value)
    assert len(shown) <= 80
    if len(full) <= 80:
        assert shown == full


def deep(kind: type) -> object:
    value: Any = 1
    for _ in range(100_000):
        value = {"k": value} if kind is dict else kind([value])
    return value


@pytest.mark.parametrize(
    "value",
    [
        deep(list),
        deep(dict),
        deep(tuple),
        10**5_000,
        [-(10**5_000)],
        ["x" * 10_000_000] * 1_000_000,
        {"a" * 1_000_000: 1},
        b"\0" * 10_000_000,
        frozenset([10**5_000]),
        "\ud800" * 100,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_of_any_size_and_depth_is_shown(value: object) -> None:
    shown = short_repr(value)
    assert len(shown) <= 80
    assert shown.isascii()


def test_a_value_that_holds_itself_is_shown() -> None:
    value: list[object] = []
    value.append(value)
    assert len(short_repr(value)) <= 80


@pytest.mark.parametrize("error", [DataError, StoreError])
def test_a_message_keeps_its_beginning_and_its_advice(error: type[Exception]) -> None:
    message = "file.json: " + "x" * 100_000 + ". Correct it."
    shown = str(error(message))
    assert len(shown) <= MAX_MESSAGE_CHARS
    assert shown.startswith("file.json: x")
    assert shown.endswith(". Correct it.")
    assert str(error("short")) == "short"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": "q\ud800"}, "id"),
        ({"target": "\udfff"}, "target"),
        ({"other_targets": ("ok", "\ud800")}, "other_targets.1"),
        ({"text": "\ud800"}, "text"),
        (
            {
                "source": {
                    "dataset": "d",
                    "config_name": "\udcff",
                    "split": "s",
                    "revision": None,
                    "row": 0,
                }
            },
            "source.config_name",
        ),
    ],
)
def test_no_record_holds_a_lone_surrogate(changes: dict[str, Any], place: str) -> None:
    value = Question.create("Why?", target="so").model_dump() | changes
    with pytest.raises(DataError, match=f"^row 3: {place} is .*lone surrogate"):
        Question.parse(value, "row 3")
