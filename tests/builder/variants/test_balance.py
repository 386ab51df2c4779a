"""Equally many rationales of each target, whatever the order they come in."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.balance import draw_balanced
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.variant import Selection

Row = dict[str, Any]


def rows_of(targets: str) -> list[Row]:
    """A rationale for each letter; `-` is a question without a target."""
    return [
        {
            "question_id": f"q{number}",
            "sample_index": 0,
            "kind": "choice",
            "target": None if target == "-" else target,
        }
        for number, target in enumerate(targets)
    ]


def drawn(rows: list[Row], seed: int = 0) -> list[Row]:
    mask = draw_balanced(rows, seed)
    assert len(mask) == len(rows)
    return [row for row, is_drawn in zip(rows, mask, strict=True) if is_drawn]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("AAAAABBBC", {"A": 1, "B": 1, "C": 1}),
        ("AABB", {"A": 2, "B": 2}),
        ("AAA", {"A": 3}),
        ("AAB--", {"A": 1, "B": 1}),
        ("--", {}),
        ("", {}),
    ],
)
def test_the_rarest_target_decides(targets: str, expected: dict[str, int]) -> None:
    found = drawn(rows_of(targets))
    assert Counter(row["target"] for row in found) == expected


@given(st.text("ABC-", max_size=40), st.integers(0, 5), st.randoms())
def test_the_order_of_rationales_makes_no_difference(
    targets: str, seed: int, random: Random
) -> None:
    rows = rows_of(targets)
    shuffled = rows[:]
    random.shuffle(shuffled)
    ids = {row["question_id"] for row in drawn(rows, seed)}
    assert {row["question_id"] for row in drawn(shuffled, seed)} == ids


def test_another_seed_draws_others() -> None:
    rows = rows_of("A" * 50 + "B" * 5)
    assert drawn(rows, seed=0) != drawn(rows, seed=1)


@pytest.mark.parametrize("kind", ["number", "text"])
def test_only_questions_with_labels_can_be_balanced(kind: str) -> None:
    rows = rows_of("A")
    rows[0]["kind"] = kind
    with pytest.raises(ConfigError, match=f"'q0' is of kind {kind}"):
        draw_balanced(rows, 0)


def test_a_selection_without_balance_has_the_digest_that_it_had() -> None:
    assert "balance" not in Selection().model_dump(mode="json")
    assert Selection(balance="target").model_dump()["balance"] == "target"
