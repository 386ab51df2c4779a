"""Lines about what a build has spent, and what its open requests may cost. Pure."""

from collections.abc import Iterator

from cotbuild.builder.generate.plan import RequestPlan
from cotbuild.builder.generate.prompt_tokens import PlanTokens
from cotbuild.builder.ui import format_duration, pluralize
from cotbuild.schemas.budget import Account, Budget, compute_cost

SECONDS_PER_HOUR = 3600


def account_lines(account: Account) -> Iterator[str]:
    """Yield what a build has spent, and what its newest run did not pay again."""
    yield f"spent: {', '.join(_spent_parts(account))}"
    if account.reused_requests:
        tokens = account.reused_prompt_tokens + account.reused_completion_tokens
        answers = pluralize_thousands(account.reused_requests, "answer")
        yield f"found in the store: {answers}, {tokens:,} tokens not paid again"


def _spent_parts(account: Account) -> Iterator[str]:
    requests = pluralize_thousands(account.requests, "request")
    yield f"{requests} ({account.failed:,} failed)" if account.failed else requests
    yield f"{account.prompt_tokens:,} + {account.completion_tokens:,} tokens"
    yield format_duration(account.seconds)
    if account.gpu_seconds:
        yield f"{account.gpu_seconds / SECONDS_PER_HOUR:.2f} GPU hours"
    if account.cost is not None:
        yield f"cost {format_cost(account.cost)}"


def pluralize_thousands(number: int, noun: str) -> str:
    """Return a count with its noun, such as `1,200 requests`."""
    return pluralize(number, noun).replace(str(number), f"{number:,}", 1)


def format_cost(cost: float) -> str:
    """Return a cost in two decimal places, a small one in two digits."""
    return f"{cost:,.2f}" if cost >= 1 or cost == 0 else f"{cost:.2g}"


def describe_spending(account: Account, budget: Budget) -> str:
    """Return what was spent of each limit, such as `120 of 120 requests spent`."""
    parts = []
    if budget.max_requests is not None:
        parts.append(f"{account.requests:,} of {budget.max_requests:,} requests")
    if budget.max_output_tokens is not None:
        generated = account.completion_tokens
        parts.append(f"{generated:,} of {budget.max_output_tokens:,} generated tokens")
    if budget.max_cost is not None:
        cost = format_cost(account.cost or 0.0)
        parts.append(f"cost {cost} of {format_cost(budget.max_cost)}")
    return f"{', '.join(parts)} spent"


# -- before a run ------------------------------------------------------------------------


def expected_lines(
    plan: RequestPlan, tokens: PlanTokens, account: Account, budget: Budget
) -> Iterator[str]:
    """Yield what the build has spent, what the open requests may cost, and the budget.

    Generated tokens are expected as the mean of the answers that the build has, or else
    counted as the limit of each request, which says `at most`.
    """
    if account.requests:
        yield from account_lines(account)
    if cost := _describe_cost(plan, tokens, account, budget):
        yield f"cost of the open requests: {cost}"
    if budget.has_limit:
        yield f"budget: {describe_spending(account, budget)}"


def _describe_cost(
    plan: RequestPlan, tokens: PlanTokens, account: Account, budget: Budget
) -> str:
    """Return the expected cost and how it was estimated; empty without a price."""
    prices, num_open = budget.prices, plan.num_open
    num_completed = account.requests - account.failed - account.unknown_tokens
    answers = pluralize_thousands(num_completed, "stored answer")
    if prices.gpu_hour is not None:
        if not account.gpu_seconds or not account.requests:
            return "not known before a first request has been timed on a known GPU"
        seconds = account.gpu_seconds / account.requests * num_open
        cost = compute_cost(prices, 0, 0, seconds) or 0.0
        hours = f"{seconds / SECONDS_PER_HOUR:.2f} GPU hours"
        timed = pluralize_thousands(account.requests, "request")
        return f"about {format_cost(cost)} ({hours}, at the rate of {timed})"
    if num_completed and account.completion_tokens:
        each = account.completion_tokens / num_completed
        generated, word = each * num_open, "about"
        source = f"{each:.0f} generated tokens each, the mean of {answers}"
    else:
        limit = 0 if plan.first is None else plan.first.sampling.max_tokens
        generated, word = float(limit * num_open), "at most"
        source = f"{limit:,} generated tokens each, the limit"
    expected = compute_cost(prices, tokens.estimate.tokens, generated, 0)
    if expected is None:
        return ""
    return f"{word} {format_cost(expected)} ({source})"
