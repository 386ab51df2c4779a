"""Texts joined to questions they are not about are noticed; the entry's counts add up."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.imports.run import (
    BLOCK_ROWS,
    MIN_CLOSER_FRAC,
    MIN_DECIDED,
    find_mismatched_block,
    is_closer,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import ImportEntry
from tests.builder.imports.conftest import Bring, Write


@pytest.mark.parametrize(
    ("text", "own", "other", "expected"),
    [
        ("It is a FOX.", {"fox", "it"}, {"hen", "it"}, True),
        ("It is a hen.", {"fox", "it"}, {"hen", "it"}, False),
        ("It is.", {"fox", "it"}, {"hen", "it"}, None),
        ("A fox and a hen.", {"fox"}, {"hen"}, None),
        ("", {"fox"}, {"hen"}, None),
    ],
)
def test_closer(
    text: str, own: set[str], other: set[str], expected: bool | None
) -> None:
    assert is_closer(text, own, other) is expected


@given(st.lists(st.sampled_from([True, False, None]), max_size=350))
def test_a_misfit_is_the_first_block_that_tells_and_does_not_fit(
    found: list[bool | None],
) -> None:
    bad = [
        start
        for start in range(0, len(found), BLOCK_ROWS)
        if (
            block := [
                fit for fit in found[start : start + BLOCK_ROWS] if fit is not None
            ]
        )
        and len(block) >= MIN_DECIDED
        and block.count(True) / len(block) < MIN_CLOSER_FRAC
    ]
    first = find_mismatched_block(found)
    assert (None if first is None else first.start) == (bad[0] if bad else None)
    assert first is None or first.stop == min(first.start + BLOCK_ROWS, len(found))


@pytest.mark.parametrize("shift", [0, 1, 7])
@pytest.mark.parametrize("join", ["id", "order"])
def test_rows_out_of_place_are_refused(
    write: Write, bring: Bring, join: str, shift: int
) -> None:
    """From row 100 on every text is `shift` rows late, as where one was lost."""
    draw = Random(1)
    pairs = [
        (f"animal{draw.randrange(8)}", f"place{draw.randrange(8)}") for _ in range(300)
    ]
    questions = [
        {"id": str(i), "question": f"Would {a} go to {b}?", "answer": "yes"}
        for i, (a, b) in enumerate(pairs)
    ]
    about = pairs[:100] + pairs[100 + shift :] + pairs[100 : 100 + shift]
    rows = [
        {"id": str(i), "t": f"Anyone knows {b} for its {a}. The answer is yes."}
        for i, (a, b) in enumerate(about)
    ]
    columns = {"text": "t", **({"id": "id"} if join == "id" else {})}
    source, files = write("s.jsonl", questions), write("r.jsonl", rows)
    if not shift:
        entry = bring(files, source, columns).entry
        assert entry.num_closer == entry.num_telling > 250
        return
    with pytest.raises(
        DataError,
        match=rf"r.jsonl row 100 to r.jsonl row 199 .*by {join} than with another. Expected",
    ):
        bring(files, source, columns)


ENTRY: dict[str, Any] = {
    "files": [{"file": "a.json", "checksum": "0" * 64, "num_rows": 3}],
    "order_from": None,
    "recipe": "cose@1",
    "fingerprint": "0" * 64,
    "made_by": "people",
    "licence": "MIT",
    "url": None,
    "num_texts": 3,
    "num_rationales": 2,
    "dropped": {"no_question": 1},
    "num_questions_without": 0,
    "num_telling": 2,
    "num_closer": 1,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        (
            {"num_texts": 4},
            r"4 texts are not 2 rationales and the dropped {'no_question': 1}",
        ),
        ({"dropped": {}}, "3 texts are not 2"),
        ({"dropped": {"lost": 1}}, r"dropped for \['lost'\]"),
        ({"num_closer": 3}, "num_closer 3, num_telling 2"),
        ({"num_telling": 3}, "num_telling 3 and num_rationales 2"),
    ],
)
def test_an_entry_adds_up(change: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert ImportEntry.parse({**ENTRY, **change}, "entry").num_rationales == 2
        return
    with pytest.raises(DataError, match=message):
        ImportEntry.parse({**ENTRY, **change}, "entry")
