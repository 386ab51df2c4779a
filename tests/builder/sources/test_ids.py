"""Ids: made from content, they survive reordering, inserting and appending; memory for
them is flat.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.sources import Source, open_source
from cotbuild.builder.sources.ids import SeenIds
from cotbuild.builder.sources.make import derive_content_id
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question, QuestionKind

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

texts = st.text("ab ", min_size=1, max_size=3).filter(str.strip)
rows = st.lists(
    st.fixed_dictionaries({"question": texts, "answer": texts}), min_size=1, max_size=12
)


def ids(some_rows: list[dict[str, str]]) -> list[tuple[str, str]]:
    """(text, id) of each row in order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in some_rows))
        return [
            (q.text, q.id)
            for q in open_source(
                SourceConfig(name=str(path), kind=QuestionKind.TEXT)
            ).read("train")
        ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_reordering_keeps_the_ids_of_every_text(data: st.DataObject) -> None:
    before = data.draw(rows)
    after = data.draw(st.permutations(before))
    assert Counter(ids(before)) == Counter(ids(after))


@settings(max_examples=60, deadline=None)
@given(rows, rows, st.integers(0, 12))
def test_inserting_adds_ids_and_changes_none(
    before: list[dict[str, str]], new: list[dict[str, str]], at: int
) -> None:
    after = ids(before[:at] + new + before[at:])
    assert not Counter(ids(before)) - Counter(after)
    assert len(set(after)) == len(before) + len(new)


def test_repeats_are_numbered(write: Write, ask: Ask) -> None:
    questions, _ = ask(
        write("a.jsonl", [{"question": text, "answer": "x"} for text in "pqpp"])
    )
    first, other = questions[0].id, questions[1].id
    assert [q.id for q in questions] == [first, other, f"{first}#2", f"{first}#3"]
    assert len(first) == 16


def test_the_target_is_not_in_the_id_and_the_choices_are() -> None:
    assert derive_content_id("q", []) == "1282e59a09e9e290"
    names = [
        derive_content_id("q", []),
        derive_content_id("q", [("A", "x"), ("B", "y")]),
        derive_content_id("q", [("A", "x"), ("B", "z")]),
    ]
    assert len(set(names)) == 3


@given(
    st.lists(st.tuples(st.text(), st.text()), max_size=3),
    st.lists(st.tuples(st.text(), st.text()), max_size=3),
)
def test_no_two_contents_share_an_id(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    assert (derive_content_id("q", one) == derive_content_id("q", other)) == (
        one == other
    )


def test_a_lone_surrogate_has_no_id(write: Write, ask: Ask) -> None:
    with pytest.raises(
        DataError, match=r"row 0 \(from 0\): question 'q.ud800' has a lone surrogate"
    ):
        ask(write("a.jsonl", '{"question": "q\\ud800", "answer": "x"}\n'))


def test_a_dropped_row_takes_no_id(write: Write, ask: Ask) -> None:
    rows = [{"question": "q", "answer": a} for a in ("x", None, "y")]
    questions, source = ask(write("a.jsonl", rows), on_bad_row="drop")
    assert [q.id for q in questions] == [questions[0].id, f"{questions[0].id}#2"]
    assert source.drops == {"no_target": 1}


@given(st.lists(st.text(max_size=2)))
def test_seen_ids_count_as_a_counter_does(names: list[str]) -> None:
    seen, counter = SeenIds(), Counter[str]()
    for name in names:
        counter[name] += 1
        assert seen.count(name) == counter[name]


def test_seen_ids_grow() -> None:
    seen = SeenIds()
    assert {seen.count(str(i)) for i in range(5000)} == {1}
    assert {seen.count(str(i)) for i in range(5000)} == {2}


@pytest.mark.parametrize(
    ("limit", "left"), [(None, ["a", "b", "c"]), (2, ["a", "b"]), (9, ["a", "b", "c"])]
)
def test_limit_and_reading_again(
    limit: int | None, left: list[str], write: Write, ask: Ask
) -> None:
    rows = [{"id": name, "question": "q", "answer": "x"} for name in "aabc"]
    path = write("a.jsonl", rows)
    questions, source = ask(path, limit=limit, on_bad_row="drop")
    again = list(source.read("train"))
    assert [q.id for q in questions] == left
    assert again == questions
    assert source.drops == {"duplicate_id": 1}
