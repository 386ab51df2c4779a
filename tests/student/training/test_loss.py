"""The loss equals a computation by hand, however its rows are split."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.prompts.student import (
    StudentPrompt,
    label_spans,
    layout_of,
)
from cotbuild.prompts.student_rows import training_rows
from cotbuild.schemas.training import Loss
from cotbuild.schemas.variant import (
    Placement,
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from cotbuild.student.tokenize_parts import LabelEnds, TokenPart, tokenize_with_parts
from cotbuild.student.training.loss import (
    LossTotals,
    compute_token_weights,
    sum_weighted_losses,
)
from tests.schemas.test_records import question
from tests.support.tiny import FAMILIES, merging_tokenizer, shared_student

P, L, R = TokenPart.PROMPT, TokenPart.LABEL, TokenPart.RATIONALE
ROWS = ([P, P, L, L, R, R, R, R], [P, L, R, R], [P, P, P, L])
TOKENS = sum(part != P for row in ROWS for part in row)


def nll(logits: torch.Tensor, target: int) -> torch.Tensor:
    return (
        torch.log(sum((torch.exp(value) for value in logits), torch.zeros(())))
        - logits[target]
    )


def by_hand(
    logits: list[torch.Tensor], targets: list[list[int]], loss: Loss, weight: float
) -> torch.Tensor:
    """Straight from the definition, with loops."""
    if loss is Loss.PLAIN:
        all_of = [
            nll(of_row[t], ids[t])
            for of_row, ids, row in zip(logits, targets, ROWS, strict=True)
            for t in range(len(row))
            if row[t] != P
        ]
        return sum(all_of, torch.zeros(())) / len(all_of)
    total = torch.zeros(())
    for row_logits, ids, row in zip(logits, targets, ROWS, strict=True):
        for part, factor in ((L, 1.0), (R, weight)):
            of_part = [
                nll(row_logits[t], ids[t]) for t in range(len(row)) if row[t] == part
            ]
            if of_part:
                total = total + factor * sum(of_part, torch.zeros(())) / len(of_part)
    return total / len(ROWS)


@pytest.mark.parametrize(
    ("loss", "weight"),
    [(Loss.PARTS, 1.0), (Loss.PARTS, 0.25), (Loss.PARTS, 0.0), (Loss.PLAIN, 1.0)],
)
def test_loss_and_gradient_equal_a_computation_by_hand(
    loss: Loss, weight: float
) -> None:
    torch.manual_seed(0)
    logits = [torch.randn(len(row), 7, requires_grad=True) for row in ROWS]
    targets = [torch.randint(7, (len(row),)) for row in ROWS]
    found = torch.zeros(3)
    for row, row_logits, ids in zip(
        ROWS, logits, targets, strict=True
    ):  # each row a micro-batch of its own
        weights = torch.tensor(
            compute_token_weights(row, LossTotals(len(ROWS), TOKENS), loss, weight)
        ).T
        found = found + sum_weighted_losses(row_logits[None], ids[None], weights[None])
    expected = by_hand(logits, [ids.tolist() for ids in targets], loss, weight)
    torch.testing.assert_close(found[0], expected)
    wanted = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(torch.autograd.grad(found[0], logits), wanted)
    if loss is Loss.PARTS:
        torch.testing.assert_close(found[0], found[1] + weight * found[2])


PARTS = st.lists(
    st.lists(st.sampled_from([P, L, R]), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


@given(PARTS, st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_weights_of_parts_are_means_over_tokens_and_examples(
    rows: list[list[TokenPart]], weight: float
) -> None:
    totals = LossTotals(len(rows), sum(part != P for row in rows for part in row))
    weights = [compute_token_weights(row, totals, Loss.PARTS, weight) for row in rows]
    share = [sum(part in row for row in rows) / len(rows) for part in (L, R)]
    assert math.isclose(sum(sum(w[1]) for w in weights), share[0], abs_tol=1e-9)
    assert math.isclose(sum(sum(w[2]) for w in weights), share[1], abs_tol=1e-9)
    assert math.isclose(
        sum(sum(w[0]) for w in weights), share[0] + weight * share[1], abs_tol=1e-9
    )


@given(PARTS)
def test_plain_loss_weighs_every_supervised_token_equally(
    rows: list[list[TokenPart]],
) -> None:
    totals = LossTotals(len(rows), sum(part != P for row in rows for part in row))
    for row in rows:
        for part, weight in zip(
            row, compute_token_weights(row, totals, Loss.PLAIN, 1.0)[0], strict=True
        ):
            assert weight == (0 if part == P else 1 / totals.tokens)


def test_two_tasks_weigh_as_one_row_with_both_parts() -> None:
    totals = LossTotals(examples=1, tokens=5)
    one = compute_token_weights([P, L, L, R, R, R], totals, Loss.PARTS, 1.0)[0]
    predict = compute_token_weights([P, L, L], totals, Loss.PARTS, 1.0)[0]
    explain = compute_token_weights([P, R, R, R], totals, Loss.PARTS, 1.0)[0]
    assert one[1:] == predict[1:] + explain[1:]


def row_of(
    placement: Placement, label: str = "a wooden boat", rationale: str = "It floats."
) -> VariantRow:
    choices = [
        {"label": "A", "text": "a wooden boat"},
        {"label": "B", "text": "a stone"},
    ]
    prompt = StudentPrompt(
        question(text="Which of these floats?", choices=choices, target="A")
    )
    [row] = training_rows(spec_of(placement), prompt, 0, label, rationale)
    return row


def spec_of(placement: Placement) -> VariantSpec:
    return VariantSpec(name="v", about="a", placement=placement, options=False)


EOS = "<eos>"
# Placement, what is supervised as label, and as rationale. The token that ends a label
# is the label's.
MASKS = [
    (Placement.LABEL_ONLY, " a wooden boat<eos>", ""),
    (Placement.PRE_COT, " a wooden boat<eos>", " It floats.\nAnswer:"),
    (Placement.POST_COT, " a wooden boat\n", "Reasoning: It floats.<eos>"),
    (Placement.EXPLANATION, " a wooden boat because", " It floats.<eos>"),
    (
        Placement.BOTH_SIDES,
        " a wooden boat\n a wooden boat<eos>",
        "Reasoning: It floats.\nAnswer:",
    ),
    (Placement.RATIONALE_ONLY, "", " It floats.<eos>"),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "word", ["a wooden boat", "neither"]
)  # the space before the second is a token of its own
@pytest.mark.parametrize(("placement", "label", "rationale"), MASKS)
def test_parts_cover_label_rationale_and_end_only(
    family: str, placement: Placement, label: str, rationale: str, word: str
) -> None:
    tokenizer, row = shared_student(family).tokenizer, row_of(placement, word)
    label = label.replace("a wooden boat", word)
    spans = label_spans(row, layout_of(spec_of(placement)))
    prompt, completion = str(row.prompt), row.completion_text
    ids, parts, _ = tokenize_with_parts(tokenizer, prompt, completion, spans)

    def said(part: TokenPart) -> str:
        text = tokenizer.decode(
            [i for i, found in zip(ids, parts, strict=True) if found == part]
        )
        return str(text).replace(str(tokenizer.eos_token), EOS)

    # How many tokens " because" is hangs on the tokenizer: the one behind the label is
    # told by the first.
    if placement is Placement.EXPLANATION:
        assert said(L) + said(R) == label + rationale
        assert said(L).startswith(f" {word} ")
    else:
        assert (said(L), said(R)) == (label, rationale)
    assert said(P).removeprefix("<bos>") == row.prompt
    assert ids[-1] == tokenizer.eos_token_id
    assert ids.count(tokenizer.eos_token_id) == 1


@pytest.mark.parametrize(
    ("completion", "label", "supervised", "merged"),
    [
        (" the U.S.\nReasoning: it is.", "the U.S.", " the U.S.\n", 1),
        (" the U.S\nReasoning: it is.", "the U.S", " the U.S\n", 0),
        (" the U.S.", "the U.S.", f" the U.S.{EOS}", 0),
        (" it is.\nReasoning: the U.S.", "the U.S.", f" the U.S.{EOS}", 0),
    ],
)
def test_no_word_of_the_rationale_ends_a_label(
    completion: str, label: str, supervised: str, merged: int
) -> None:
    tokenizer = merging_tokenizer()
    start = completion.index(label)
    row = tokenize_with_parts(
        tokenizer, "Where?", completion, [(start, start + len(label))]
    )
    ids = [
        token
        for token, part in zip(row.input_ids_T, row.parts_T, strict=True)
        if part == L
    ]
    assert tokenizer.decode(ids) == supervised
    assert row.merged_ends == merged


@pytest.mark.parametrize("after", ["\nReasoning: it is.", " because", "", ".\n"])
@given(labels=st.lists(st.text("U.S it\n!", min_size=1), max_size=4))
def test_labels_that_end_themselves_are_found_without_their_prompts(
    after: str, labels: list[str]
) -> None:
    ends = LabelEnds(merging_tokenizer(), after)
    expected = [
        tokenize_with_parts(
            merging_tokenizer(), "", f" {label}{after}", [(1, 1 + len(label))]
        ).merged_ends
        for label in labels
    ]
    assert [ends.any_merged([label]) for label in labels] == [n > 0 for n in expected]
    assert ends.any_merged(labels) is any(expected)
