"""Paths into nested values, and where one stops."""

from typing import Any

import pytest

from cotbuild.builder.sources.paths import check_paths, find_stop, find_value, path_root

ROW: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Why?"}, {"content": "So."}],
    "resps": [["a", "b"], ["c"]],
    "scores": {"0": "zero", "-1": "minus"},
    "a.b": "dotted",
    "a": {"b": "nested", "list[0]": "bracketed", "": "nameless"},
    "text": "plain",
    "null": None,
    "json": '[{"role": "user", "content": "Why?"}]',
    "python": "{'text': array(['a', 'b'], dtype=object)}",
    "open": "[not a list",
    "x[0]": "column",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("text", "plain"),
        ("messages.0.content", "Why?"),
        ("messages[0].content", "Why?"),
        ("messages.-1.content", "So."),
        ("messages[-1].content", "So."),
        ("resps.0.1", "b"),
        ("resps[0][1]", "b"),
        ("resps[-1].-1", "c"),
        ("resps.1", ["c"]),
        ("scores.0", "zero"),
        ("scores.-1", "minus"),
        ("a.b", "dotted"),
        ("a.", "nameless"),
        ("x[0]", "column"),
        ("null", None),
        ("json.0.content", "Why?"),
        ("json[role=user].-1.content", "Why?"),
        ("json.*.role", ["user"]),
        ("python.text.1", "b"),
        ("open", "[not a list"),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: object) -> None:
    assert (find_value(ROW, path), find_stop(ROW, path)) == (value, None)


@pytest.mark.parametrize(
    ("path", "clause"),
    [
        ("messages.5.content", "'messages' has 2 items, so there is no item 5"),
        ("messages[-3]", "'messages' has 2 items, so there is no item -3"),
        ("resps[1].1", "'resps[1]' has 1 item, so there is no item 1"),
        ("messages.-1.role", "'messages.-1' has no field 'role', only ['content']"),
        ("messages.content", "'messages' is a list; 'messages.0.content' is in"),
        ("text.more", "'text' is 'plain', which has no 'more' inside"),
        ("text.0", "'text' is 'plain', which has no '0' inside"),
        ("json.0.name", "'json.0' has no field 'name', only ['role', 'content']"),
        ("open.0", "'open' is '[not a list', which has no '0' inside"),
        ("null.x", "'null' is None, which has no 'x' inside"),
        ("scores[0]", "'scores' has no field 0"),
        ("messages." + "9" * 5_000, "there is no"),
        ("text" + "[0]" * 3, "'text' is 'plain', which has no '0' inside"),
        ("a.b[x]", "'a' has no field 'b[x]'"),
    ],
)
def test_a_path_says_where_it_stops(path: str, clause: str) -> None:
    stop = find_stop(ROW, path)
    assert stop is not None
    assert clause in stop.describe() or path.endswith("9" * 5_000)
    assert find_value(ROW, path) is None


@pytest.mark.parametrize(
    ("path", "root"),
    [("a.b", "a"), ("a[0].b", "a"), ("a", "a"), ("", ""), ("a[x].b", "a[x]")],
)
def test_the_root_is_a_column(path: str, root: str) -> None:
    assert path_root(path) == root


def test_a_path_is_wrong_where_no_row_has_it() -> None:
    null_row = {**ROW, "text": None}
    assert check_paths(["messages.1.content", "text"], [ROW, null_row]) is None
    assert check_paths(["text.more"], [ROW, null_row]) is None
    found = check_paths(["text", "text.more"], [ROW, ROW])
    assert found is not None
    assert found[0] == "text.more"


def test_a_row_without_the_column_is_no_stop() -> None:
    assert find_stop(ROW, "gone.x") is None
    assert find_value(ROW, "gone.x") is None
