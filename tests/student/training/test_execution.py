"""How updates are computed: what is chosen, measured and kept the same."""

import contextlib
import shutil

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Execution, Optimizer, Precision, TrainConfig
from cotbuild.student.tokenize_parts import TokenizedParts
from cotbuild.student.training.batches import (
    MicroBatch,
    WeightedRow,
    collate,
    compute_losses,
    split_update,
)
from cotbuild.student.training.execution import (
    EAGER_ATTENTION_MAX_TOKENS,
    LEAST_COST,
    MOST_COST,
    PROBE_ROWS,
    cast_weights_once,
    choose_execution,
    choose_probe_rows,
    compile_layers,
    default_execution,
    fit_cost,
    older_execution,
    set_attention,
)
from tests.support.tiny import FAMILIES, tiny_student

on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason="is about CPUs")
ROWS = [
    TokenizedParts(list(range(5, 5 + n)), [0, 0] + [2] * (n - 2)) for n in range(9, 21)
]
LONG_RUN = 10**9
"""Tokens of a run so long that measuring costs nothing beside it."""


def config(precision: Precision, **settings: object) -> TrainConfig:
    return TrainConfig(variant="post_cot", precision=precision, **settings)  # type: ignore[arg-type]


def execution(*, eager: bool, cost: int = 96) -> Execution:
    return Execution(
        eager_attention=eager,
        micro_batch_cost=cost,
        optimizer=Optimizer.FUSED_ADAMW,
    )


# -- choice ------------------------------------------------------------------------------


@on_cpu
@pytest.mark.parametrize(
    ("precision", "longest", "eager"),
    [
        (Precision.BFLOAT16, EAGER_ATTENTION_MAX_TOKENS, True),
        (Precision.BFLOAT16, EAGER_ATTENTION_MAX_TOKENS + 1, False),
        (Precision.FLOAT32, 8, False),
    ],
)
def test_attention_is_plain_for_short_rows_in_bfloat16(
    precision: Precision, longest: int, eager: bool
) -> None:
    for chosen in (
        default_execution(precision, longest),
        older_execution(precision, longest),
    ):
        assert chosen.eager_attention is eager
        model = tiny_student("llama").model
        set_attention(model, chosen)
        assert (model.config._attn_implementation == "eager") is eager


@pytest.mark.parametrize(
    ("has_gpu", "precision", "cost"),
    [
        (False, Precision.FLOAT32, 48),
        (False, Precision.BFLOAT16, 96),
        (True, Precision.FLOAT32, 2048),
        (True, Precision.BFLOAT16, 2048),
    ],
)
def test_a_pass_costs_more_tokens_on_a_gpu(
    has_gpu: bool, precision: Precision, cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: has_gpu)
    chosen = default_execution(precision, 8)
    assert chosen.micro_batch_cost == cost
    lengths = [30, 90] * 8
    batches = split_update(lengths, 2048, chosen.micro_batch_cost)[0]
    assert len(batches) == (1 if has_gpu else 2)


@pytest.mark.parametrize(
    ("precision", "cost"), [(Precision.FLOAT32, 48), (Precision.BFLOAT16, 256)]
)
def test_a_run_without_a_record_goes_on_as_versions_before_it_did(
    precision: Precision, cost: int
) -> None:
    older = older_execution(precision, 8)
    assert (older.micro_batch_cost, older.optimizer) == (cost, Optimizer.ADAMW)


@pytest.mark.parametrize(
    ("settings", "run_tokens"),
    [
        (config(Precision.FLOAT32), LONG_RUN),
        (config(Precision.BFLOAT16), 400),
        (config(Precision.BFLOAT16, lora_rank=2), LONG_RUN),
        (config(Precision.BFLOAT16, gradient_checkpointing=True), LONG_RUN),
    ],
)
def test_nothing_is_measured_where_it_does_not_pay(
    settings: TrainConfig, run_tokens: int
) -> None:
    student = tiny_student("llama")
    chosen = choose_execution(student.model, ROWS, settings, run_tokens, student.pad_id)
    assert settings.precision is not None
    assert chosen == default_execution(settings.precision, 20)


@on_cpu
@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_run_in_bfloat16_on_a_cpu_is_measured(family: str) -> None:
    student = tiny_student(family)
    before = {name: value.clone() for name, value in student.model.named_parameters()}
    attention = student.model.config._attn_implementation
    chosen = choose_execution(
        student.model, ROWS, config(Precision.BFLOAT16), LONG_RUN, student.pad_id
    )
    assert chosen.measured
    assert LEAST_COST <= chosen.micro_batch_cost <= MOST_COST
    assert student.model.config._attn_implementation == attention
    for name, value in student.model.named_parameters():
        assert torch.equal(value, before[name])
        assert value.grad is None


def test_rows_of_middle_length_are_measured() -> None:
    lengths = [len(row.input_ids_T) for row in choose_probe_rows(ROWS)]
    assert lengths == [12, 13, 14, 15, 16, 17]
    assert len(lengths) == PROBE_ROWS
    assert choose_probe_rows(ROWS[:2]) == ROWS[:2]


@pytest.mark.parametrize(
    ("tokens", "seconds", "cost"),
    [
        ((100, 600), (2.0, 7.0), 100),  # 1 s and 0.01 s a token
        ((100, 600), (1.0, 6.0), LEAST_COST),  # no constant part
        ((100, 600), (5.9, 6.0), MOST_COST),  # almost nothing else
        ((100, 600), (6.0, 5.0), 77),  # the larger one was faster: the default
        ((100, 100), (1.0, 2.0), 77),
    ],
)
def test_the_cost_of_a_pass_is_its_constant_part_in_tokens(
    tokens: tuple[int, int], seconds: tuple[float, float], cost: int
) -> None:
    assert fit_cost(tokens, seconds, 77) == cost


@given(
    st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)),
)
@example((1, 3), (0.0, 5e-324))
@example((1, 10**6), (1.0, 1.0 + 2**-52))
def test_a_measured_cost_is_bounded(
    tokens: tuple[int, int], seconds: tuple[float, float]
) -> None:
    assert LEAST_COST <= fit_cost(tokens, seconds, 77) <= MOST_COST


# -- results -----------------------------------------------------------------------------


def micro_batches() -> list[MicroBatch]:
    rows = [
        WeightedRow(list(range(5, 5 + n)), ([0.0] * 3 + [1.0 / n] * (n - 3),) * 3)
        for n in (9, 17)
    ]
    return [collate(rows, 0), collate(rows[:1], 0)]


def run_passes(
    family: str, chosen: Execution, precision: Precision, *, cast_once: bool
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return the losses of two passes, and the sum of their gradients."""
    student = tiny_student(family)
    set_attention(student.model, chosen)
    low = precision is Precision.BFLOAT16
    whole = (
        cast_weights_once(torch.device("cpu"))
        if cast_once
        else contextlib.nullcontext()
    )
    losses = []
    with whole:
        for batch in micro_batches():
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
                loss = compute_losses(student.model, batch)[0]
            with torch.autocast("cpu", enabled=False):
                loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
    gradients = [
        weights.grad.flatten()
        for weights in student.model.parameters()
        if weights.grad is not None
    ]
    return losses, torch.cat(gradients)


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_copies_kept_for_an_update_change_no_bit(family: str) -> None:
    chosen = execution(eager=True)
    found = [
        run_passes(family, chosen, Precision.BFLOAT16, cast_once=cast_once)
        for cast_once in (False, True)
    ]
    (losses, gradient), (kept_losses, kept_gradient) = found
    assert all(map(torch.equal, losses, kept_losses))
    assert torch.equal(gradient, kept_gradient)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("eager", [False, True])
def test_loss_and_gradient_are_near_those_of_float32(family: str, eager: bool) -> None:
    default, chosen = execution(eager=False), execution(eager=eager)
    [full, _], gradient = run_passes(
        family, default, Precision.FLOAT32, cast_once=False
    )
    for precision, loss_bound, least_cosine in (
        (Precision.FLOAT32, 1e-5, 1 - 1e-5),
        (Precision.BFLOAT16, 0.03, 0.95),
    ):
        [near, _], near_gradient = run_passes(
            family, chosen, precision, cast_once=precision is Precision.BFLOAT16
        )
        assert float(near) == pytest.approx(float(full), rel=loss_bound)
        cosine = torch.nn.functional.cosine_similarity(gradient, near_gradient, dim=0)
        assert float(cosine) > least_cosine


def test_fused_adamw_takes_the_steps_of_adamw_up_to_rounding() -> None:
    weights = []
    for fused in (False, True):
        torch.manual_seed(0)
        values = torch.nn.Parameter(torch.randn(999))
        optimizer = torch.optim.AdamW([values], lr=1e-2, weight_decay=0.1, fused=fused)
        for _ in range(20):
            values.grad = torch.randn(999)
            optimizer.step()
        weights.append(values.detach())
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-6)


def test_layers_are_found_in_every_family() -> None:
    for family in FAMILIES:
        model = tiny_student(family).model
        names = set(model._no_split_modules or ())
        assert sum(type(one).__name__ in names for one in model.modules()) == 2


def test_compiling_without_a_compiler_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="no C\\+\\+ compiler 'no-such-compiler'"):
        compile_layers(tiny_student("llama").model)


@pytest.mark.filterwarnings("ignore")  # torch warns of its own code
def test_compiling_for_a_gpu_needs_no_c_plus_plus_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    compile_layers(tiny_student("llama").model)  # compiled at the first pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch warns of its own code
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_layers_give_the_same_loss_and_gradient() -> None:
    found = []
    for compiled in (False, True):
        student = tiny_student("llama")
        if compiled:
            compile_layers(student.model)
        loss = compute_losses(student.model, micro_batches()[0])[0]
        loss.backward()  # type: ignore[no-untyped-call]
        weights = student.model.parameters()
        gradients = [one.grad.flatten() for one in weights if one.grad is not None]
        found.append((loss.detach(), torch.cat(gradients)))
        assert set(student.model.state_dict()) == set(
            tiny_student("llama").model.state_dict()
        )
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)
