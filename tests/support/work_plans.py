"""Plans whose units nobody reads, for what only leases them."""

from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.work import UnitEntry, WorkPlan


def plan_of(num_units: int, unit_chains: int = 1) -> WorkPlan:
    """Return a plan of so many units, each of `unit_chains` chains."""
    units = (
        UnitEntry(name=f"{number:06d}-{'0' * 16}", num_chains=unit_chains)
        for number in range(num_units)
    )
    return WorkPlan(
        name=f"plan-0001-{'0' * 16}",
        inputs="",
        code="",
        config=BuildConfig(),
        teacher="t",
        templates=(),
        generation="gen-0001",
        num_open=num_units * unit_chains,
        units=tuple(units),
    )
