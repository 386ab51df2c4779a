"""Rationales that no method can score, and students whose scores are no numbers."""

import copy
import math

import pytest
import torch

from cotbuild.schemas.attribution import ConvergenceBounds, Refusal
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import QuestionKind
from cotbuild.student.attribution.contrast import SharedTokensError, make_case
from cotbuild.student.attribution.scorers import GradientScorer, WordScorer
from cotbuild.student.attribution.settings import AttributedRow, IntegrationSettings
from cotbuild.student.attribution.words import attention_window
from tests.student.attribution.test_gradients import LAYOUT, QUESTION, RATIONALE, row_of
from tests.support.tiny import shared_student, tiny_tokenizer

INTEGRATION = IntegrationSettings(
    steps=2,
    bounds=ConvergenceBounds(
        max_steps=64, max_completeness_error=0.05, min_rank_correlation=0.9
    ),
)


@pytest.mark.parametrize("rationale", [".", ""])
def test_a_rationale_without_a_token_of_its_own_is_refused(rationale: str) -> None:
    """Some tokenizers make one token of a full stop and the line break behind it."""
    tokenizer = tiny_tokenizer("gpt2")
    tokenizer.add_tokens([".\n"])
    row = row_of(rationale)
    with pytest.raises(
        SharedTokensError, match="question 'q' sample 0: no token is of"
    ):
        make_case(tokenizer, LAYOUT, row, QuestionKind.CHOICE)
    student = shared_student("gpt2")._replace(tokenizer=tokenizer)
    scorer = GradientScorer(student, LAYOUT, INTEGRATION, batch_tokens=64)
    scored = scorer.score(AttributedRow(row, QUESTION, rationale))
    assert (scored.refused, scored.spans, scored.steps) == (Refusal.TOKENS, (), None)


def test_scores_that_are_not_finite_are_an_error() -> None:
    student = shared_student("gpt2")
    damaged = copy.deepcopy(student.model)
    for weights in damaged.parameters():
        torch.nn.init.constant_(weights, math.nan)
    student = student._replace(model=damaged)
    for scorer in (
        GradientScorer(student, LAYOUT, INTEGRATION, batch_tokens=64),
        WordScorer(student, LAYOUT, batch_tokens=64),
    ):
        with pytest.raises(DataError, match="question 'q' sample 0: student "):
            scorer.score(AttributedRow(row_of(), QUESTION, RATIONALE))


@pytest.mark.parametrize(
    ("layer_types", "window"),
    [
        (["full_attention", "full_attention"], math.inf),
        (["full_attention", "chunked_attention"], 0),
        (["linear_attention", "full_attention"], 0),
    ],
)
def test_only_layers_that_follow_a_mask_are_run_in_one_sequence(
    layer_types: list[str], window: float
) -> None:
    model = copy.deepcopy(shared_student("gpt2").model)
    assert attention_window(model) == math.inf
    model.config.layer_types = layer_types
    assert attention_window(model) == window
