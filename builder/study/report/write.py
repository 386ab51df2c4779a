"""The files of report/: the page, CSV tables, results.json and a picture.

The same record and results give the same bytes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cotbuild.builder.study.folder import PAGE
from cotbuild.builder.study.report.claims_table import make_claims_table
from cotbuild.builder.study.report.csv_text import Row, Value, format_csv
from cotbuild.builder.study.report.page import render_page
from cotbuild.builder.study.report.plots import render_pictures
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import write_bytes_atomic
from cotbuild.schemas.question import Choice
from cotbuild.schemas.study.declaration import Study, TrainingSetting
from cotbuild.schemas.study.record import StudyRegistration, VariantFacts
from cotbuild.schemas.study.results import (
    ComparisonResult,
    RecipeAccuracy,
    RecipeResult,
    StudyResults,
)

RESULTS = "results.json"
PICTURE = "accuracy.png"


def write_report(
    folder: Path, record: StudyRegistration, results: StudyResults, study: Study
) -> Path:
    """Write report/ and return the path of its page, which is written last.

    `study` is STUDY.yaml as of now. PICTURE is written once a recipe of the main setting
    has results. Raises StoreError.
    """
    pictures = render_pictures(record, results)
    files = {name: text.encode() for name, text in make_tables(results).items()}
    files[RESULTS] = (results.model_dump_json(indent=2) + "\n").encode()
    if "accuracy" in pictures:
        files[PICTURE] = pictures["accuracy"]
    files |= {
        name: text.encode()
        for name, text in make_class_tables(results, record.test.classes or ()).items()
    }
    files[PAGE] = render_page(record, results, study, pictures).encode()
    try:
        for name, data in files.items():
            write_bytes_atomic(folder / name, data)
        if PICTURE not in files:
            (folder / PICTURE).unlink(missing_ok=True)  # of an earlier report
    except OSError as error:
        raise StoreError(
            f"{folder}: could not be written: {error.strerror or error}. Check "
            "permissions and free disk space, then run the same command again."
        ) from error
    return folder / PAGE


# -- tables -----------------------------------------------------------------------------

_SETTING = ("student", "rows", "loss")
_RECIPE = (
    *_SETTING, "variant", "num_seeds", "mean", "low_95", "high_95", "raw", "normalised",
    "free", "forced", "parse_failures", "tokens_per_question",
    "rationale_tokens_per_question", "seen", "num_rows", "train_tokens", "train_seconds",
)  # fmt: skip
_RECIPE_FIGURES = _RECIPE[_RECIPE.index("raw") :]
_SEED = (*_SETTING, "variant", "seed", "accuracy")
_COMPARISON = (
    "name", "says", "claim", "a", "b", *_SETTING, "exploratory", "standing", "outcome",
    "difference", "low_95", "high_95", "low_90", "high_90", "p", "p_holm", "equivalent",
    "seeds_a", "seeds_b", "num_questions", "paired", "standard_error", "df",
    "smallest_difference",
)  # fmt: skip


_CLASS = (*_SETTING, "variant", "label", "text", "questions", "f1", "low_95", "high_95")
_CONFUSION = (*_SETTING, "variant", "target", "choice", "count")


def make_tables(results: StudyResults) -> dict[str, str]:
    """Return the CSV tables of a report, file name to text."""
    recipes = (*results.untrained, *results.recipes)
    recipe_rows = [_recipe_row(one) for one in recipes]
    seed_rows = [row for one in recipes for row in _seed_rows(one)]
    comparison_rows = [_comparison_row(one) for one in results.comparisons]
    variant_rows = [one.model_dump() for one in results.variants]
    tables = {
        "recipes.csv": format_csv(_RECIPE, recipe_rows),
        "seeds.csv": format_csv(_SEED, seed_rows),
        "comparisons.csv": format_csv(_COMPARISON, comparison_rows),
        "variants.csv": format_csv(VariantFacts.model_fields, variant_rows),
    }
    if results.claims:
        tables["claims.csv"] = make_claims_table(results.claims)
    return tables


def make_class_tables(
    results: StudyResults, classes: Sequence[Choice]
) -> dict[str, str]:
    """Return the CSV tables of classes; none if the questions have no classes."""
    if not classes:
        return {}
    recipes = (*results.untrained, *results.recipes)
    class_rows = [row for one in recipes for row in _class_rows(one)]
    confusion_rows = [row for one in recipes for row in _confusion_rows(one, classes)]
    return {
        "classes.csv": format_csv(_CLASS, class_rows),
        "confusion.csv": format_csv(_CONFUSION, confusion_rows),
    }


def _setting_cells(setting: TrainingSetting) -> dict[str, Value]:
    return {
        "student": setting.student_name,
        "rows": setting.rows,
        "loss": setting.loss.value,
    }


def _recipe_row(result: RecipeResult) -> Row:
    low, high = result.accuracy.interval_95 or (None, None)
    return {
        **_setting_cells(result.recipe),
        "variant": result.recipe.variant,
        "num_seeds": len(result.seeds),
        "mean": result.accuracy.mean,
        "low_95": low,
        "high_95": high,
        **{name: getattr(result, name) for name in _RECIPE_FIGURES},
    }


def _seed_rows(result: RecipeResult) -> Iterator[Row]:
    for seed, accuracy in zip(result.seeds, result.accuracy.per_seed, strict=True):
        yield {
            **_setting_cells(result.recipe),
            "variant": result.recipe.variant,
            "seed": seed,
            "accuracy": accuracy,
        }


def _class_rows(result: RecipeResult) -> Iterator[Row]:
    """Yield a row for each class, then one for macro-F1."""
    if result.classes is None:
        return
    recipe = {**_setting_cells(result.recipe), "variant": result.recipe.variant}
    for one in result.classes.classes:
        texts: dict[str, Value] = {
            "label": one.label,
            "text": one.text,
            "questions": one.support,
        }
        yield recipe | texts | _f1_cells(one.f1)
    yield recipe | {"label": "macro-F1"} | _f1_cells(result.classes.macro_f1)


def _f1_cells(f1: RecipeAccuracy) -> dict[str, Value]:
    low, high = f1.interval_95 or (None, None)
    return {"f1": f1.mean, "low_95": low, "high_95": high}


def _confusion_rows(result: RecipeResult, classes: Sequence[Choice]) -> Iterator[Row]:
    """Yield a row for each target and choice; no choice is an empty cell."""
    if result.classes is None:
        return
    recipe = {**_setting_cells(result.recipe), "variant": result.recipe.variant}
    choices = [*(one.text for one in classes), None]
    for target, counts in zip(classes, result.classes.confusion, strict=True):
        for choice, count in zip(choices, counts, strict=True):
            yield recipe | {"target": target.text, "choice": choice, "count": count}


def _comparison_row(result: ComparisonResult) -> Row:
    planned, found = result.planned, result.comparison
    row: dict[str, Value] = {
        "name": planned.name,
        "says": planned.says,
        "claim": planned.claim.value,
        "a": planned.a,
        "b": planned.b,
        **_setting_cells(result.setting),
        "exploratory": result.exploratory,
        "standing": result.standing.value,
        "outcome": result.outcome.value if result.outcome else None,
        "p_holm": result.p_holm,
        "equivalent": result.equivalent,
    }
    if found is None:
        return row
    row["low_95"], row["high_95"] = found.interval_95
    row["low_90"], row["high_90"] = found.interval_90
    row["seeds_a"], row["seeds_b"] = found.num_seeds
    return row | {
        "difference": found.difference,
        "p": found.p,
        "num_questions": found.num_questions,
        "paired": found.paired,
        "standard_error": found.standard_error,
        "df": found.df,
        "smallest_difference": found.smallest_difference,
    }
