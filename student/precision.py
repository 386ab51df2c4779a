"""Precisions that a machine computes matrix products in, and which are at speed there."""

import platform
from collections.abc import Mapping

import torch

from cotbuild.schemas.training import Precision, TrainConfig

_CPU_BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")
"""Extensions of x86-64 that multiply matrices in bfloat16.

Measured with avx512_bf16 (Zen 5, SmolLM2-135M, one thread): 2.4 to 2.8 times the training
tokens/s of float32.
"""

_CPU_EXTENSIONS = ("amx_bf16", "avx512_bf16", "avx512_f", "avx2")
"""Extensions that decide which kernels run, the fastest first."""


def resolve_precision(config: TrainConfig) -> Precision:
    """Return the precision that matrix products are trained in.

    Without one in the config it is bfloat16 if the machine has units for it, else
    float32. Weights are float32 either way.
    """
    if config.precision is not None:
        return config.precision
    fast = runs_at_speed(Precision.BFLOAT16)
    return Precision.BFLOAT16 if fast else Precision.FLOAT32


def runs_at_speed(precision: Precision) -> bool:
    """Whether this machine has units for matrix products of a precision.

    Any machine has them for float32. Without them bfloat16 is computed all the same,
    several times slower than float32.
    """
    if precision is Precision.FLOAT32:
        return True
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return has_bfloat16_units(_cpu_capabilities())


def inference_device() -> torch.device:
    """Return the device that students are evaluated and attributed on.

    It is the GPU if there is one. `runs_at_speed` and `processor_kind` are about it.
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def torch_dtype(precision: Precision) -> torch.dtype:
    """Return torch's type of numbers of a precision."""
    return {
        Precision.FLOAT32: torch.float32,
        Precision.BFLOAT16: torch.bfloat16,
    }[precision]


def processor_kind() -> str:
    """Return the kind of processor that students run on: a GPU's name, or `name_cpu`."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return name_cpu(_cpu_capabilities())


def has_bfloat16_units(capabilities: Mapping[str, object]) -> bool:
    """Whether a CPU with these capabilities, as torch names them, has bfloat16 units."""
    return any(capabilities.get(extension) for extension in _CPU_BFLOAT16_UNITS)


def name_cpu(capabilities: Mapping[str, object]) -> str:
    """Return a CPU's name and the extension that decides its kernels: `AMD EPYC, avx2`.

    Without capabilities it is `x86_64, extensions unknown`, which many kinds share.
    """
    if not capabilities:
        return f"{platform.machine()}, extensions unknown"
    name = str(capabilities.get("cpu_name") or platform.machine())
    present = (one for one in _CPU_EXTENSIONS if capabilities.get(one))
    extension = next(present, None)
    return f"{name}, {extension}" if extension else name


def _cpu_capabilities() -> Mapping[str, object]:
    """Return what torch knows of the CPU; nothing in torch 2.6, which does not say."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return {}
    capabilities: Mapping[str, object] = torch.cpu.get_capabilities()
    return capabilities
