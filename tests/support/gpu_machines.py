"""Machines with GPUs and models for them, as tables: what nvidia-smi reports, and what
the models' own config.json and weights are.
"""

from typing import Any, Literal

from cotbuild.builder.gpus import Gpu

MIB, GIB = 1 << 20, 1 << 30

H100 = ("NVIDIA H100 80GB HBM3", 81559 * MIB)
MACHINES: dict[str, list[tuple[str, int]]] = {
    "1 x H100": [H100],
    "2 x H100": [H100] * 2,
    "6 x H100": [H100] * 6,
    "8 x H100": [H100] * 8,
    "8 x H200": [("NVIDIA H200", 143771 * MIB)] * 8,
    "4 x A10": [("NVIDIA A10", 23028 * MIB)] * 4,
    "2 x 4090": [("NVIDIA GeForce RTX 4090", 24564 * MIB)] * 2,
    "3 x 4090": [("NVIDIA GeForce RTX 4090", 24564 * MIB)] * 3,
    "8 x MI300X": [("AMD gfx942", 192 * GIB)] * 8,
    "desktop": [("Quadro P400", 2 * GIB), ("NVIDIA A100", 80 * GIB)],
    "7 x MIG": [("MIG 1g.5gb", 5 * GIB)] * 7,
}
"""Names and memory of the GPUs."""


def machine_gpus(machine: str) -> tuple[Gpu, ...]:
    """Return the GPUs of a machine of the table."""
    vendor: Literal["nvidia", "amd"] = "amd" if "MI300X" in machine else "nvidia"
    return tuple(
        Gpu(str(number), name, memory, f"GPU-{number:04}", vendor, "MIG" in machine)
        for number, (name, memory) in enumerate(MACHINES[machine])
    )


def _config(
    heads: int, kv_heads: int, layers: int, hidden: int, **more: Any
) -> dict[str, Any]:
    return {
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "torch_dtype": "bfloat16",
    } | more


CONFIGS: dict[str, tuple[dict[str, Any], float]] = {
    "Qwen2.5-0.5B": (_config(14, 2, 24, 896), 0.99),
    "Qwen2.5-7B": (_config(28, 4, 28, 3584), 15.23),
    "Llama-3.1-8B": (_config(32, 8, 32, 4096), 16.06),
    "Llama-2-13B": (_config(40, 40, 40, 5120, torch_dtype="float16"), 26.03),
    "Qwen2.5-32B": (_config(40, 8, 64, 5120), 65.53),
    "Llama-3.1-70B": (_config(64, 8, 80, 8192), 141.1),
    "Llama-3.1-70B-AWQ": (
        _config(64, 8, 80, 8192, quantization_config={"bits": 4}), 39.8,
    ),
    "Falcon-7B": (_config(71, 1, 32, 4544), 14.43),
    "DeepSeek-V3": (
        _config(128, 128, 61, 7168, kv_lora_rank=512, qk_rope_head_dim=64,
                quantization_config={"quant_method": "fp8"}),
        688.6,
    ),
}  # fmt: skip
"""Fields of config.json, and GB of weights."""
