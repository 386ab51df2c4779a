"""The claims of a study of format version 2 in words. Pure."""

from collections import Counter
from collections.abc import Sequence

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.claim_tests import claim_seeds
from cotbuild.builder.study.report.wording import (
    METRIC_TITLES,
    NONE,
    format_number,
    format_p,
    format_signed,
    format_signed_interval,
    join_words,
)
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.study.claims import (
    AnyClaim,
    BeatsClaim,
    EquivalentClaim,
    GainShare,
    KeepsClaim,
    NotWorseClaim,
)
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.results import (
    ClaimEstimate,
    ClaimOutcome,
    ClaimResult,
    ComparisonStatus,
    SecondaryResult,
    StudyResults,
)
from cotbuild.schemas.study.version_2 import RowsPerSeed, StudyV2

# -- what is claimed --------------------------------------------------------------------


def describe_test(claim: AnyClaim) -> str:
    """Return what must be shown, such as `post_cot > pre_cot`."""
    match claim:
        case BeatsClaim():
            return f"{claim.a} > {claim.b}"
        case NotWorseClaim():
            return f"{claim.a} > {claim.b} − {_format_margin(claim)}"
        case EquivalentClaim():
            return f"{claim.a} = {claim.b} ± {_format_margin(claim)}"
        case KeepsClaim():
            return f"{claim.a} > {_format_mixture(claim)}"


def describe_contrast(claim: AnyClaim) -> str:
    """Return what the estimate of a claim is of, such as `post_cot − pre_cot`."""
    if isinstance(claim, KeepsClaim):
        return f"{claim.a} − ({_format_mixture(claim)})"
    difference = f"{claim.a} − {claim.b}"
    if isinstance(claim, BeatsClaim) or not isinstance(claim.margin, GainShare):
        return difference
    return f"{difference} + {_format_margin(claim)}"


def _format_mixture(claim: KeepsClaim) -> str:
    """Return `50 % label_only + 50 % post_cot`, the bar of a claim to keep a share."""
    rest, share = _format_share(1 - claim.share), _format_share(claim.share)
    return f"{rest} {claim.base} + {share} {claim.full}"


def _format_margin(claim: NotWorseClaim | EquivalentClaim) -> str:
    margin = claim.margin
    if not isinstance(margin, GainShare):
        return f"{margin:g} point{'' if margin == 1 else 's'}"
    share = _format_share(margin.share)
    return f"{share} of ({margin.of.full} − {margin.of.base})"


def _format_share(share: float) -> str:
    return f"{100 * share:g} %"


# -- how a claim ended ------------------------------------------------------------------


def name_outcome(result: ClaimResult) -> str:
    """Return `supported`, `no assay sensitivity`, `not tested`, `not run`, …"""
    return "not run" if result.outcome is None else result.outcome.replace("_", " ")


def is_interim(result: ClaimResult) -> bool:
    """Return whether looks of the claim are still to come."""
    return result.standing is ComparisonStatus.INTERIM


def explain_outcome(result: ClaimResult, study: StudyV2) -> str:
    """Explain what the outcome of a claim means for its variants."""
    match result.outcome:
        case None:
            return _explain_not_run(result, study)
        case ClaimOutcome.SUPPORTED:
            return _state_support(result.claim)
        case ClaimOutcome.CONTRADICTED:
            return _state_opposite(result.claim)
        case ClaimOutcome.UNDECIDED:
            return "This shows neither the claim nor its opposite."
        case ClaimOutcome.NO_ASSAY_SENSITIVITY:
            return _explain_insensitivity(result.claim, study.gate.variant)
        case ClaimOutcome.NOT_TESTED:
            return _explain_closed_tier(result, study)


def _explain_not_run(result: ClaimResult, study: StudyV2) -> str:
    first = study.planned_looks[0]
    return (
        f"Not run: the first look needs {pluralize(first, 'seed')} of "
        f"{join_words(result.claim.variants)}."
    )


def _state_support(claim: AnyClaim) -> str:
    match claim:
        case BeatsClaim():
            return f"{claim.a} is significantly better than {claim.b}."
        case NotWorseClaim():
            return (
                f"{claim.a} is better than {claim.b}, or worse by less than "
                f"{_format_margin(claim)}."
            )
        case EquivalentClaim():
            return (
                f"{claim.a} and {claim.b} differ by less than {_format_margin(claim)} in "
                "either direction."
            )
        case KeepsClaim():
            return f"{claim.a} keeps more than {_format_kept(claim)}."


def _state_opposite(claim: AnyClaim) -> str:
    match claim:
        case BeatsClaim():
            return f"{claim.b} is significantly better than {claim.a}."
        case NotWorseClaim():
            return f"{claim.a} is worse than {claim.b} by more than {_format_margin(claim)}."
        case EquivalentClaim():
            return (
                f"{claim.a} and {claim.b} differ by more than {_format_margin(claim)}."
            )
        case KeepsClaim():
            return f"{claim.a} keeps less than {_format_kept(claim)}."


def _format_kept(claim: KeepsClaim) -> str:
    share = _format_share(claim.share)
    return f"{share} of what {claim.full} gains over {claim.base}"


def _explain_insensitivity(claim: AnyClaim, baseline: str) -> str:
    """Explain why a test that was passed does not support its claim."""
    gain = _gain_of(claim)
    if gain is not None:
        full, base = gain
        return (
            f"The test was passed, but {full} is not shown to be better than {base}: "
            "without a gain, there is nothing of which a share could be kept."
        )
    return (
        f"The test was passed, but {baseline} in the place of {claim.a} lies within the "
        "margin too: the test does not tell variants apart."
    )


def _gain_of(claim: AnyClaim) -> tuple[str, str] | None:
    """Return the variants whose difference is the gain of a claim: with and without."""
    if isinstance(claim, KeepsClaim):
        return claim.full, claim.base
    if isinstance(claim, BeatsClaim) or not isinstance(claim.margin, GainShare):
        return None
    return claim.margin.of.full, claim.margin.of.base


def _explain_closed_tier(result: ClaimResult, study: StudyV2) -> str:
    names = [tier.name for tier in study.tiers]
    opens_with = study.opening_claims(names.index(result.tier or names[0]))
    return (
        f"Not tested: its tier is tested only if {_quote_claims(opens_with, study)} "
        f"{'is' if len(opens_with) == 1 else 'are'} supported."
    )


def _quote_claims(names: Sequence[str], study: StudyV2) -> str:
    """Return what claims say, in quotation marks, such as `“A beats B”`."""
    says = {claim.name: one_line(claim.says).rstrip(".") for claim in study.tier_claims}
    return join_words(f"“{says[name]}”" for name in names)


# -- the figures of a claim -------------------------------------------------------------


def describe_estimate(result: ClaimResult) -> str:
    """Return `+1.2 points (95 % interval …; 90 % interval …, which decides)`."""
    found = result.estimate
    if found is None:
        return NONE
    intervals = f"95 % interval {format_signed_interval(found.interval_95)}"
    if not isinstance(result.claim, BeatsClaim):
        intervals += f"; 90 % interval {format_signed_interval(found.interval_90)}"
    return f"{format_signed(found.estimate)} points ({intervals})"


def describe_bar(found: ClaimEstimate, claim: AnyClaim) -> str:
    """Return what the estimate must be above, or between."""
    bar = format_signed(found.bar)
    if isinstance(claim, EquivalentClaim):
        return f"above {bar} and below {format_signed(-found.bar)} points"
    return f"above {bar} points"


def describe_p(result: ClaimResult) -> str:
    """Return the p-value that decides a claim of a tier, and what kind it is.

    It is that of the opposite where the claim is contradicted.
    """
    kind = f"{_kind_of_p(result.claim)}, corrected for the looks"
    if result.outcome is ClaimOutcome.CONTRADICTED:
        return f"{format_p(result.p_against)} of the opposite ({kind})"
    return f"{format_p(result.p)} ({kind})"


def _kind_of_p(claim: AnyClaim) -> str:
    match claim:
        case BeatsClaim():
            return "two-sided, in the claimed direction"
        case EquivalentClaim():
            return "the larger of two one-sided"
        case _:
            return "one-sided"


def describe_look(result: ClaimResult, study: StudyV2) -> str:
    """Return `1 of 2, at 6 of 12 seeds; 3,000 questions`.

    Claims outside the tiers have no looks: `6 of 12 seeds; 3,000 questions`, and
    exploratory ones no plan: `12 seeds; 3,000 questions`.
    """
    found, looks = result.estimate, study.planned_looks
    if found is None:
        return NONE
    questions = f"{found.num_questions:,} questions"
    if result.exploratory:
        return f"{pluralize(len(found.seeds), 'seed')}; {questions}"
    if result.tier is None:
        number = pluralize(len(claim_seeds(study, result.claim)), "seed")
        return f"{len(found.seeds)} of {number}; {questions}"
    number = pluralize(len(study.planned_seeds), "seed")
    return (
        f"{result.look} of {len(looks)}, at {len(found.seeds)} of {number}; {questions}"
    )


def name_power(claim: AnyClaim) -> str:
    """Return what `smallest_difference` is of a claim, in words."""
    if isinstance(claim, EquivalentClaim):
        return "smallest margin that could be shown of equal variants"
    return "smallest difference that could be seen"


def describe_power(result: ClaimResult) -> str:
    """Return `1.6 points above the bar (80 % power, after all corrections)`.

    Claims outside the tiers have no corrections: `1.6 points (80 % power)`.
    """
    found = result.estimate
    if found is None:
        return NONE
    distance = format_number(found.smallest_difference)
    is_from_bar = found.bar != 0 and not isinstance(result.claim, EquivalentClaim)
    from_bar = " above the bar" if is_from_bar else ""
    if result.tier is None:
        return f"{distance} points{from_bar} (80 % power)"
    at_look = " at this look" if is_interim(result) else ""
    return f"{distance} points{from_bar} (80 % power{at_look}, after all corrections)"


def describe_secondary(result: SecondaryResult) -> str:
    """Return `+0.8 points (95 % interval −0.2 to +1.8), p 0.120`."""
    interval = format_signed_interval(result.interval_95)
    p = format_p(result.p)
    return (
        f"{format_signed(result.estimate)} points (95 % interval {interval}), p "
        f"{p if p.startswith('<') else f'= {p}'}"
    )


def name_metric(result: SecondaryResult) -> str:
    """Return the name of a secondary metric for the start of a line."""
    name = METRIC_TITLES[result.metric]
    if result.metric is StudyMetric.ACCURACY:
        name = "accuracy, not normalised by length"
    return f"{name[0].upper()}{name[1:]}, secondary"


# -- the study --------------------------------------------------------------------------


def tier_claims(results: StudyResults) -> list[ClaimResult]:
    """Return the claims that the tiers decide."""
    return [
        one for one in results.claims if one.tier is not None and not one.exploratory
    ]


def count_outcomes(claims: Sequence[ClaimResult]) -> str:
    """Return `3 claims, so far: 1 supported, 2 undecided.`"""
    counts = Counter(name_outcome(one) for one in claims)
    so_far = ", so far" if any(is_interim(one) for one in claims) else ""
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{pluralize(len(claims), 'claim')}{so_far}: {parts}."


def describe_opening(position: int, study: StudyV2) -> str:
    """Return when a tier is tested; its `position` counts from 0."""
    opens_with = study.opening_claims(position)
    if not opens_with:
        return "Always tested."
    verb = "is" if len(opens_with) == 1 else "are"
    return f"Tested only if {_quote_claims(opens_with, study)} {verb} supported."


def scope_notice(study: StudyV2) -> str | None:
    """Return the notice that claims are about one training set, if they are."""
    if study.rows_per_seed is RowsPerSeed.OWN:
        return None
    return (
        "The claims are about one training set: all seeds train on the same rationales, so "
        "the intervals cover other seeds and other questions, and no other rationales."
    )


def caption_sensitivity(metric: StudyMetric) -> str:
    """Return what the table of the sensitivity stage shows."""
    unit = ", percent" if metric.is_accuracy else ", from 0 to 100"
    return f"{METRIC_TITLES[metric]} on the test questions{unit}, of the same seeds."


def interim_notice(results: StudyResults, study: StudyV2) -> str | None:
    """Return the notice on results that may still change; None if they are final."""
    claims = tier_claims(results)
    if all(one.standing is ComparisonStatus.FINAL for one in claims):
        return _interim_secondary(results)
    if not results.recipes:
        return "Nothing was run on the test questions yet."
    looks = study.planned_looks
    look = min((one.look for one in claims), default=0)
    seeds = ", ".join(str(number) for number in looks)
    return (
        f"INTERIM: {look} of {pluralize(len(looks), 'planned look')} reached (at {seeds} "
        "seeds). P-values are corrected for looking several times; what is not decided yet "
        "may still change."
    )


def _interim_secondary(results: StudyResults) -> str | None:
    """Return the notice on secondary claims that may still change."""
    secondary = [
        one for one in results.claims if one.tier is None and not one.exploratory
    ]
    num_final = sum(one.standing is ComparisonStatus.FINAL for one in secondary)
    if num_final == len(secondary):
        return None
    verb = "is" if 1 in (num_final, len(secondary)) else "are"
    return (
        f"All claims of the tiers are final. INTERIM: {num_final} of "
        f"{pluralize(len(secondary), 'secondary claim')} {verb} final. The others may "
        "still change."
    )
