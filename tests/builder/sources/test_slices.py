"""Range of rows, seeded draw, limit: what each keeps, in which order they work, and
what they leave alone.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.sources import Source, open_source
from cotbuild.builder.sources.slices import (
    RowRange,
    draw_bound,
    draw_key,
    parse_row_range,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]
ROOT = Path(__file__).parents[3]
TEN = [{"id": f"q{i}", "question": f"What is {i}?", "answer": i} for i in range(10)]


def rows_of(questions: list[Question]) -> list[int]:
    return [question.source.row for question in questions]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("2:5", [2, 3, 4]),
        (":3", [0, 1, 2]),
        ("8:", [8, 9]),
        (":", list(range(10))),
        ("9:1000", [9]),
        ("0:1", [0]),
    ],
)
def test_a_range_keeps_the_rows_positions(
    rows: str, expected: list[int], write: Write, ask: Ask
) -> None:
    questions, _ = ask(write("train.jsonl", TEN), rows=rows)
    assert rows_of(questions) == expected
    assert [q.id for q in questions] == [f"q{i}" for i in expected]


@pytest.mark.parametrize("rows", ["5:3", "3:3", ":0"])
def test_a_range_without_rows_is_refused_before_reading(
    rows: str, tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("not even JSON")
    with pytest.raises(
        ConfigError, match=rf"--rows '{rows}' selects no row\. START must"
    ):
        open_source(SourceConfig(name=str(path), rows=rows))


def test_a_range_behind_the_end_is_an_error(write: Write, ask: Ask) -> None:
    with pytest.raises(
        DataError,
        match=r"train.jsonl: it ends before row 10 \(from 0\), where --rows begins",
    ):
        ask(write("train.jsonl", TEN), rows="10:")


def test_a_range_is_of_the_split_asked_about_only(write: Write) -> None:
    folder = write("set/train.jsonl", TEN).parent
    write("set/test.jsonl", TEN)
    source = open_source(SourceConfig(name=str(folder), rows="0:2", sample=1, limit=1))
    assert len(list(source.read("train"))) == 1
    assert len(list(source.read("test"))) == 10


@pytest.mark.parametrize("rows", ["0:4", "6:", "6:10"])
def test_a_fault_outside_the_range_stops_nothing(
    rows: str, write: Write, ask: Ask
) -> None:
    lines: list[Any] = [*TEN[:5], {**TEN[5], "question": None}, *TEN[6:]]
    path = write("train.jsonl", lines)
    questions, source = ask(path, rows=rows)
    assert (
        rows_of(questions)
        == list(range(10))[
            slice(*(int(part) if part else None for part in rows.split(":")))
        ]
    )
    assert source.drops == {}
    with pytest.raises(
        DataError, match=r"train.jsonl row 5 \(from 0\): question is None"
    ):
        ask(path, rows="4:7")
    _, source = ask(path, rows="4:7", on_bad_row="drop")
    assert source.drops == {"missing_field": 1}


def test_numbered_ids_are_the_same_in_every_range(write: Write, ask: Ask) -> None:
    path = write("train.jsonl", [{"question": "Same?", "answer": i} for i in range(4)])
    whole, _ = ask(path)
    for start in range(4):
        assert ask(path, rows=f"{start}:")[0] == whole[start:]


@given(st.integers(0, 50), st.one_of(st.none(), st.integers(0, 50)))
def test_row_range_parses_what_it_is_written_as(start: int, end: int | None) -> None:
    text = f"{start}:{'' if end is None else end}"
    if end is not None and end <= start:
        with pytest.raises(ConfigError):
            parse_row_range(text)
    else:
        assert parse_row_range(text) == RowRange(start, end)


def test_a_draw_is_as_large_as_asked_in_source_order_and_holds_every_smaller_one(
    write: Write, ask: Ask
) -> None:
    path = write("train.jsonl", TEN)
    before: set[str] = set()
    for count in range(1, 11):
        questions, _ = ask(path, sample=count)
        assert len(questions) == count
        assert rows_of(questions) == sorted(rows_of(questions))
        assert before < {q.id for q in questions}
        before = {q.id for q in questions}
    assert ask(path, sample=1000)[0] == ask(path)[0]


def test_a_draw_depends_on_seed_and_id_and_on_nothing_else(
    write: Write, ask: Ask
) -> None:
    path, turned = write("train.jsonl", TEN), write("turned_train.jsonl", TEN[::-1])
    drawn = [
        {q.id for q in ask(path, sample=4, sample_seed=seed)[0]} for seed in range(5)
    ]
    assert len({frozenset(ids) for ids in drawn}) > 1
    assert {q.id for q in ask(turned, sample=4, sample_seed=3)[0]} == drawn[3]
    # Fixed for good: a released dataset names its draw.
    assert draw_key(0, "q0") == 13465232030161823336
    assert sorted(drawn[0]) == ["q1", "q2", "q4", "q7"]


def test_limit_comes_after_the_draw_and_the_draw_after_the_range(
    write: Write, ask: Ask
) -> None:
    path = write("train.jsonl", TEN)
    drawn, _ = ask(path, rows="3:9", sample=4)
    assert set(rows_of(drawn)) <= set(range(3, 9))
    assert ask(path, rows="3:9", sample=4, limit=2)[0] == drawn[:2]


def test_bad_rows_do_not_shrink_a_draw(write: Write, ask: Ask) -> None:
    path = write("train.jsonl", [*TEN, {"id": "x", "question": None, "answer": 1}])
    questions, source = ask(path, sample=10, on_bad_row="drop")
    assert (len(questions), source.drops) == (10, {"missing_field": 1})


@given(
    st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=200), st.integers(1, 220)
)
def test_draw_bound_is_the_nth_smallest(keys: list[int], count: int) -> None:
    expected = sorted(keys)[count - 1] if count <= len(keys) else 2**64 - 1
    assert draw_bound(keys, count) == expected


def test_draw_bound_over_more_keys_than_it_holds() -> None:
    keys = [draw_key(7, str(i)) for i in range(30_000)]
    for count in (1, 10, 4095, 4096, 12_345, 30_000):
        assert draw_bound(iter(keys), count) == sorted(keys)[count - 1]


def test_memory_of_a_draw_is_16_bytes_per_drawn_question() -> None:
    code = """
import tracemalloc
import numpy
from cotbuild.builder.sources.slices import draw_bound
tracemalloc.start()
draw_bound(((i * 11400714819323198485) % 2**64 for i in range(300_000)), 20_000)
print(tracemalloc.get_traced_memory()[1])
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / ".ns")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    # 16 bytes a key, the same again while numpy copies, and what an array reserves
    # ahead.
    assert int(done.stdout) < 20_000 * 16 * 3
