"""Lines about what was spent and what the open requests may cost: exact words."""

import pytest

from cotbuild.builder.generate.accounts import (
    account_lines,
    describe_spending,
    expected_lines,
    format_cost,
)
from cotbuild.builder.generate.plan import RequestPlan
from cotbuild.builder.generate.prompt_tokens import PlanTokens
from cotbuild.builder.teachers.token_estimate import TokenEstimate
from cotbuild.schemas.budget import Account, Budget, Prices
from tests.builder.generate.test_chains import ask, elicit, first_step

NOTHING = Account(requests=0, prompt_tokens=0, completion_tokens=0)
SPENT = Account(
    requests=1_200,
    failed=200,
    prompt_tokens=81_000,
    completion_tokens=100_000,
    seconds=65.0,
    gpu_seconds=3_600.0,
    cost=1.5,
    reused_requests=98_800,
    reused_prompt_tokens=400_000,
    reused_completion_tokens=12_000_000,
)


def plan(num_open: int) -> RequestPlan:
    first = first_step(elicit(), ask("q")).request if num_open else None
    return RequestPlan(num_open=num_open, first=first)


def expected(account: Account, budget: Budget, num_open: int = 100) -> list[str]:
    tokens = PlanTokens(TokenEstimate(10_000, is_exact=True))
    return list(expected_lines(plan(num_open), tokens, account, budget))


def test_what_was_spent_and_what_was_not_paid_again() -> None:
    assert list(account_lines(SPENT)) == [
        "spent: 1,200 requests (200 failed), 81,000 + 100,000 tokens, 1:05, 1.00 GPU "
        "hours, cost 1.50",
        "found in the store: 98,800 answers, 12,400,000 tokens not paid again",
    ]
    assert list(account_lines(NOTHING)) == ["spent: 0 requests, 0 + 0 tokens, 0:00"]


@pytest.mark.parametrize(
    ("cost", "text"),
    [(0.0, "0.00"), (0.00043, "0.00043"), (0.5, "0.5"), (1234.567, "1,234.57")],
)
def test_a_cost_is_short_and_never_rounded_to_nothing(cost: float, text: str) -> None:
    assert format_cost(cost) == text


def test_a_spent_budget_names_each_limit() -> None:
    budget = Budget(
        max_requests=1_200,
        max_output_tokens=100_000,
        max_cost=1.5,
        prices=Prices(input=1.0),
    )
    assert describe_spending(SPENT, budget) == (
        "1,200 of 1,200 requests, 100,000 of 100,000 generated tokens, cost 1.50 of 1.50 "
        "spent"
    )


@pytest.mark.parametrize(
    ("account", "prices", "line"),
    [
        (
            NOTHING,
            Prices(input=1.0, output=4.0),
            "cost of the open requests: at most 0.11 (256 generated tokens each, the limit)",
        ),
        (
            SPENT,
            Prices(input=1.0, output=4.0),
            "cost of the open requests: about 0.05 (100 generated tokens each, the mean of "
            "1,000 stored answers)",
        ),
        (
            NOTHING,
            Prices(gpu_hour=2.5),
            "cost of the open requests: not known before a first request has been timed on "
            "a known GPU",
        ),
        (
            SPENT,
            Prices(gpu_hour=2.5),
            "cost of the open requests: about 0.21 (0.08 GPU hours, at the rate of 1,200 "
            "requests)",
        ),
    ],
)
def test_the_cost_says_how_it_was_estimated(
    account: Account, prices: Prices, line: str
) -> None:
    assert expected(account, Budget(prices=prices))[-1] == line


def test_without_a_price_nothing_is_said_about_cost() -> None:
    assert expected(NOTHING, Budget()) == []
    assert expected(NOTHING, Budget(max_requests=9)) == [
        "budget: 0 of 9 requests spent"
    ]
