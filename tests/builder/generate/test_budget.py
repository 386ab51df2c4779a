"""Budgets: never exceeded whatever the answers are, and no request that could not fit;
draining: what is under way is stored, nothing more is sent.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.generate.ask import ask_all
from cotbuild.builder.generate.budget import (
    MESSAGE_TOKENS,
    PICTURE_TOKENS,
    SpendingGate,
    make_account,
)
from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.generate.follow import follow_chains
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.storage.usage import NO_USAGE, JournalUsage, read_usage
from cotbuild.builder.teachers.scripted import ScriptedTeacher
from cotbuild.schemas.budget import Budget, Prices, compute_cost
from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
    ImagePart,
    Message,
    Request,
    Sampling,
    TextPart,
)
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.teacher_config import ScriptedConfig
from tests.builder.generate.test_chains import ask, elicit, first_step, no_answer

MAX_TOKENS = 50
NUM_QUESTIONS = 12
QUESTIONS = [ask(str(number), f"Why {number}?") for number in range(NUM_QUESTIONS)]
RULES = elicit()
PRICES = Prices(input=1.0, output=4.0)


class Spender(ScriptedTeacher):
    """A teacher whose answers take random numbers of tokens, in a random order."""

    def __init__(self, seed: int, window: int) -> None:
        super().__init__(ScriptedConfig(), window)
        self._draw = random.Random(seed)
        self.sent: list[str] = []
        self.before_answer: Callable[[], None] = lambda: None

    async def ask(self, request: Request) -> Answer:
        self.sent.append(request.request_key)
        for _ in range(self._draw.randrange(4)):
            await asyncio.sleep(0)
        self.before_answer()
        key = request.request_key
        if self._draw.random() < 0.2:
            return Failure(request_key=key, kind=FailureKind.REJECTED, message="no")
        return Completion(
            request_key=key,
            text="so",
            finish_reason="stop",
            prompt_tokens=self._draw.randint(1, len(request.messages[-1].text)),
            completion_tokens=self._draw.randint(1, request.sampling.max_tokens),
        )


def spend(
    budget: Budget,
    *,
    seed: int = 0,
    window: int = 4,
    spent: JournalUsage = NO_USAGE,
    drain: Drain | None = None,
    before_answer: Callable[[], None] | None = None,
) -> tuple[SpendingGate, Spender, JournalUsage, int]:
    """Ask twelve questions; return what was spent by the journal, and chains finished."""
    rules = elicit(0.7)
    sampling = Sampling(temperature=0.7, max_tokens=MAX_TOKENS)
    config = rules.config.model_copy(update={"sampling": sampling})
    rules = type(rules)(config, rules.teacher, rules.templates)
    teacher = Spender(seed, window)
    if before_answer is not None:
        teacher.before_answer = before_answer
    gate = SpendingGate(budget, spent, MAX_TOKENS, drain)
    num_finished = 0

    def on_step(*_: object) -> None:
        nonlocal num_finished
        num_finished += 1

    async def run(path: Path) -> None:
        chains = follow_chains(rules, QUESTIONS, no_answer)
        with Journal(path, {}) as journal:
            gate.start()
            await ask_all(teacher, rules, chains, no_answer, journal, on_step, gate)

    with TemporaryDirectory() as folder:
        path = Path(folder, "j")
        asyncio.run(run(path))
        return gate, teacher, read_usage([path]), num_finished


@settings(max_examples=40)
@given(
    st.integers(0, 1 << 16),
    st.integers(1, 8),
    st.none() | st.integers(0, 14),
    st.none() | st.integers(0, 14 * MAX_TOKENS),
    st.none() | st.floats(0, 0.02),
    st.sampled_from([NO_USAGE, JournalUsage(3, 1, 40, 60, 1)]),
)
def test_a_budget_is_never_exceeded_and_ends_a_run_only_where_nothing_more_fits(
    seed: int,
    window: int,
    max_requests: int | None,
    max_output_tokens: int | None,
    max_cost: float | None,
    before: JournalUsage,
) -> None:
    budget = Budget(
        max_requests=max_requests,
        max_output_tokens=max_output_tokens,
        max_cost=max_cost,
        prices=PRICES,
    )
    gate, teacher, run, num_finished = spend(
        budget, seed=seed, window=window, spent=before
    )
    total = before.plus(run)
    generated = total.completion_tokens + total.unknown_tokens * MAX_TOKENS
    cost = compute_cost(PRICES, total.prompt_tokens, generated, 0)
    assert cost is not None
    # What was spent before this run may be more than a budget that was lowered.
    if run.requests:
        assert max_requests is None or total.requests <= max_requests
        assert max_output_tokens is None or generated <= max_output_tokens
        assert max_cost is None or cost <= max_cost
    assert run.requests == len(teacher.sent) == num_finished
    assert gate.in_flight == 0
    if gate.stopped is None:
        assert run.requests == NUM_QUESTIONS
    else:
        assert gate.stopped == "budget"
        assert run.requests < NUM_QUESTIONS
        assert not SpendingGate(budget, total, MAX_TOKENS).check(_unasked(teacher))


def _unasked(teacher: Spender) -> Request:
    """A request like those that were sent."""
    sampling = Sampling(temperature=0.7, max_tokens=MAX_TOKENS)
    request = first_step(elicit(0.7), QUESTIONS[len(teacher.sent) - 1]).request
    return request.model_copy(update={"sampling": sampling})


@pytest.mark.parametrize("limit", range(NUM_QUESTIONS + 2))
def test_a_limit_on_requests_is_used_to_the_last(limit: int) -> None:
    gate, teacher, run, _ = spend(Budget(max_requests=limit))
    assert run.requests == len(teacher.sent) == min(limit, NUM_QUESTIONS)
    assert gate.stopped == ("budget" if limit < NUM_QUESTIONS else None)


def test_requests_wait_for_what_those_under_way_hold_back() -> None:
    """A limit that one request at a time fits, but no two, is no reason to stop."""
    gate, teacher, run, _ = spend(Budget(max_output_tokens=2 * MAX_TOKENS), window=8)
    assert run.requests >= 2
    assert run.completion_tokens > MAX_TOKENS
    assert gate.stopped == "budget"
    assert len(teacher.sent) == run.requests


def test_drained_it_stores_what_is_under_way_and_sends_nothing_more() -> None:
    drain = Drain()
    gate, teacher, run, _ = spend(
        Budget(), window=3, drain=drain, before_answer=drain.request
    )
    assert gate.stopped == "drained"
    assert run.requests == len(teacher.sent) == 3


def test_a_run_that_is_to_drain_before_it_begins_sends_nothing() -> None:
    drain = Drain()
    drain.request()
    gate = SpendingGate(drain=drain)
    assert not gate.check(first_step(RULES, QUESTIONS[0]).request)
    assert gate.stopped == "drained"


def test_gpu_hours_count_from_the_start_of_the_server() -> None:
    now_s = 100.0
    budget = Budget(max_cost=1.0, prices=Prices(gpu_hour=1.0))
    request = first_step(RULES, QUESTIONS[0]).request
    gate = SpendingGate(budget, clock=lambda: now_s)
    gate.start(gpus=2, starting_s=600.0)
    now_s += 1199.0
    assert gate.check(request)
    assert gate.spent.gpu_seconds == 2 * 1799.0
    assert gate.spent.seconds == 1199.0
    now_s += 1.0
    assert not gate.check(request)


def test_before_a_prompt_is_counted_it_counts_a_token_a_byte_and_its_pictures() -> None:
    image = ImageRef(sha256="0" * 64, media_type="image/png", width=9, height=9)
    picture = ImagePart(image=image)
    parts = (TextPart(text="é" * 10), picture)
    request = first_step(RULES, QUESTIONS[0]).request.model_copy(
        update={"messages": (Message(role="user", content=parts),)}
    )
    most = (20 + MESSAGE_TOKENS + PICTURE_TOKENS) / 1e6

    def fits(max_cost: float) -> bool:
        budget = Budget(max_cost=max_cost, prices=Prices(input=1.0))
        return SpendingGate(budget).check(request)

    assert fits(most)
    assert not fits(most - 1e-6)


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        (Prices(), None),
        (Prices(input=1.0, output=4.0), 0.00042),
        (Prices(output=4.0), 0.0004),
        (Prices(gpu_hour=2.5), 0.005),
    ],
)
def test_the_cost_is_that_of_tokens_or_of_gpu_time(
    prices: Prices, cost: float | None
) -> None:
    usage = JournalUsage(2, 1, 20, 100, 0, 3.6, 7.2)
    account = make_account(usage, prices, JournalUsage(1, 0, 5, 6))
    assert account.cost == cost
    assert account.prices == (None if cost is None else prices)
    assert (account.reused_requests, account.reused_completion_tokens) == (1, 6)
