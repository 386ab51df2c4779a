"""Grouped attention computes what transformers' own does, for every family."""

import pytest
import torch

from cotbuild.student.evaluation.decode import decode_prompts, tokenize_prompt
from cotbuild.student.evaluation.grouped_attention import (
    GROUPED_ATTENTION,
    use_grouped_attention,
)
from cotbuild.student.evaluation.options import score_options
from cotbuild.student.model import Student
from tests.student.evaluation.test_options import POST, PROMPTS, asked
from tests.support.tiny import FAMILIES, tiny_student


def grouped_student(family: str) -> Student:
    student = tiny_student(family)
    use_grouped_attention(student.model)
    return student


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_and_texts_are_those_of_the_models_own_attention(family: str) -> None:
    own, grouped = tiny_student(family), grouped_student(family)
    scores = dict(score_options(own, asked(own, POST), 10_000))
    for number, found in score_options(grouped, asked(own, POST), 10_000):
        for one, other in zip(found, scores[number], strict=True):
            assert one == pytest.approx(other, abs=1e-4)
    prompts = [tokenize_prompt(own, prompt) for prompt in PROMPTS]
    limits, stops = [20] * len(prompts), [()] * len(prompts)
    texts = dict(decode_prompts(own, prompts, limits, stops, 10_000))
    assert texts == dict(decode_prompts(grouped, prompts, limits, stops, 10_000))


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_families_with_shared_keys_use_it(family: str) -> None:
    model = grouped_student(family).model
    assert model.config._attn_implementation == GROUPED_ATTENTION
    assert model.config.num_key_value_heads < model.config.num_attention_heads


def test_another_attention_that_was_chosen_stays() -> None:
    model = tiny_student("llama").model
    model.set_attn_implementation("eager")
    use_grouped_attention(model)
    assert model.config._attn_implementation == "eager"
    assert model.device == torch.device("cpu")
