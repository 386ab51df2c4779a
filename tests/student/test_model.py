"""Loading a student, and the precision that the machine or the user chooses."""

import contextlib
from pathlib import Path

import pytest
import torch

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Precision, TrainConfig
from cotbuild.student.model import (
    EAGER_ATTENTION_MAX_TOKENS,
    Student,
    check_token_ids,
    load_student,
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


# -- token ids ---------------------------------------------------------------------------


def save_with_embeddings(student: Student, num_rows: int, folder: Path) -> Path:
    """Save a student whose embeddings were resized without its tokenizer."""
    student.model.resize_token_embeddings(num_rows)
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("missing", [1, 20])
def test_a_tokenizer_larger_than_the_embedding_is_rejected(
    family: str, missing: int, tmp_path: Path
) -> None:
    student = tiny_student(family)
    num_tokens = len(student.tokenizer)
    folder = save_with_embeddings(student, num_tokens - missing, tmp_path / "tiny")
    said = rf"'tiny': its tokenizer writes id \d+ for .* has {num_tokens - missing} emb"
    with pytest.raises(ConfigError, match=said) as caught:
        load_student(folder, "local:x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", ["pad_token", "bos_token", "eos_token"])
def test_an_inserted_token_beyond_the_embedding_is_rejected(role: str) -> None:
    student = tiny_student("llama")
    student.tokenizer.add_special_tokens({role: "<new>"})
    with pytest.raises(ConfigError, match="for '<new>'"):
        check_token_ids(student.model, student.tokenizer, "tiny")


def test_an_added_token_ends_only_the_pass_that_reads_it() -> None:
    student = tiny_student("llama")
    student.tokenizer.add_tokens(["<image>"])
    check_token_ids(student.model, student.tokenizer, "tiny")
    good = student.tokenizer("Wood floats.", return_tensors="pt")
    student.model(**good)
    bad = student.tokenizer("Wood <image> floats.", return_tensors="pt")
    with pytest.raises(ConfigError, match="for '<image>', but the model has"):
        student.model(**bad)


def test_an_embedding_larger_than_the_tokenizer_is_usual(tmp_path: Path) -> None:
    student = tiny_student("gpt2")
    num_tokens = len(student.tokenizer)
    folder = save_with_embeddings(student, num_tokens + 64, tmp_path / "tiny")
    assert load_student(folder, "local:x").identity == "local:x"
