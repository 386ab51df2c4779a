"""Decides how many servers share the GPUs of a machine, and which GPUs each one has.

Where a GPU holds the weights with room to work, there is one server a GPU: several of
them answer more than one that spreads over as many, since nothing has to be exchanged
between them. Otherwise tensor parallelism spreads a server over the fewest GPUs that do.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from cotbuild.builder.gpus import Gpu
from cotbuild.builder.teachers.vllm.model_size import ModelSize
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import ServerConfig

MEMORY_FRAC = 0.9
"""Share of a GPU that vLLM takes: 0.9 or 0.92 by its version."""
ENGINE_BYTES = 2 << 30
"""What a server takes on each GPU beside weights and KV cache: an estimate."""
ROOM_SEQS = 16
"""Sequences of full length that the KV cache should hold: an estimate.

They are 64 of a quarter of that length, from which on a GPU has enough to do at once.
With less room a server spreads over more GPUs, if there are any.
"""
LEAST_SEQS = 8
"""Such sequences that are enough where more room would leave a GPU idle."""
PARALLEL_ARGS = (
    ("--tensor-parallel-size", "-tp"),
    ("--pipeline-parallel-size", "-pp"),
    ("--data-parallel-size", "-dp"),
)
"""Arguments of vLLM whose product is its number of GPUs."""

_OWN_PLACEMENT = (
    "--data-parallel",
    "-dp",
    "--nnodes",
    "--distributed-executor-backend",
)
"""With arguments that begin so, vLLM itself decides on which GPUs it runs."""
_CHANGES_SIZE = (
    "--quantization",
    "-q",
    "--cpu-offload",
    "--load-format",
    "--hf-overrides",
)
"""With arguments that begin so, the weights take other memory than their files say."""
_MEMORY_ARGS = ("--gpu-memory-utilization",)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """The servers to start, each with the GPUs that it may use.

    A group without GPUs is a server on a CPU, or one that finds its GPUs by itself.
    """

    model: str
    """The model's name for people."""
    gpus: tuple[Gpu, ...]
    """All GPUs of this process."""
    groups: tuple[tuple[Gpu, ...], ...] = ((),)
    tensor_parallel: int = 1
    """What --tensor-parallel-size has to be, if the user's arguments do not say."""
    weight_bytes: int | None = None

    @property
    def num_servers(self) -> int:
        """Servers to start."""
        return len(self.groups)

    @property
    def gpus_per_server(self) -> int:
        """GPUs of each server; 0 on a CPU, or where vLLM chooses them."""
        return len(self.groups[0])

    def describe(self) -> str:
        """Return the plan on one line, as a dry run prints it."""
        if not self.gpus_per_server:
            where = f"{_describe_gpus(self.gpus)}; vLLM decides which it uses"
            return f"servers: 1 × {self.model} ({where})"
        num_used = self.num_servers * self.gpus_per_server
        notes = [_describe_gpus(self.gpus)]
        if self.weight_bytes is None:
            notes.append("weights of unknown size")
        else:
            notes.append(f"weights {_gib(self.weight_bytes)}")
        if num_used < len(self.gpus):
            notes.append(f"{len(self.gpus) - num_used} left idle")
        each = "1 GPU" if self.gpus_per_server == 1 else f"{self.gpus_per_server} GPUs"
        return (
            f"servers: {self.num_servers} × {self.model} on {each} each "
            f"({', '.join(notes)})"
        )


def place_servers(
    gpus: Sequence[Gpu],
    model: str,
    size: ModelSize | None,
    server: ServerConfig,
    max_model_len: int,
) -> ServerPlan:
    """Return which servers to start on `gpus`; one where there is none.

    Args:
        gpus: The GPUs of this process.
        model: The model's name for people.
        size: What the model takes; None if unknown, then a GPU is taken to hold it.
        server: The user's settings, whose `extra_args` win.
        max_model_len: Tokens of prompt and completion together.

    Raises:
        ConfigError: The GPUs together do not hold the weights.
    """
    all_gpus = tuple(gpus)
    weight_bytes = None if size is None else size.weight_bytes
    one = ServerPlan(model, all_gpus, weight_bytes=weight_bytes)
    args = server.extra_args
    if not gpus or gpus[0].device is None or _has_any(args, _OWN_PLACEMENT):
        return one
    stated = stated_parallel(args)
    if stated is not None:
        if stated > len(gpus):
            return one  # on other machines too, or an error that vLLM explains
        groups = _group(all_gpus, stated)
        return ServerPlan(model, all_gpus, groups, weight_bytes=weight_bytes)
    if size is None:
        groups = _group(all_gpus, 1)
        return ServerPlan(model, all_gpus, groups)
    chosen = _choose(all_gpus, size, _memory_frac(args), max_model_len)
    if chosen is None:
        if not _has_any(args, _CHANGES_SIZE):
            raise ConfigError(
                f"teacher: the weights of {model} take {_gib(size.weight_bytes)}, more "
                f"than the GPUs hold that can share them ({_describe_gpus(gpus)}). Pass "
                "a smaller or quantized model, or --endpoint URL of a server that has it."
            )
        chosen = _widest(all_gpus, size), all_gpus
    tensor_parallel, usable = chosen
    groups = _group(usable, tensor_parallel)
    return ServerPlan(model, all_gpus, groups, tensor_parallel, weight_bytes)


def _choose(
    gpus: Sequence[Gpu], size: ModelSize, memory_frac: float, max_model_len: int
) -> tuple[int, tuple[Gpu, ...]] | None:
    """Return the GPUs a server spreads over, and those that are large enough for it.

    What leaves the fewest GPUs idle; of that, what has room to work, and then the
    fewest GPUs a server. Where there is no room at all, the most that hold the weights.
    None if no GPUs do.
    """
    best: tuple[int, tuple[Gpu, ...]] | None = None
    best_rank = (0, 0)
    widest = None
    for width in _possible_widths(gpus, size):
        weights = size.weight_bytes // width
        holding = _at_least(gpus, weights / memory_frac)
        if len(holding) >= width:
            widest = width, holding
        for has_room, num_seqs in ((1, ROOM_SEQS), (0, LEAST_SEQS)):
            kv_cache = size.kv_bytes(num_seqs * max_model_len, width)
            large = _at_least(gpus, (weights + ENGINE_BYTES + kv_cache) / memory_frac)
            rank = (len(large) // width * width, has_room)
            if rank[0] and rank > best_rank:
                best, best_rank = (width, large), rank
    return best or widest


def _possible_widths(gpus: Sequence[Gpu], size: ModelSize) -> list[int]:
    """Return over how many of the GPUs one server can spread, ascending."""
    if any(gpu.is_part for gpu in gpus):
        return [1]
    return [width for width in range(1, len(gpus) + 1) if size.divides_into(width)]


def _widest(gpus: Sequence[Gpu], size: ModelSize) -> int:
    return _possible_widths(gpus, size)[-1]


def _at_least(gpus: Sequence[Gpu], num_bytes: float) -> tuple[Gpu, ...]:
    """Return the GPUs with so much memory, and those that do not report theirs."""
    return tuple(
        gpu for gpu in gpus if gpu.memory_bytes is None or gpu.memory_bytes >= num_bytes
    )


def _group(gpus: Sequence[Gpu], width: int) -> tuple[tuple[Gpu, ...], ...]:
    """Return whole groups of neighbours."""
    num_groups = len(gpus) // width
    return tuple(tuple(gpus[i * width : (i + 1) * width]) for i in range(num_groups))


# -- the user's arguments ------------------------------------------------------


def stated_parallel(args: Sequence[str]) -> int | None:
    """Return the GPUs of a server by vLLM's arguments; None if they state no number."""
    numbers = [last_value(args, names) for names in PARALLEL_ARGS]
    stated = [int(number) for number in numbers if number and number.isdecimal()]
    if not stated:
        return None
    product = 1
    for number in stated:
        product *= max(number, 1)
    return product


def last_value(args: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the last value of an argument, as `--name 2` or `--name=2`."""
    last = None
    for word, following in zip_longest(args, args[1:], fillvalue=""):
        name, has_value, value = word.partition("=")
        if name.replace("_", "-") in names:
            last = value if has_value else following
    return last


def _has_any(args: Sequence[str], beginnings: tuple[str, ...]) -> bool:
    return any(word.replace("_", "-").startswith(beginnings) for word in args)


def _memory_frac(args: Sequence[str]) -> float:
    try:
        stated = float(last_value(args, _MEMORY_ARGS) or MEMORY_FRAC)
    except ValueError:
        return MEMORY_FRAC
    return stated if 0 < stated <= 1 else MEMORY_FRAC


# -- text ----------------------------------------------------------------------


def _describe_gpus(gpus: Sequence[Gpu]) -> str:
    """Return the GPUs by kind, such as `8 × NVIDIA H100 80GB HBM3, 79.6 GiB`."""
    if gpus and gpus[0].device is None:
        return "GPUs that the driver does not list"
    kinds = Counter((gpu.name, gpu.memory_bytes) for gpu in gpus)
    parts = []
    for (name, memory_bytes), count in kinds.items():
        size = "" if memory_bytes is None else f" of {_gib(memory_bytes)}"
        parts.append(f"{count} × {name}{size}")
    return " + ".join(parts)


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / (1 << 30):.1f} GiB"
