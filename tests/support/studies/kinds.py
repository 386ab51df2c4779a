"""Studies of every kind that a report may meet."""

from collections.abc import Callable

from cotbuild.schemas.study.record import DeclarationChange, StudyRegistration
from cotbuild.schemas.study.results import StudyResults
from cotbuild.schemas.study.version_1 import StudyV1
from tests.support.studies.made import (
    PASSED,
    claim,
    made_record,
    made_results,
    made_study,
    made_tables,
    whole,
)

Made = tuple[StudyRegistration, StudyResults, StudyV1]


def changed() -> Made:
    """Two sizes, all cells there, the margin changed on the way."""
    record, results, study = whole(rows=(500, 1000))
    change = DeclarationChange(
        field="margin", was=2.0, now=3.0, seen_at="2026-01-02T00:00:00+00:00", cells=4
    )
    return record.model_copy(update={"changes": (change,)}), results, study


def half_way() -> Made:
    """Two of three seeds of three variants, one of the fourth."""
    study = made_study()
    tables = made_tables(study, study.all_cells(), {"post_cot": 0.05})
    last = "post_cot_shuffled_words"
    part = {
        recipe: answers[: 1 if recipe.variant == last else 2]
        for recipe, answers in tables.items()
    }
    return made_record(study, gate=PASSED), made_results(study, part), study


def nothing_run() -> Made:
    study = made_study()
    return made_record(study), made_results(study, {}, untrained=False), study


def one_seed() -> Made:
    study = made_study(seeds=(0,))
    return (
        made_record(study, gate=PASSED),
        made_results(study, made_tables(study, study.all_cells(), {})),
        study,
    )


def no_options() -> Made:
    study = made_study()
    tables = made_tables(study, study.all_cells(), {})
    return (
        made_record(study, gate=PASSED, chance=None),
        made_results(study, tables, options=False),
        study,
    )


def many_recipes() -> Made:
    """25, with names as long as most."""
    effects = {
        "label_only": 0.0,
        **{f"post_cot_attributed_no_options_{at}": 0.003 * at for at in range(24)},
    }
    late = claim("late", "post_cot_attributed_no_options_23", "label_only")
    return whole(effects, variants=tuple(effects), claims=(late,))


KINDS: dict[str, Callable[[], Made]] = {
    "whole": changed,
    "half way": half_way,
    "nothing run": nothing_run,
    "one seed": one_seed,
    "no options": no_options,
    "many": many_recipes,
}
