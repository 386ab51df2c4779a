"""A study's results as CSV.

A text that a spreadsheet would run as a formula begins with an apostrophe. Pure.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from cotbuild.builder.card.markdown import escape_hidden
from cotbuild.schemas.study.declaration import TrainingSetting
from cotbuild.schemas.study.record import VariantFacts
from cotbuild.schemas.study.results import (
    ComparisonResult,
    RecipeResult,
    StudyResults,
)

Value = str | int | float | bool | None
Row = Mapping[str, Value]
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a cell a formula, or is skipped before one."""


def tables(results: StudyResults) -> dict[str, str]:
    """File name to CSV."""
    recipes = (*results.untrained, *results.recipes)
    return {
        "recipes.csv": as_csv(_RECIPE, map(_recipe, recipes)),
        "seeds.csv": as_csv(_SEED, (row for one in recipes for row in _seeds(one))),
        "comparisons.csv": as_csv(_COMPARISON, map(_comparison, results.comparisons)),
        "variants.csv": as_csv(
            tuple(VariantFacts.model_fields),
            (one.model_dump() for one in results.variants),
        ),
    }


def as_csv(header: Iterable[str], rows: Iterable[Row]) -> str:
    """A table with these columns; None is an empty cell, floats as they were computed."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(header), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _cell(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    return (
        "'" + escape_hidden(value, keep="\n\t")
        if value.startswith(_FORMULA)
        else escape_hidden(value, keep="\n\t")
    )


_SETTING = ("student", "rows", "loss")
_RECIPE = (
    *_SETTING, "variant", "num_seeds", "mean", "low_95", "high_95", "raw", "normalised", "free", "forced",
    "parse_failures", "tokens_per_question", "rationale_tokens_per_question", "seen", "num_rows", "train_tokens",
    "train_seconds",
)  # fmt: skip
_SEED = (*_SETTING, "variant", "seed", "accuracy")
_COMPARISON = (
    "name", "says", "claim", "a", "b", *_SETTING, "exploratory", "standing", "outcome", "difference", "low_95",
    "high_95", "low_90", "high_90", "p", "p_holm", "equivalent", "seeds_a", "seeds_b", "num_questions", "paired",
    "standard_error", "df", "smallest_difference",
)  # fmt: skip


def _setting(one: TrainingSetting) -> dict[str, Value]:
    return {"student": one.student_name, "rows": one.rows, "loss": one.loss.value}


def _recipe(one: RecipeResult) -> Row:
    low, high = one.accuracy.interval_95 or (None, None)
    return {
        **_setting(one.recipe),
        "variant": one.recipe.variant,
        "num_seeds": len(one.seeds),
        "mean": one.accuracy.mean,
        "low_95": low,
        "high_95": high,
        **{name: getattr(one, name) for name in _RECIPE[_RECIPE.index("raw") :]},
    }


def _seeds(one: RecipeResult) -> Iterator[Row]:
    for seed, accuracy in zip(one.seeds, one.accuracy.per_seed, strict=True):
        yield {
            **_setting(one.recipe),
            "variant": one.recipe.variant,
            "seed": seed,
            "accuracy": accuracy,
        }


def _comparison(one: ComparisonResult) -> Row:
    planned, found = one.planned, one.comparison
    row: dict[str, Value] = {
        "name": planned.name,
        "says": planned.says,
        "claim": planned.claim.value,
        "a": planned.a,
        "b": planned.b,
        **_setting(one.setting),
        "exploratory": one.exploratory,
        "standing": one.standing.value,
        "outcome": one.outcome.value if one.outcome else None,
        "p_holm": one.p_holm,
        "equivalent": one.equivalent,
    }
    if found:
        same = (
            "difference",
            "p",
            "num_questions",
            "paired",
            "standard_error",
            "df",
            "smallest_difference",
        )
        row |= {name: getattr(found, name) for name in same}
        row |= dict(zip(("low_95", "high_95"), found.interval_95, strict=True))
        row |= dict(zip(("low_90", "high_90"), found.interval_90, strict=True))
        row |= dict(zip(("seeds_a", "seeds_b"), found.num_seeds, strict=True))
    return row
