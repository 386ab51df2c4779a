"""Options of a budget, and how they are read.

Each is `typer.Option` with its name and help, as in source_options.py.
"""

from functools import partial
from typing import TYPE_CHECKING

import typer

from cotbuild.builder.cli.help import BUDGET
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.schemas.budget import Budget

max_requests_option = partial(
    typer.Option,
    metavar="N",
    help="The most requests that the build's journals may hold; 0 sends none.",
    rich_help_panel=BUDGET,
)
max_output_tokens_option = partial(
    typer.Option,
    metavar="N",
    help="The most generated tokens that they may hold.",
    rich_help_panel=BUDGET,
)
max_cost_option = partial(
    typer.Option,
    metavar="X",
    help="The most that they may cost, by --price or --gpu-hour.",
    rich_help_panel=BUDGET,
)
price_option = partial(
    typer.Option,
    metavar="in=X,out=Y",
    help="Price of a million prompt tokens and of a million generated ones, such as "
    "in=0.15,out=0.60.",
    rich_help_panel=BUDGET,
)
gpu_hour_option = partial(
    typer.Option,
    metavar="X",
    help="Price of an hour of one GPU, such as 2.50.",
    rich_help_panel=BUDGET,
)
gpus_option = partial(
    typer.Option,
    metavar="N",
    help="GPUs that the teacher runs on, such as those behind --endpoint; those of a "
    "server that is started are known.",
    rich_help_panel=BUDGET,
)

_PRICE_NAMES = {"in": "input", "out": "output"}


def parse_budget(
    max_requests: int | None,
    max_output_tokens: int | None,
    max_cost: float | None,
    price: str | None,
    gpu_hour: float | None,
    gpus: int | None,
) -> "Budget":
    """Return the budget that options state.

    Raises ConfigError for a price in another form, a negative number, a limit on the
    cost without a price, or prices of both tokens and GPUs.
    """
    from cotbuild.schemas.budget import Budget

    prices: dict[str, float | None] = {"gpu_hour": gpu_hour}
    if price is not None:
        prices |= parse_price(price)
    has_price = price is not None or gpu_hour is not None
    if max_cost is not None and not has_price:
        raise ConfigError(
            f"--max-cost {max_cost:g} has no price to count by. Pass --price in=X,out=Y "
            "or --gpu-hour X."
        )
    if price is not None and gpu_hour is not None:
        raise ConfigError(
            f"--price {price!r} and --gpu-hour {gpu_hour:g} would count a request twice. "
            "Pass one of them."
        )
    values = {
        "max_requests": max_requests,
        "max_output_tokens": max_output_tokens,
        "max_cost": max_cost,
        "prices": prices,
        "gpus": gpus,
    }
    return Budget.parse(values, "budget", ConfigError)


def parse_price(text: str) -> dict[str, float | None]:
    """Parse `--price in=0.15,out=0.60`; either part may be left out."""
    prices: dict[str, float | None] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        field = _PRICE_NAMES.get(name)
        value = _parse_number(number)
        if field is None or value is None or field in prices:
            raise ConfigError(
                f"--price {text!r} is not in=NUMBER,out=NUMBER, such as in=0.15,out=0.60."
            )
        prices[field] = value
    return prices


def _parse_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
