"""The precision that the machine or the user chooses."""

import platform
from pathlib import Path

import pytest
import torch

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Precision, TrainConfig
from cotbuild.student.precision import (
    has_bfloat16_units,
    name_cpu,
    processor_kind,
    resolve_precision,
    runs_at_speed,
    torch_dtype,
)
from cotbuild.student.training.trainer import make_trainer_args


def config(chosen: Precision | None) -> TrainConfig:
    return TrainConfig(variant="post_cot", precision=chosen)


@pytest.mark.parametrize("chosen", Precision)
def test_a_configured_precision_is_used_on_any_machine(
    chosen: Precision, tmp_path: Path
) -> None:
    assert resolve_precision(config(chosen)) is chosen
    args = make_trainer_args(config(chosen), tmp_path, 3, keep=False)
    assert args.bf16 == (chosen is Precision.BFLOAT16)


@pytest.mark.parametrize(
    ("capabilities", "fast"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": True}, True),
        ({"amx_bf16": False, "avx512_bf16": False, "avx512_f": True}, False),
        ({"avx2": True}, False),
        ({}, False),
    ],
)
def test_a_cpu_has_bfloat16_units_of_either_kind(
    capabilities: dict[str, bool], fast: bool
) -> None:
    assert has_bfloat16_units(capabilities) is fast


def test_the_default_is_bfloat16_where_it_is_at_speed() -> None:
    assert runs_at_speed(Precision.FLOAT32)
    fast = runs_at_speed(Precision.BFLOAT16)
    expected = Precision.BFLOAT16 if fast else Precision.FLOAT32
    assert resolve_precision(config(None)) is expected


@pytest.mark.parametrize(
    ("capabilities", "name"),
    [
        ({"cpu_name": "Zen", "avx2": True, "avx512_bf16": True}, "Zen, avx512_bf16"),
        ({"cpu_name": "Zen", "avx2": True, "avx512_f": False}, "Zen, avx2"),
        ({"cpu_name": "Zen"}, "Zen"),
        ({"avx2": True}, f"{platform.machine()}, avx2"),
        ({}, f"{platform.machine()}, extensions unknown"),
    ],
)
def test_a_cpu_is_named_with_the_extension_that_decides_its_kernels(
    capabilities: dict[str, object], name: str
) -> None:
    assert name_cpu(capabilities) == name


def test_this_machine_has_a_kind() -> None:
    assert processor_kind()


def test_each_precision_has_a_type() -> None:
    assert {torch_dtype(one) for one in Precision} == {torch.float32, torch.bfloat16}


def test_an_unknown_precision_is_rejected() -> None:
    with pytest.raises(ConfigError, match="precision"):
        TrainConfig.parse(
            {"variant": "post_cot", "precision": "float16"}, "settings", ConfigError
        )
