"""What a study could not have seen, computed of its design and its record. Pure."""

from collections.abc import Iterator

from cotbuild.builder.study.report.wording import brief, listed, setting
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.study.record import StudyRegistration
from cotbuild.schemas.study.results import ComparisonResult, RecipeResult, StudyResults


def limits(record: StudyRegistration, results: StudyResults) -> list[str]:
    """A sentence each."""
    main = [one for one in results.recipes if one.recipe.setting == record.study.main]
    planned = [one for one in results.comparisons if not one.exploratory]
    return [
        *(_smallest(one) for one in planned),
        f"A difference within ± {record.study.margin:.1f} points counts as none, by the margin that was registered.",
        *_where(record, results),
        *_seeds(main),
        _seen(results),
        *_left_out(results.recipes),
        *_precisions(results.recipes),
    ]


def _smallest(one: ComparisonResult) -> str:
    pair = f"{one.planned.a} against {one.planned.b}"
    if one.comparison is None:
        return f"{pair}: not run, so nothing can be said."
    smallest = one.comparison.smallest_difference
    return f"{pair}: a true difference below {smallest:.1f} points would be missed more often than one time in five."


def _where(record: StudyRegistration, results: StudyResults) -> Iterator[str]:
    main = record.study.main
    others = {one.recipe.student for one in results.recipes} - {main.student}
    beside = (
        f" Beside it {pluralize(len(others), 'other student')} can be seen, exploratory."
        if others
        else ""
    )
    yield f"The claims are about one student: {setting(main)}. Another may learn otherwise.{beside}"
    source, questions = (
        brief(record.study.source_name),
        f"{results.num_questions:,} of its questions",
    )
    yield f"One data set, {source}, and {questions}: others may say otherwise."


def _seeds(main: list[RecipeResult]) -> Iterator[str]:
    if not main:
        return
    counts = sorted({len(one.seeds) for one in main})
    yield (
        f"{listed(map(str, counts))} {'seed' if counts == [1] else 'seeds'} a recipe: how much runs differ is known "
        "from these alone."
    )
    if single := [one.recipe.variant for one in main if len(one.seeds) == 1]:
        yield f"One seed of {listed(single)}: its spread was not seen, so it has no interval."


def _seen(results: StudyResults) -> str:
    most = max(results.recipes, key=lambda one: one.seen, default=None)
    if most is None or most.seen == 0:
        return "No test question's text stands in the training rows of a student that was evaluated."
    return (
        f"Up to {most.seen:,} of the {results.num_questions:,} test questions stand, by their text, in the training "
        f"rows of a student ({most.recipe.variant})."
    )


def _left_out(recipes: tuple[RecipeResult, ...]) -> Iterator[str]:
    """Rows that were too long."""
    short = [one for one in recipes if one.num_rows < one.recipe.rows]
    if short:
        least = min(short, key=lambda one: one.num_rows / one.recipe.rows)
        yield (
            f"{pluralize(len(short), 'recipe')} trained on fewer rows than asked for, the fewest {least.recipe.variant}: "
            f"{least.num_rows:,} of {least.recipe.rows:,}."
        )


def _precisions(recipes: tuple[RecipeResult, ...]) -> Iterator[str]:
    """Machines differ in what they train in, unless STUDY.yaml says it."""
    found = sorted({one for recipe in recipes for one in recipe.precisions})
    if len(found) > 1:
        mixed = [
            recipe.recipe.variant for recipe in recipes if len(recipe.precisions) > 1
        ]
        where = f" ({listed(dict.fromkeys(mixed))} in both)" if mixed else ""
        yield f"Some cells were trained in {found[0].value}, others in {found[1].value}{where}."
