"""Bounds of attribution scores, and how far scores are from them, in words. Pure."""

from cotbuild.schemas.attribution import (
    DEFAULT_BOUNDS,
    ConvergenceBounds,
    ScoresInfo,
)

LOOSE_BOUNDS = (
    "these bounds are looser than the defaults "
    f"({100 * DEFAULT_BOUNDS.max_completeness_error:g} %, "
    f"{DEFAULT_BOUNDS.min_rank_correlation:g}), so scores that did not converge may be "
    "among them"
)


def describe_limits(bounds: ConvergenceBounds) -> str:
    """Return what scores had to pass, of one rationale each."""
    return (
        "bounds: completeness error at most "
        f"{format_error(bounds.max_completeness_error)}, rank correlation with half the "
        f"steps at least {bounds.min_rank_correlation:.3g}"
    )


def describe_errors(info: ScoresInfo) -> str:
    """Return the errors that scores reached, those of refused rationales among them."""
    if info.completeness_median is None or info.completeness_p95 is None:
        return "completeness error not known"
    return (
        f"completeness error: median {format_error(info.completeness_median)}, "
        f"95th percentile {format_error(info.completeness_p95)}"
    )


def format_error(share: float) -> str:
    """Return a completeness error such as `45%`, however large or small it is."""
    return f"{100 * share:.3g}%"
