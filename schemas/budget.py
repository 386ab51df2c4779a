"""What a build may spend, what it has spent, and at which price."""

from typing import Self

from pydantic import Field, model_validator

from cotbuild.schemas.record import Record

COST_PLACES = 6
"""Decimal places that a cost is recorded with."""


class Prices(Record):
    """What tokens or GPUs cost, in a currency that the user does not have to name.

    Either tokens have a price or GPU time has; not both.
    """

    input: float | None = Field(
        default=None,
        ge=0,
        description="Price of a million prompt tokens; None for none.",
    )
    output: float | None = Field(
        default=None,
        ge=0,
        description="Price of a million generated tokens; None for none.",
    )
    gpu_hour: float | None = Field(
        default=None, ge=0, description="Price of one hour of one GPU; None for none."
    )

    @model_validator(mode="after")
    def _check_one_kind(self) -> Self:
        has_tokens = self.input is not None or self.output is not None
        if has_tokens and self.gpu_hour is not None:
            raise ValueError(
                "tokens and GPU hours both have a price, which would count a request "
                "twice; leave one of them out"
            )
        return self


def compute_cost(
    prices: Prices, prompt_tokens: float, completion_tokens: float, gpu_seconds: float
) -> float | None:
    """Return what tokens and GPU time cost; None without a price."""
    if prices == Prices():
        return None
    tokens = (prices.input or 0.0) * prompt_tokens
    tokens += (prices.output or 0.0) * completion_tokens
    return tokens / 1_000_000 + (prices.gpu_hour or 0.0) * gpu_seconds / 3600


class Budget(Record):
    """The most that the journals of a build may hold.

    None of it is part of a request key or of a build's inputs: raise a number and run
    the same command again to continue.
    """

    max_requests: int | None = Field(
        default=None, ge=0, description="Requests answered; None for no limit."
    )
    max_output_tokens: int | None = Field(
        default=None, ge=0, description="Tokens generated; None for no limit."
    )
    max_cost: float | None = Field(
        default=None, ge=0, description="Cost by `prices`; None for no limit."
    )
    prices: Prices = Field(default=Prices(), description="What tokens or GPUs cost.")
    gpus: int | None = Field(
        default=None,
        ge=0,
        description="GPUs that the teacher runs on; None for those of a server that "
        "cotbuild starts, and for none that is known at an endpoint.",
    )

    @model_validator(mode="after")
    def _check_prices(self) -> Self:
        if self.max_cost is not None and self.prices == Prices():
            raise ValueError(
                "max_cost is set without a price; set the price of tokens or GPU hours"
            )
        return self

    @property
    def has_limit(self) -> bool:
        """Whether anything is limited."""
        limits = (self.max_requests, self.max_output_tokens, self.max_cost)
        return any(limit is not None for limit in limits)


NO_BUDGET = Budget()


class Account(Record):
    """What a build has spent: the answers in its journals, whichever run asked them."""

    requests: int = Field(ge=0, description="Requests answered, failures included.")
    failed: int = Field(default=0, ge=0, description="Those of them that failed.")
    prompt_tokens: int = Field(ge=0, description="Tokens in their prompts.")
    completion_tokens: int = Field(ge=0, description="Tokens generated.")
    unknown_tokens: int = Field(
        default=0, ge=0, description="Completions whose server counted no tokens."
    )
    seconds: float = Field(
        default=0, ge=0, description="Time that runs spent asking, seconds."
    )
    gpu_seconds: float = Field(
        default=0,
        ge=0,
        description="GPU time of those runs, seconds: GPUs × time; 0 if not known.",
    )
    cost: float | None = Field(
        default=None, ge=0, description="Cost by `prices`; None without a price."
    )
    prices: Prices | None = Field(
        default=None, description="What the cost was computed from; None without it."
    )
    reused_requests: int = Field(
        default=0,
        ge=0,
        description="Requests of this run whose answer was stored already.",
    )
    reused_prompt_tokens: int = Field(
        default=0, ge=0, description="Prompt tokens that this run did not pay again."
    )
    reused_completion_tokens: int = Field(
        default=0, ge=0, description="Generated tokens that this run did not pay again."
    )
