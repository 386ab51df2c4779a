"""The precision of training, chosen by the machine or by the user."""

import contextlib

import pytest
import torch

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Precision, TrainConfig
from cotbuild.student.model import (
    EAGER_ATTENTION_MAX_TOKENS,
    resolve_precision,
    set_attention,
)
from cotbuild.student.training.batches import WeightedRow, collate, compute_losses
from cotbuild.student.training.trainer import make_trainer_args
from tests.support.tiny import FAMILIES, tiny_student


def config(chosen: Precision | None) -> TrainConfig:
    return TrainConfig(variant="post_cot", precision=chosen)


@pytest.mark.parametrize("chosen", Precision)
def test_a_configured_precision_is_used_on_any_machine(
    chosen: Precision, tmp_path: object
) -> None:
    assert resolve_precision(config(chosen)) is chosen
    args = make_trainer_args(config(chosen), tmp_path, 3, keep=False)  # type: ignore[arg-type]
    assert args.bf16 == (chosen is Precision.BFLOAT16)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about CPUs")
def test_a_cpu_with_matrix_units_defaults_to_bfloat16() -> None:
    has = bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    assert resolve_precision(config(None)) is (
        Precision.BFLOAT16 if has else Precision.FLOAT32
    )


def test_an_unknown_precision_is_rejected() -> None:
    with pytest.raises(ConfigError, match="precision"):
        TrainConfig.parse(
            {"variant": "post_cot", "precision": "float16"}, "settings", ConfigError
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about CPUs")
@pytest.mark.parametrize(
    ("chosen", "longest", "plain"),
    [
        (Precision.BFLOAT16, EAGER_ATTENTION_MAX_TOKENS, True),
        (Precision.BFLOAT16, EAGER_ATTENTION_MAX_TOKENS + 1, False),
        (Precision.FLOAT32, 8, False),
    ],
)
def test_attention_is_plain_for_short_rows_in_bfloat16(
    chosen: Precision, longest: int, plain: bool
) -> None:
    model = tiny_student("llama").model
    set_attention(model, config(chosen), longest)
    assert (model.config._attn_implementation == "eager") == plain


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradient_are_near_those_of_float32(family: str) -> None:
    rows = [
        WeightedRow(list(range(5, 5 + n)), ([0.0] * 3 + [1.0 / n] * (n - 3),) * 3)
        for n in (9, 17)
    ]
    found = []
    for chosen in Precision:
        student = tiny_student(family)
        set_attention(student.model, config(chosen), 17)
        low = chosen is Precision.BFLOAT16
        with (
            torch.autocast("cpu", dtype=torch.bfloat16)
            if low
            else contextlib.nullcontext()
        ):
            loss = compute_losses(student.model, collate(rows, student.pad_id))[0]
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = [
            weights.grad.flatten()
            for weights in student.model.parameters()
            if weights.grad is not None
        ]
        found.append((loss.item(), torch.cat(gradients)))
    (full, gradient), (near, near_gradient) = found
    assert near == pytest.approx(full, rel=0.03)
    assert (
        float(torch.nn.functional.cosine_similarity(gradient, near_gradient, dim=0))
        > 0.95
    )
