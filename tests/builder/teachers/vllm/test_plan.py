"""Which servers a machine runs for a model: a table, and what holds for any."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.gpus import Gpu
from cotbuild.builder.teachers.vllm.model_size import ModelSize, model_size
from cotbuild.builder.teachers.vllm.plan import ServerPlan, place_servers
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import ServerConfig
from tests.support.gpu_machines import CONFIGS, MACHINES, machine_gpus


def plan(
    machine: str, model: str, *extra_args: str, max_model_len: int = 4096, **config: Any
) -> ServerPlan:
    values, stored_gib = CONFIGS[model]
    server = ServerConfig(extra_args=extra_args, **config)
    size = model_size(values, int(stored_gib * 1e9), server.dtype)
    return place_servers(machine_gpus(machine), model, size, server, max_model_len)


@pytest.mark.parametrize(
    ("machine", "model", "servers", "width"),
    [
        ("1 x H100", "Qwen2.5-7B", 1, 1),
        ("8 x H100", "Qwen2.5-7B", 8, 1),
        ("8 x H100", "Qwen2.5-32B", 4, 2),
        ("1 x H100", "Qwen2.5-32B", 1, 1),
        ("8 x H100", "Llama-3.1-70B", 2, 4),
        ("2 x H100", "Llama-3.1-70B", 1, 2),
        ("8 x H100", "Llama-3.1-70B-AWQ", 8, 1),
        ("8 x H200", "DeepSeek-V3", 1, 8),
        ("4 x A10", "Qwen2.5-7B", 4, 1),
        ("4 x A10", "Qwen2.5-0.5B", 4, 1),
        ("8 x MI300X", "Llama-3.1-70B", 8, 1),
        ("3 x 4090", "Llama-3.1-8B", 3, 1),
        ("2 x 4090", "Llama-3.1-8B", 1, 2),
        ("3 x 4090", "Llama-2-13B", 1, 2),
        ("6 x H100", "Llama-3.1-70B", 1, 4),
        ("3 x 4090", "Falcon-7B", 3, 1),
        ("desktop", "Qwen2.5-7B", 1, 1),
        ("7 x MIG", "Qwen2.5-0.5B", 7, 1),
    ],
)
def test_machine_and_model_decide(
    machine: str, model: str, servers: int, width: int
) -> None:
    made = plan(machine, model)
    assert (made.num_servers, made.gpus_per_server) == (servers, width)
    assert made.tensor_parallel == width


def test_every_machine_has_a_row() -> None:
    rows = test_machine_and_model_decide.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {machine for machine, *_ in rows} == MACHINES.keys()
    assert {model for _, model, *_ in rows} == CONFIGS.keys()


@pytest.mark.parametrize(
    ("args", "servers", "width", "tensor_parallel"),
    [
        (("-tp", "4"), 2, 4, 1),
        (("--tensor-parallel-size=2", "-pp", "2"), 2, 4, 1),
        (("-dp", "8"), 1, 0, 1),
        (("--data_parallel_size=4", "-tp", "2"), 1, 0, 1),
        (("--distributed-executor-backend", "ray", "-tp", "16"), 1, 0, 1),
        (("-tp", "16"), 1, 0, 1),
        (("--gpu-memory-utilization", "0.95"), 4, 2, 2),
        (("--gpu-memory-utilization", "0.5"), 2, 4, 4),
    ],
)
def test_the_users_arguments_win(
    args: tuple[str, ...], servers: int, width: int, tensor_parallel: int
) -> None:
    made = plan("8 x H100", "Qwen2.5-32B", *args)
    assert (made.num_servers, made.gpus_per_server) == (servers, width)
    assert made.tensor_parallel == tensor_parallel


def test_a_longer_context_takes_more_gpus() -> None:
    assert plan("8 x H100", "Qwen2.5-32B", max_model_len=32768).gpus_per_server == 4


def test_weights_that_fit_nowhere_are_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        plan("4 x A10", "Llama-3.1-70B")
    assert str(caught.value) == (
        "teacher: the weights of Llama-3.1-70B take 131.4 GiB, more than the GPUs hold "
        "that can share them (4 × NVIDIA A10 of 22.5 GiB). Pass a smaller or quantized "
        "model, or --endpoint URL of a server that has it."
    )
    # Where the arguments change what the weights take, vLLM decides.
    made = plan("4 x A10", "Llama-3.1-70B", "--quantization", "bitsandbytes")
    assert (made.num_servers, made.tensor_parallel) == (1, 4)
    with pytest.raises(ConfigError, match=r"the weights of Qwen2\.5-7B take 14\.2 GiB"):
        plan("7 x MIG", "Qwen2.5-7B")


@pytest.mark.parametrize(
    ("machine", "model", "line"),
    [
        ("8 x H100", "Qwen2.5-32B",
         "servers: 4 × Qwen2.5-32B on 2 GPUs each (8 × NVIDIA H100 80GB HBM3 of 79.6 GiB, weights 61.0 GiB)"),
        ("3 x 4090", "Llama-2-13B",
         "servers: 1 × Llama-2-13B on 2 GPUs each (3 × NVIDIA GeForce RTX 4090 of 24.0 GiB, weights 24.2 GiB, "
         "1 left idle)"),
        ("desktop", "Qwen2.5-7B",
         "servers: 1 × Qwen2.5-7B on 1 GPU each (1 × Quadro P400 of 2.0 GiB + 1 × NVIDIA A100 of 80.0 GiB, "
         "weights 14.2 GiB, 1 left idle)"),
    ],
)  # fmt: skip
def test_a_plan_is_a_line(machine: str, model: str, line: str) -> None:
    assert plan(machine, model).describe() == line


def test_the_gpu_that_is_too_small_is_left_out() -> None:
    [[gpu]] = plan("desktop", "Qwen2.5-7B").groups
    assert gpu.name == "NVIDIA A100"


def test_what_is_unknown() -> None:
    eight = machine_gpus("8 x H100")
    made = place_servers(eight, "m", None, ServerConfig(), 4096)
    assert (made.num_servers, made.gpus_per_server) == (8, 1)
    assert "weights of unknown size" in made.describe()
    unlisted = place_servers((Gpu(None),), "m", None, ServerConfig(), 4096)
    assert unlisted.groups == ((),)
    assert unlisted.describe() == (
        "servers: 1 × m (GPUs that the driver does not list; vLLM decides which it uses)"
    )
    assert place_servers((), "m", None, ServerConfig(), 4096).groups == ((),)


@given(
    st.lists(st.integers(4, 200), min_size=1, max_size=16),
    st.integers(1, 1000),
    st.sampled_from([None, 8, 14, 28, 32, 40, 64]),
    st.sampled_from([None, 2, 4, 8]),
)
def test_any_plan_holds_the_weights_and_uses_a_gpu_once(
    memories: list[int], weights: int, heads: int | None, kv_heads: int | None
) -> None:
    gpus = [Gpu(str(n), "G", gib << 30, f"G{n}") for n, gib in enumerate(memories)]
    size = ModelSize(weights << 30, heads, kv_heads, 1 << 17)
    try:
        made = place_servers(gpus, "m", size, ServerConfig(), 4096)
    except ConfigError:
        widths = [n for n in range(1, len(gpus) + 1) if size.divides_into(n)]
        for width in widths:
            large = [gib for gib in memories if gib * 0.9 * width >= weights]
            assert len(large) < width
        return
    used = [gpu for group in made.groups for gpu in group]
    assert len(used) == len(set(used))
    assert {len(group) for group in made.groups} == {made.tensor_parallel}
    assert size.divides_into(made.tensor_parallel)
    for gpu in used:
        share = (weights << 30) / made.tensor_parallel
        assert gpu.memory_bytes is not None
        assert gpu.memory_bytes * 0.9 >= share - made.tensor_parallel
