"""In which precision a student's matrix products are run in training; its weights are
float32 either way.
"""

import torch
from transformers import PreTrainedModel

from cotbuild.schemas.training import Precision, TrainConfig

EAGER_ATTENTION_MAX_TOKENS = 256
"""Longest row of which all attention scores are kept: rows x heads x 256 x 256 of them.
"""


def resolve_precision(config: TrainConfig) -> Precision:
    """The stated one; else bfloat16 where the GPU has it or the CPU has matrix units
    for it (AMX), else float32.
    """
    if config.precision is not None:
        return config.precision
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported()
    else:
        told = (
            torch.cpu.get_capabilities()
            if hasattr(torch.cpu, "get_capabilities")
            else {}
        )  # torch 2.6 has none
        fast = bool(told.get("amx_bf16", False))
    return Precision.BFLOAT16 if fast else Precision.FLOAT32


def set_attention(model: PreTrainedModel, config: TrainConfig, longest: int) -> None:
    """Plain attention for short rows in bfloat16 on a CPU: its fused one is slow
    backwards.

    SmolLM2-135M, 32 rows of 64 tokens, two cores with AMX, tokens/s in one run: 327 in
    float32, 574 in bfloat16 with fused attention, 779 with plain.
    """
    on_cpu = not torch.accelerator.is_available()
    if (
        on_cpu
        and longest <= EAGER_ATTENTION_MAX_TOKENS
        and resolve_precision(config) is Precision.BFLOAT16
    ):
        model.set_attn_implementation("eager")
