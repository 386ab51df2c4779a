"""The claims of a study of format version 2 as CSV. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.study.report.claim_words import describe_contrast, describe_test
from cotbuild.builder.study.report.csv_text import Row, Value, format_csv
from cotbuild.schemas.study.results import ClaimResult

_CLAIM = (
    "name", "says", "tier", "exploratory", "kind", "claimed", "contrast", "metric",
    "standing", "look", "outcome", "estimate", "bar", "low_95", "high_95", "low_90",
    "high_90", "p", "p_against", "p_adjusted", "smallest_difference", "standard_error", "df",
    "is_wide", "num_seeds", "num_questions",
)  # fmt: skip
PRIMARY = "primary"
"""Name of the primary metric in the table."""


def make_claims_table(claims: Sequence[ClaimResult]) -> str:
    """Return a row for each claim, then one for each of its secondary metrics."""
    return format_csv(_CLAIM, (row for one in claims for row in _claim_rows(one)))


def _claim_rows(result: ClaimResult) -> Iterator[Row]:
    claim, found = result.claim, result.estimate
    named: dict[str, Value] = {
        "name": claim.name,
        "says": claim.says,
        "tier": result.tier,
        "exploratory": result.exploratory,
        "kind": claim.claim,
        "claimed": describe_test(claim),
        "contrast": describe_contrast(claim),
    }
    row = named | {
        "metric": PRIMARY,
        "standing": result.standing.value,
        "look": result.look,
        "outcome": result.outcome.value if result.outcome else None,
        "p": result.p,
        "p_against": result.p_against,
        "p_adjusted": result.p_adjusted,
    }
    if found is not None:
        row["low_95"], row["high_95"] = found.interval_95
        row["low_90"], row["high_90"] = found.interval_90
        row |= {
            "estimate": found.estimate,
            "bar": found.bar,
            "smallest_difference": found.smallest_difference,
            "standard_error": found.standard_error,
            "df": found.df,
            "is_wide": found.is_wide,
            "num_seeds": len(found.seeds),
            "num_questions": found.num_questions,
        }
    yield row
    for one in result.secondary:
        low, high = one.interval_95
        yield named | {
            "metric": one.metric.value,
            "estimate": one.estimate,
            "low_95": low,
            "high_95": high,
            "p": one.p,
        }
