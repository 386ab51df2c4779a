"""What a study of format version 2 says of its limits and its method. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.decisions import partly_opened
from cotbuild.builder.study.power import planned_tiers
from cotbuild.builder.study.report.claim_words import (
    describe_power,
    name_power,
    scope_notice,
)
from cotbuild.builder.study.report.wording import METRIC_TITLES, format_grid, join_words
from cotbuild.builder.study.scoring_students import describe_unknown
from cotbuild.builder.study.statistics import LEVEL
from cotbuild.builder.study.two_way import FEW_SEEDS
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.study.claims import EquivalentClaim
from cotbuild.schemas.study.declaration import HeldOutQuestions
from cotbuild.schemas.study.record import SeedProcessor, StudyRegistration
from cotbuild.schemas.study.results import ClaimResult, StudyResults
from cotbuild.schemas.study.version_2 import RowsPerSeed, StudyV2


def list_claim_limitations(
    study: StudyV2, record: StudyRegistration, results: StudyResults
) -> Iterator[str]:
    """Yield what the claims cannot show: their power, and what their intervals cover."""
    for one in results.claims:
        if not one.exploratory:
            yield _power_limitation(one)
    partly = partly_opened(planned_tiers(study))
    if partly:
        yield _level_limitation(study, partly)
    notice = scope_notice(study)
    if notice is not None:
        yield notice
    if any(one.estimate is not None and one.estimate.is_wide for one in results.claims):
        yield FEW_SEEDS
    kinds = _group_by_processor(record.seed_processors)
    if len(kinds) > 1:
        yield (
            f"Seeds were run on {len(kinds)} kinds of processors, which round differently; "
            "all variants of a seed on one of them."
        )
    yield from map(one_line, describe_unknown(record.scoring_students))
    if study.free_answers is not None and study.free_answers < results.num_questions:
        yield (
            f"Free answers are of {study.free_answers:,} of the test questions, the first "
            "by a digest of their ids."
        )
    if results.swapped and isinstance(study.test, HeldOutQuestions):
        yield (
            f"The rationales of {join_words(results.swapped)} are of other questions of "
            "the build, and these may be test questions: no cell trains on a test "
            "question, but these variants may train on rationales that were written for "
            "one."
        )


def _group_by_processor(
    seed_processors: Sequence[SeedProcessor],
) -> dict[str, list[int]]:
    """Return the kinds of processors with the seeds that were run on them."""
    kinds: dict[str, list[int]] = {}
    for one in sorted(seed_processors, key=lambda one: one.seed):
        kinds.setdefault(one.processor, []).append(one.seed)
    return kinds


def _power_limitation(result: ClaimResult) -> str:
    name, found = result.claim.name, result.estimate
    if found is None:
        return f"{name}: not run, so nothing can be concluded."
    missed = "smaller ones are missed"
    if isinstance(result.claim, EquivalentClaim):
        missed = "with a smaller one, equal variants are missed"
    return (
        f"{name}: the {name_power(result.claim)} is {describe_power(result)}; {missed} "
        "more often than one time in five."
    )


def _level_limitation(study: StudyV2, partly: Sequence[int]) -> str:
    """Return what tiers that open with a part of the claims before them cost."""
    names = join_words(
        f"“{one_line(study.tiers[position].name)}”" for position in partly
    )
    what = "The tier" if len(partly) == 1 else "The tiers"
    verb = "opens" if len(partly) == 1 else "open"
    return (
        f"{what} {names} {verb} when a part of the claims before is supported, so the "
        f"level of {100 * LEVEL:g} % holds within each tier and not across the study: the "
        "chance that any claim of the tiers is supported falsely can be larger, "
        f"{100 * LEVEL * (1 + len(partly)):g} % at most. In simulations of two tiers of "
        "two claims it was up to 7.7 %."
    )


def describe_claim_method(
    study: StudyV2, record: StudyRegistration
) -> Iterator[tuple[str, str]]:
    """Yield how claims are decided, as pairs of a term and its description."""
    secondary = [METRIC_TITLES[metric] for metric in study.secondary_metrics]
    if secondary:
        yield "Secondary metrics", f"{join_words(secondary)}: reported, decide nothing"
    yield "Seeds and looks", _describe_looks(study)
    yield "Rationales", _describe_rows(study)
    yield "Statistics", _describe_statistics(study)
    yield "Tiers", _describe_tiers(study)
    if study.precision is not None:
        training, evaluation = study.precision.training, study.precision.evaluation
        yield (
            "Precision",
            f"training in {training.value}, evaluation in {evaluation.value}; a machine "
            "without units for them runs no cell",
        )
    kinds = _group_by_processor(record.seed_processors)
    if kinds:
        parts = [
            f"{one_line(kind)} ({'seed' if len(seeds) == 1 else 'seeds'} "
            f"{join_words(map(str, seeds))})"
            for kind, seeds in kinds.items()
        ]
        yield "Processors", "; ".join(parts)
    separate = [
        variant
        for student in record.scoring_students
        if student.num_seen == 0
        for variant in student.variants
    ]
    if separate:
        yield (
            "Scores of words",
            f"{join_words(map(one_line, separate))}: by a student that was trained on "
            "none of the dev and test questions",
        )
    yield "Hyperparameters", _describe_search(study)
    if study.sensitivity is not None:
        grid = format_grid(study.sensitivity.grid)
        yield (
            "Sensitivity",
            f"{one_line(study.sensitivity.name)}: each variant chooses from {grid} for "
            "itself; decides nothing",
        )


def _describe_looks(study: StudyV2) -> str:
    seeds = pluralize(len(study.planned_seeds), "seed")
    looks = study.planned_looks
    if len(looks) == 1:
        return f"{seeds}; one look, at all of them"
    return f"{seeds}; looks at {join_words(map(str, looks))} of them"


def _describe_rows(study: StudyV2) -> str:
    number = f"{study.main.rows:,}"
    if study.rows_per_seed is RowsPerSeed.OWN:
        return f"each seed draws its own {number}, the same for every variant"
    return f"the same {number} for all seeds and variants"


def _describe_statistics(study: StudyV2) -> str:
    error = (
        "two-way error over seeds and questions, Student's t with Satterthwaite's degrees "
        "of freedom"
    )
    if not study.metric.is_question_mean:
        error = "paired bootstrap over seeds and questions"
    looks = "" if len(study.planned_looks) == 1 else ", O'Brien-Fleming boundaries"
    return (
        f"{error}{looks}; cells paired by seed; intervals are of one claim at one look"
    )


def _describe_tiers(study: StudyV2) -> str:
    parts = [
        f"{one_line(tier.name)} ({pluralize(len(tier.claims), 'claim')})"
        for tier in study.tiers
    ]
    most = 100 * LEVEL * (1 + len(partly_opened(planned_tiers(study))))
    scope = "for all tiers together"
    if most > 100 * LEVEL:
        scope = f"for each tier and {most:g} % at most for all together"
    return (
        f"{', then '.join(parts)}; p-values adjusted by Holm's method over each tier, at "
        f"{100 * LEVEL:g} % {scope}"
    )


def _describe_search(study: StudyV2) -> str:
    search = study.hyperparameters
    if search is None:
        return "none chosen: the same for all variants"
    grid = format_grid(search.grid)
    return (
        f"one setting for all variants, the best mean on dev over "
        f"{join_words(search.variants)} and {pluralize(len(search.seeds), 'seed')}, from "
        f"{grid}"
    )
