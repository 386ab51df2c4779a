"""A study of format version 2 with a claim of each kind and outcome."""

from collections.abc import Mapping

from cotbuild.builder.study.statistics import recipe_accuracy
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import (
    HyperparameterChoice,
    SeedProcessor,
    StudyRegistration,
    TrialValue,
    TriedSettings,
)
from cotbuild.schemas.study.results import (
    ClaimEstimate,
    ClaimOutcome,
    ClaimResult,
    ComparisonStatus,
    SecondaryResult,
    SensitivityResult,
    StageResult,
    StudyResults,
)
from cotbuild.schemas.study.version_2 import StudyV2
from tests.support.studies.made import (
    EFFECTS,
    PASSED,
    QUESTIONS,
    Tables,
    made_facts,
    made_recipe,
    made_record,
    made_tables,
)

MadeV2 = tuple[StudyRegistration, StudyResults, StudyV2]

SHUFFLED = "post_cot_shuffled_words"
DECLARED: Mapping[str, object] = {
    "format_version": 2,
    "name": "After or before the label",
    "source": "org/garden@v1",
    "dev": {"split": "train", "unseen": True, "count": 500},
    "test": {"split": "train", "unseen": True, "count": 3000},
    "metric": "normalised",
    "secondary_metrics": ["target_probability"],
    "precision": {"training": "bfloat16", "evaluation": "bfloat16"},
    "rows_per_seed": "shared",
    "free_answers": 100,
    "looks": [2, 4],
    "hyperparameters": {
        "grid": {"lr": [5e-5, 1e-4]},
        "variants": ["label_only", "post_cot"],
        "seeds": [0, 1],
    },
    "tiers": [
        {
            "name": "order",
            "claims": [
                {
                    "name": "after_beats_before",
                    "says": "A rationale after the label helps more than one before it.",
                    "claim": "beats",
                    "a": "post_cot",
                    "b": "pre_cot",
                },
                {
                    "name": "rationales_help",
                    "says": "A rationale after the label helps.",
                    "claim": "beats",
                    "a": "post_cot",
                    "b": "label_only",
                },
            ],
        },
        {
            "name": "content",
            "opens_with": ["rationales_help"],
            "claims": [
                {
                    "name": "coherence_not_needed",
                    "says": "Shuffled words keep more than half of the gain.",
                    "claim": "keeps",
                    "a": SHUFFLED,
                    "base": "label_only",
                    "full": "post_cot",
                    "share": 0.5,
                },
                {
                    "name": "shuffled_not_worse",
                    "says": "Shuffled words are not worse.",
                    "claim": "not_worse",
                    "a": SHUFFLED,
                    "b": "post_cot",
                    "margin": 5.0,
                },
            ],
        },
        {
            "name": "equality",
            "claims": [
                {
                    "name": "shuffled_equal",
                    "says": "Shuffled words are equivalent.",
                    "claim": "equivalent",
                    "a": SHUFFLED,
                    "b": "post_cot",
                    "margin": 1.0,
                }
            ],
        },
    ],
    "secondary": [
        {
            "name": "shuffled_share",
            "says": "Shuffled words lose less than half of the gain.",
            "claim": "not_worse",
            "a": SHUFFLED,
            "b": "post_cot",
            "margin": {
                "share": 0.5,
                "of": {"full": "post_cot", "base": "label_only"},
            },
        }
    ],
    "stages": [
        {
            "name": "first",
            "variants": list(EFFECTS),
            "seeds": [0, 1, 2, 3],
            "rows": [500],
        }
    ],
}

CHOICE = HyperparameterChoice(
    settings={"lr": 1e-4},
    tried=tuple(
        TriedSettings(
            settings={"lr": lr},
            mean=mean,
            values=(
                TrialValue(variant="label_only", seed=0, value=mean - 1),
                TrialValue(variant="post_cot", seed=0, value=mean + 1),
            ),
        )
        for lr, mean in ((5e-5, 33.0), (1e-4, 34.5))
    ),
)

OUTCOMES = {
    "after_beats_before": ClaimOutcome.SUPPORTED,
    "rationales_help": ClaimOutcome.CONTRADICTED,
    "coherence_not_needed": ClaimOutcome.UNDECIDED,
    "shuffled_not_worse": ClaimOutcome.NO_ASSAY_SENSITIVITY,
    "shuffled_equal": ClaimOutcome.NOT_TESTED,
    "shuffled_share": ClaimOutcome.SUPPORTED,
}
"""Claim to an outcome that it is given; no statistics are computed."""


def declare(**fields: object) -> StudyV2:
    """The study, with other values for some fields."""
    return StudyV2.parse({**DECLARED, **fields}, "study")


def claim_result(
    claim: AnyClaim,
    tier: str | None,
    look: int = 2,
    *,
    exploratory: bool = False,
) -> ClaimResult:
    """A claim at a look of two; 0 is before the first one."""
    margin = getattr(claim, "margin", None)
    estimate, bar = 1.25, -margin if isinstance(margin, float) else 0.0
    standing = (ComparisonStatus.NOT_RUN, ComparisonStatus.INTERIM)
    found = ClaimEstimate(
        seeds=tuple(range(max(2, 2 * look))),
        num_questions=QUESTIONS,
        estimate=estimate,
        bar=bar,
        standard_error=0.5,
        df=12.5,
        is_wide=look < 2,
        interval_95=(0.17, 2.33),
        interval_90=(0.36, 2.14),
        smallest_difference=1.6,
    )
    secondary = SecondaryResult(
        metric=StudyMetric.TARGET_PROBABILITY,
        estimate=0.8,
        interval_95=(-0.2, 1.8),
        p=0.12,
    )
    is_run = look > 0
    return ClaimResult(
        claim=claim,
        tier=tier,
        exploratory=exploratory,
        standing=(*standing, ComparisonStatus.FINAL)[look],
        look=look if tier is not None else 0,
        estimate=found if is_run else None,
        p=0.0123 if is_run else None,
        p_adjusted=0.0246 if is_run and tier is not None else None,
        outcome=OUTCOMES[claim.name] if is_run else None,
        secondary=(secondary,) if is_run else (),
    )


def _sensitivity(tables: Tables) -> tuple[SensitivityResult, ...]:
    """Two variants with settings of their own; one lacks a seed with the common ones."""
    accuracies = [recipe_accuracy(answers) for answers in tables.values()]
    return tuple(
        SensitivityResult(
            variant=recipe.variant,
            settings={"lr": 3e-4},
            seeds=(0, 1, 2, 3),
            accuracy=accuracy,
            common=common,
        )
        for recipe, accuracy, common in zip(
            tables, accuracies[:2], (accuracies[0], None), strict=False
        )
    )


def whole_v2(look: int = 2, *, late: bool = True, **fields: object) -> MadeV2:
    """The study at a look, with `late` also with seeds that were not registered."""
    study = declare(**fields)
    claims = [
        claim_result(claim, tier.name, look)
        for tier in study.tiers
        for claim in tier.claims
    ]
    claims += [claim_result(claim, None, look) for claim in study.secondary]
    if late:
        first = study.tier_claims[0]
        claims.append(claim_result(first, None, exploratory=True))
    tables = made_tables(study, study.all_cells(), EFFECTS) if look else {}
    total = len(study.all_cells())
    sensitivity = _sensitivity(tables) if look else ()
    results = StudyResults(
        metric=study.metric,
        num_questions=QUESTIONS,
        stages=(StageResult(name="first", done=total * look // 2, total=total),),
        untrained=(),
        recipes=tuple(
            made_recipe(recipe, answers, True) for recipe, answers in tables.items()
        ),
        comparisons=(),
        claims=tuple(claims),
        sensitivity=sensitivity,
        variants=tuple(made_facts(variant) for variant in EFFECTS),
        touches=total * look // 2 + sum(len(one.seeds) for one in sensitivity),
        touched_twice=(),
    )
    record = made_record(study, gate=PASSED).model_copy(
        update={
            "chosen": (),
            "choice": CHOICE,
            "seed_processors": tuple(
                SeedProcessor(seed=seed, processor="AMD EPYC" if seed < 3 else "Xeon")
                for seed in study.planned_seeds
            ),
        }
    )
    return record, results, study
