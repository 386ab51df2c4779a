"""How a run computes its updates on this machine: attention, micro-batches, optimiser.

Results differ by rounding alone. In bfloat16 on a CPU the best choices differ by machine
by tens of percent, so there they are measured on rows of the run before it begins. What
was chosen is recorded, and a resumed run goes on with it. Studies measure nothing, so
that all their students are computed alike.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence

import torch
from accelerate import PartialState
from transformers import PreTrainedModel

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Execution, Optimizer, Precision, TrainConfig
from cotbuild.student.precision import resolve_precision
from cotbuild.student.tokenize_parts import TokenizedParts
from cotbuild.student.training.batches import (
    FLOAT32_MICRO_BATCH_COST,
    MicroBatch,
    WeightedRow,
    collate,
    compute_losses,
)

EAGER_ATTENTION_MAX_TOKENS = 256
"""Longest row for which all attention scores are kept in memory: for each row and head
256 x 256 of them.
"""

BFLOAT16_MICRO_BATCH_COST = 96
"""The cost of one more micro-batch in bfloat16, in tokens, where it is not measured.

48 to 100 were the fastest with avx512_bf16 (Zen 5).
"""

ACCELERATOR_MICRO_BATCH_COST = 2048
"""The cost of one more micro-batch on a GPU, in tokens.

An estimate that is not measured: a pass over few tokens takes about as long there as one
over 2,048, so an update is split where it exceeds `batch_tokens` and hardly elsewhere.
"""

OLDER_MICRO_BATCH_COST = {
    Precision.FLOAT32: FLOAT32_MICRO_BATCH_COST,
    Precision.BFLOAT16: 256,
}
"""The costs of runs that did not record theirs."""

LEAST_COST, MOST_COST = 16, 512
"""Bounds of a measured cost, in tokens."""

PROBE_ROWS = 6
"""Rows of the larger micro-batch that is timed; the smaller one has one row."""

PROBE_SHARE = 0.03
"""A run is measured if that takes at most this share of its tokens."""

LEAST_GAIN = 0.03
"""Plain attention is chosen if it saves at least this share of the time."""

_PASSES_PER_ROW = {1: 4, PROBE_ROWS: 3}
"""How often a micro-batch of so many rows is run, the first time as a warm-up."""


# -- choice ------------------------------------------------------------------------------


def choose_execution(
    model: PreTrainedModel,
    rows: Sequence[TokenizedParts],
    config: TrainConfig,
    run_tokens: int,
    pad_id: int,
) -> Execution:
    """Choose how a new run computes its updates.

    Attention and the cost of a micro-batch are measured in bfloat16 on a CPU, if one
    process trains all weights and the run, of `run_tokens` tokens, is long enough. The
    model has its default attention afterwards.
    """
    precision = resolve_precision(config)
    longest = max(len(row.input_ids_T) for row in rows)
    default = default_execution(precision, longest)
    probe = choose_probe_rows(rows)
    measurable = (
        precision is Precision.BFLOAT16
        and not torch.accelerator.is_available()
        and config.lora_rank is None
        and not config.gradient_checkpointing
        and PartialState().num_processes == 1
    )
    if not measurable or count_probe_tokens(probe) > PROBE_SHARE * run_tokens:
        return default
    return measure_execution(model, probe, pad_id, default, longest)


def default_execution(precision: Precision, longest: int) -> Execution:
    """Return how a run is computed if nothing is measured; `longest` is its longest row.

    Attention is plain for short rows in bfloat16 on a CPU, where the backward pass of the
    fused kernel is slow. Measured on SmolLM2-135M, 32 rows of 64 tokens, two cores with
    AMX, in tokens/s: 327 in float32, 574 in bfloat16 with fused attention, 779 in
    bfloat16 with plain attention.
    """
    low = precision is Precision.BFLOAT16
    on_cpu = not torch.accelerator.is_available()
    fused = on_cpu or torch.cuda.is_available()
    cpu_cost = BFLOAT16_MICRO_BATCH_COST if low else FLOAT32_MICRO_BATCH_COST
    return Execution(
        eager_attention=low and on_cpu and longest <= EAGER_ATTENTION_MAX_TOKENS,
        micro_batch_cost=cpu_cost if on_cpu else ACCELERATOR_MICRO_BATCH_COST,
        optimizer=Optimizer.FUSED_ADAMW if fused else Optimizer.ADAMW,
    )


def older_execution(precision: Precision, longest: int) -> Execution:
    """Return how a run that did not record it was computed."""
    today = default_execution(precision, longest)
    older = {
        "micro_batch_cost": OLDER_MICRO_BATCH_COST[precision],
        "optimizer": Optimizer.ADAMW,
    }
    return today.model_copy(update=older)


def set_attention(model: PreTrainedModel, execution: Execution) -> None:
    """Give the model the attention of a run; its default needs no change."""
    if execution.eager_attention:
        model.set_attn_implementation("eager")


def prepare_model(
    model: PreTrainedModel, execution: Execution, config: TrainConfig
) -> None:
    """Give the model the attention of a run, and compile its layers if configured."""
    set_attention(model, execution)
    if config.compile_layers:
        compile_layers(model)


def compile_layers(model: PreTrainedModel) -> None:
    """Compile the layers of a model in place, for batches of any shape.

    Whether it pays depends on the machine: with avx512_bf16 (Zen 5) it gave 11 to 15 %
    more tokens/s in bfloat16, with avx2 0 to 12 % in float32. Raises ConfigError if
    the model names no layers or the machine, without a GPU, lacks a C++ compiler.
    """
    names = set(model._no_split_modules or ())
    layers = [one for one in model.modules() if type(one).__name__ in names]
    if not layers:
        raise ConfigError(
            "compile_layers: the student's model does not name its layers. "
            "Train without it."
        )
    compiler = os.environ.get("CXX", "g++")
    on_cpu = not torch.accelerator.is_available()
    if on_cpu and shutil.which(compiler) is None:
        raise ConfigError(
            f"compile_layers: no C++ compiler {compiler!r} on this machine. Install one, "
            "or train without it."
        )
    for layer in layers:
        layer.compile(dynamic=True)


# -- measurement -------------------------------------------------------------------------


def choose_probe_rows(rows: Sequence[TokenizedParts]) -> list[TokenizedParts]:
    """Return the rows of middle length that are run to measure, at most `PROBE_ROWS`."""
    by_length = sorted(rows, key=lambda row: len(row.input_ids_T))
    start = max(0, (len(by_length) - PROBE_ROWS) // 2)
    return by_length[start : start + PROBE_ROWS]


def count_probe_tokens(probe: Sequence[TokenizedParts]) -> int:
    """Return about how many tokens are run to measure, over both kinds of attention."""
    longest = max(len(row.input_ids_T) for row in probe)
    runs = sum(rows * passes for rows, passes in _PASSES_PER_ROW.items())
    return 2 * runs * longest


def measure_execution(
    model: PreTrainedModel,
    probe: Sequence[TokenizedParts],
    pad_id: int,
    default: Execution,
    longest: int,
) -> Execution:
    """Time forward and backward passes over micro-batches of one and of several rows.

    Of several passes the fastest counts, which other processes disturb least. The model
    has its default attention afterwards.
    """
    small, large = (_probe_batch(probe[:n], pad_id) for n in (1, len(probe)))
    implementation = str(model.config._attn_implementation)
    model.train()
    fused = _time_passes(model, small, large)
    chosen, eager_is_chosen = fused, False
    if longest <= EAGER_ATTENTION_MAX_TOKENS:
        model.set_attn_implementation("eager")
        eager = _time_passes(model, small, large)
        model.set_attn_implementation(implementation)
        if eager[1] <= (1 - LEAST_GAIN) * fused[1]:
            chosen, eager_is_chosen = eager, True
    sizes = small["input_ids"].numel(), large["input_ids"].numel()
    measured = {
        "eager_attention": eager_is_chosen,
        "micro_batch_cost": fit_cost(sizes, chosen, default.micro_batch_cost),
        "measured": True,
    }
    return default.model_copy(update=measured)


def fit_cost(
    tokens: tuple[int, int], seconds: tuple[float, float], default: int
) -> int:
    """Return the cost of a pass in tokens, from the times of a small and a large one.

    A pass takes a constant and a time per token; their ratio is the cost, kept between
    `LEAST_COST` and `MOST_COST`. It is the default if the larger pass was not slower.
    """
    (small_tokens, large_tokens), (small_s, large_s) = tokens, seconds
    if large_tokens <= small_tokens or large_s <= small_s:
        return default
    added_tokens, added_s = large_tokens - small_tokens, large_s - small_s
    # Divided last: the time of a token may be too small for a float.
    tokens_in_small_s = small_s * added_tokens / added_s
    return round(min(MOST_COST, max(LEAST_COST, tokens_in_small_s - small_tokens)))


def _probe_batch(rows: Sequence[TokenizedParts], pad_id: int) -> MicroBatch:
    weighted = []
    for row in rows:
        supervised = [float(part != 0) for part in row.parts_T]
        weighted.append(WeightedRow(row.input_ids_T, (supervised,) * 3))
    return collate(weighted, pad_id)


def _time_passes(
    model: PreTrainedModel, small: MicroBatch, large: MicroBatch
) -> tuple[float, float]:
    """Return the least seconds of a pass over each, as in an update."""
    with cast_weights_once(torch.device("cpu")):
        return (
            _time_pass(model, small, _PASSES_PER_ROW[1]),
            _time_pass(model, large, _PASSES_PER_ROW[PROBE_ROWS]),
        )


def _time_pass(model: PreTrainedModel, batch: MicroBatch, passes: int) -> float:
    """Return the least seconds of a pass; the first one is not counted.

    Seconds of the process would count those of all threads, and so too little of what
    runs on one thread alone.
    """
    seconds = []
    for _ in range(passes):
        started = time.perf_counter()
        loss = compute_losses(model, batch)[0]
        with torch.autocast("cpu", enabled=False):
            loss.backward()  # type: ignore[no-untyped-call]
        seconds.append(time.perf_counter() - started)
    model.zero_grad(set_to_none=True)
    return min(seconds[1:])


# -- casts of weights --------------------------------------------------------------------


@contextlib.contextmanager
def cast_weights_once(device: torch.device) -> Iterator[None]:
    """Keep the bfloat16 copies of the weights over the passes inside.

    Autocast drops its copies when the outermost context ends, which is that of a single
    forward pass otherwise. The weights must not change inside. Results are the same to
    the last bit.
    """
    with torch.autocast(device.type, dtype=torch.bfloat16):
        yield
