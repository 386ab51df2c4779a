"""Questions that also stand in an evaluation split: which they are, counted, and left
out where asked for.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.sources import find_overlaps, open_source
from cotbuild.builder.sources.overlap import normalise_text
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import DataError
from tests.support.commands import DATA

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What  is it?", "what is it"),
        ("It’s “here”.", "its 'here'"),
        ("The sky is _____", "the sky is"),
        ("ﬁve cups", "Five cups!"),
        ("One\u00a0and\ntwo", "one and two"),
        ("Straße", "STRASSE"),
        ("A (small) cup; a pot:", "a small cup a pot"),
    ],
)
def test_texts_that_are_one_question(one: str, other: str) -> None:
    assert normalise_text(one) == normalise_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 12 - 3?", "What is 12 / 3?"),
        ("What is 3.5?", "What is 35?"),
        ("Is it -7?", "Is it 7?"),
        ("50%?", "50?"),
        ("???", "..."),
        ("a cup", "acup"),
    ],
)
def test_texts_that_are_two_questions(one: str, other: str) -> None:
    assert normalise_text(one) != normalise_text(other)


@given(
    st.lists(st.text("abcdefgh", min_size=1), min_size=1),
    st.lists(st.sampled_from([" ", "\n", ", ", " … ", "; "])),
)
def test_case_punctuation_and_white_space_make_no_difference(
    words: list[str], gaps: list[str]
) -> None:
    joined = "".join(
        word.upper() + gap
        for word, gap in zip(words, [*gaps, *[" "] * len(words)], strict=False)
    )
    assert normalise_text(f"¿{joined}?") == " ".join(words)


def folder(write: Write) -> str:
    rows = [{"id": f"q{i}", "question": f"Number {i}?", "answer": i} for i in range(6)]
    write("set/train.jsonl", rows)
    write("set/dev.jsonl", [{"id": "d", "question": " number  1", "answer": 1}])
    other = [{"id": f"t{i}", "question": f"NUMBER {i}", "answer": i} for i in (1, 4, 9)]
    return str(write("set/test.jsonl", other).parent)


def test_overlap_is_counted_and_left_in(write: Write) -> None:
    source = open_source(SourceConfig(name=folder(write), eval_splits=("dev", "test")))
    assert [q.id for q in source.read("train")] == [f"q{i}" for i in range(6)]
    assert source.overlaps == {"validation": 1, "test": 2}
    assert source.drops == {}


def test_overlap_is_left_out_and_counted_before_the_draw(write: Write) -> None:
    config = SourceConfig(
        name=folder(write), eval_splits=("dev", "test"), drop_overlap=True
    )
    source = open_source(config)
    assert [q.id for q in source.read("train")] == ["q0", "q2", "q3", "q5"]
    # q1 is in both; it is left out once, for the first.
    assert source.overlaps == {"validation": 1, "test": 2}
    assert source.drops == {"overlap_validation": 1, "overlap_test": 1}
    drawn = open_source(config.model_copy(update={"sample": 4}))
    assert len(list(drawn.read("train"))) == 4
    assert drawn.drops == source.drops
    assert [q.id for q in drawn.read("test")] == ["t1", "t4", "t9"]


def test_the_same_text_counts_whatever_its_options(write: Write) -> None:
    stem = {"question": "Which is a chemical change?", "answer": "A"}
    write("set/train.jsonl", [{"choices": ["rust", "melting ice"], **stem}])
    path = write("set/test.jsonl", [{"choices": ["a fire", "a broken cup"], **stem}])
    source = open_source(SourceConfig(name=str(path.parent), eval_splits=("test",)))
    list(source.read("train"))
    assert source.overlaps == {"test": 1}


def test_only_what_is_asked_about_counts(write: Write) -> None:
    source = open_source(
        SourceConfig(name=folder(write), eval_splits=("test",), rows="2:")
    )
    list(source.read("train"))
    assert source.overlaps == {"test": 1}


def test_nothing_left_is_an_error(write: Write) -> None:
    config = SourceConfig(
        name=folder(write), eval_splits=("test",), drop_overlap=True, rows="1:2"
    )
    with pytest.raises(
        DataError,
        match=r"train.jsonl: the text of every question is also in test, so none is left\. Leave out --drop-overl",
    ):
        list(open_source(config).read("train"))


def test_ids_of_what_overlaps(write: Write) -> None:
    source = open_source(SourceConfig(name=folder(write), limit=1))
    assert find_overlaps(source, "train", ["dev", "test"]) == {
        "dev": ["q1"],
        "test": ["q1", "q4"],
    }


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "split", "counts"),
    [
        ("openbookqa", "train", {"validation": 22, "test": 23}),
        ("openbookqa", "test", {"train": 23, "validation": 1}),
        ("arc", "train", {"validation": 0, "test": 6}),
        ("gsm8k", "train", {"test": 0}),
        ("strategyqa", "train", {"validation": 0}),
    ],
)
def test_overlap_of_published_splits(
    name: str, split: str, counts: dict[str, int]
) -> None:
    source = open_source(
        SourceConfig(name=str(DATA / name), split=split, eval_splits=tuple(counts))
    )
    num_questions = sum(1 for _ in source.read(split))
    assert source.overlaps == counts
    dropping = open_source(source.config.model_copy(update={"drop_overlap": True}))
    assert sum(1 for _ in dropping.read(split)) == num_questions - sum(
        dropping.drops.values()
    )
    assert dropping.overlaps == counts
