"""The order of updates, their split into micro-batches, and padding."""

from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.training import Loss
from cotbuild.student.tokenize_parts import (
    TokenizedParts,
    TokenPart,
    tokenize_with_parts,
)
from cotbuild.student.training.batches import (
    WeightedRow,
    collate,
    compute_losses,
    plan_updates,
    split_update,
)
from cotbuild.student.training.loss import (
    LossTotals,
    compute_token_weights,
    sum_weighted_losses,
)
from tests.support.tiny import FAMILIES, TEXTS, shared_student

KEYS = [f"0 q{number}" for number in range(23)]


@given(st.integers(0, 5), st.sampled_from([0.3, 1.0, 2.0, 2.5]), st.integers(1, 9))
def test_every_pass_contains_each_example_once(
    seed: int, epochs: float, batch_rows: int
) -> None:
    updates = plan_updates(KEYS, seed, epochs, batch_rows)
    order = [i for update in updates for i in update]
    assert len(order) == round(epochs * len(KEYS))
    assert {len(update) for update in updates[:-1]} <= {batch_rows}
    for start in range(0, len(order), len(KEYS)):
        one_pass = order[start : start + len(KEYS)]
        assert len(set(one_pass)) == len(one_pass)


def test_the_order_depends_on_seed_and_keys_only() -> None:
    def named(keys: list[str], seed: int) -> list[list[str]]:
        return [[keys[i] for i in update] for update in plan_updates(keys, seed, 2, 4)]

    assert named(KEYS, 1) == named(KEYS[::-1], 1)
    assert named(KEYS, 1) != named(KEYS, 2)
    assert named(KEYS, 1)[0][:4] != [KEYS[i] for i in plan_updates(KEYS, 1, 2, 4)[-1]]
    assert plan_updates(KEYS, 0, 0.001, 4) == [
        plan_updates(KEYS, 0, 1, 1)[0]
    ]  # at least one row


@given(
    st.lists(st.integers(1, 300), max_size=24), st.integers(1, 900), st.integers(1, 4)
)
def test_micro_batches_contain_each_row_once_and_processes_get_as_many(
    lengths: list[int], batch_tokens: int, processes: int
) -> None:
    shares = split_update(lengths, batch_tokens, 48, processes)
    assert len(shares) == processes
    assert len({len(share) for share in shares}) == 1
    batches = [batch for share in shares for batch in share]
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert (
            len(batch) <= 1
            or len(batch) * max(lengths[i] for i in batch) <= batch_tokens
        )


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=8),
    st.integers(90, 300),
    st.integers(0, 300),
)
def test_no_other_split_of_the_sorted_rows_costs_less(
    lengths: list[int], batch_tokens: int, switch: int
) -> None:
    def cost(batches: list[list[int]]) -> int:
        return sum(switch + len(batch) * max(batch) for batch in batches)

    ordered = sorted(lengths)
    ways = []
    for number in range(len(ordered)):
        for marks in combinations(range(1, len(ordered)), number):
            edges = [0, *marks, len(ordered)]
            way = [ordered[a:b] for a, b in pairwise(edges)]
            if all(len(batch) * max(batch) <= batch_tokens for batch in way):
                ways.append(cost(way))
    assert cost(
        [
            [lengths[i] for i in batch]
            for batch in split_update(lengths, batch_tokens, switch)[0]
        ]
    ) == min(ways)


def encoded(family: str) -> list[TokenizedParts]:
    tokenizer = shared_student(family).tokenizer
    pairs = [
        (TEXTS[0], TEXTS[1]),
        (TEXTS[0][:40], " a stone"),
        (TEXTS[2][:11], " Iron sinks, as a stone does."),
    ]
    return [
        tokenize_with_parts(tokenizer, prompt, said, [(1, 6)]) for prompt, said in pairs
    ]


def weighted(rows: list[TokenizedParts], loss: Loss) -> list[WeightedRow]:
    totals = LossTotals(
        len(rows), sum(part != TokenPart.PROMPT for row in rows for part in row.parts_T)
    )
    return [
        WeightedRow(
            row.input_ids_T, compute_token_weights(row.parts_T, totals, loss, 0.5)
        )
        for row in rows
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loss", Loss)
def test_neither_padding_nor_logits_left_out_change_loss_and_gradient(
    family: str, loss: Loss
) -> None:
    student = shared_student(family)
    rows = weighted(encoded(family), loss)
    assert len({len(row.input_ids_T) for row in rows}) == 3
    weights = [
        weight
        for name, weight in student.model.named_parameters()
        if "embed" not in name
    ]
    found, expected = (
        compute_losses(student.model, collate(rows, student.pad_id)),
        torch.zeros(3),
    )
    for row in rows:  # alone, without padding, every logit asked for
        ids = torch.tensor([row.input_ids_T])
        logits = student.model(ids).logits
        expected = expected + sum_weighted_losses(
            logits[:, :-1], ids[:, 1:], torch.tensor(row.weights).T[None, 1:]
        )
    torch.testing.assert_close(found, expected)
    wanted = torch.autograd.grad(expected[0], weights)
    for one, other in zip(torch.autograd.grad(found[0], weights), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_content_of_padding_does_not_matter(family: str) -> None:
    student = shared_student(family)
    rows = weighted(encoded(family), Loss.PARTS)
    found = [
        compute_losses(student.model, collate(rows, pad)) for pad in (student.pad_id, 5)
    ]
    torch.testing.assert_close(found[0], found[1])


def test_only_logits_of_supervised_tokens_are_computed() -> None:
    rows = weighted(
        [
            TokenizedParts([5, 6, 7, 8, 9], [0, 0, 0, 1, 2]),
            TokenizedParts([5, 6], [0, 1]),
        ],
        Loss.PARTS,
    )
    batch = collate(rows, pad_id=3)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9], [3, 3, 3, 5, 6]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4], [0, 0, 0, 0, 1]]
    assert batch["weights"].shape == (2, 2, 3)
