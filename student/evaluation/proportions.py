"""Shares of questions with their intervals. Pure."""

from collections.abc import Iterable

from cotbuild.schemas.evaluation import Proportion, wilson_interval


def make_proportion(values: Iterable[bool]) -> Proportion | None:
    """Return the share of true values with its interval; None if there are no values."""
    counted = list(values)
    return count_proportion(sum(counted), len(counted)) if counted else None


def count_proportion(count: int, of: int) -> Proportion:
    """Return `count` of at least one question as a share with its interval."""
    low, high = wilson_interval(count, of)
    return Proportion(count=count, of=of, share=count / of, low=low, high=high)


def proportion_of_known(values: Iterable[bool | None]) -> Proportion | None:
    """Return the share of true values among those that are not None."""
    return make_proportion(value for value in values if value is not None)
