"""How a study was done, in words, of its record. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.study.report.wording import (
    METRICS,
    brief,
    listed,
    number,
    percent,
    signed,
)
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.fingerprint import canonical_json
from cotbuild.schemas.study.declaration import StudyQuestions
from cotbuild.schemas.study.record import GateResult, QuestionSet, StudyRegistration
from cotbuild.schemas.study.results import ComparisonResult, StudyResults

LEVEL = 5
"""Percent of comparisons with no true difference that look like one, uncorrected."""


def method(record: StudyRegistration, results: StudyResults) -> list[tuple[str, str]]:
    """What and how, a line each."""
    study = record.study
    return [
        ("Registered", f"{record.at}, before the first cell; digest {record.digest}"),
        ("Data", brief(study.source_name)),
        ("Gate on dev", _gate(record.gate, study.gate.variant)),
        ("Primary metric", METRICS[study.metric]),
        ("Margin", f"± {study.margin:.1f} points"),
        ("Statistics", _statistics(study.paired)),
        ("Dev questions", _questions(study.dev, record.dev)),
        ("Test questions", _questions(study.test, record.test)),
        ("Test questions asked", _touches(results)),
        (
            "Settings of all cells",
            brief(canonical_json(study.train)) if study.train else "the defaults",
        ),
        ("Training", " ".join(_training(results)) or "none"),
    ]


def _gate(gate: GateResult | None, variant: str) -> str:
    if gate is None:
        return "not decided yet"
    seeds = ", ".join(number(one) for one in gate.trained)
    return (
        f"{'held' if gate.passed else 'did not hold'}: {variant} {seeds} %, untrained {percent(gate.untrained)}; "
        f"{signed(gate.difference)} points, standard error {gate.standard_error:.1f}; needed {gate.needed:g} of them"
    )


def _statistics(paired: bool) -> str:
    runs = "runs of one seed set against each other" if paired else "seeds not paired"
    return (
        f"the bootstrap over seeds and questions in closed form, {runs}; p-values of planned comparisons corrected "
        "after Holm; equal where the 90 % interval lies within the margin"
    )


def _questions(asked: StudyQuestions, found: QuestionSet) -> str:
    skip = f", without the first {asked.skip:,}" if asked.skip else ""
    return f"{len(found.ids):,} of {brief(asked.split)}{skip}; digest {found.rows}"


def _touches(results: StudyResults) -> str:
    cells = sum(len(one.seeds) for one in (*results.untrained, *results.recipes))
    times = "time" if results.touches == 1 else "times"
    line = f"{results.touches:,} {times} for {pluralize(cells, 'finished cell')}"
    if results.touched_twice:
        return f"{line}; by two different students under one name: {', '.join(map(brief, results.touched_twice))}"
    return f"{line}; never by two different students under one name"


def _training(results: StudyResults) -> Iterator[str]:
    if results.recipes:
        hours = (
            sum(one.train_seconds * len(one.seeds) for one in results.recipes) / 3600
        )
        tokens = sum(one.train_tokens * len(one.seeds) for one in results.recipes)
        precisions = listed(
            sorted(
                {one.value for recipe in results.recipes for one in recipe.precisions}
            )
        )
        yield f"{tokens / 1e6:.1f} million tokens read, {hours:.1f} hours, over all finished cells; in {precisions}."


def exploratory_note(found: Sequence[ComparisonResult]) -> str:
    """What must be known to read them."""
    expected = LEVEL / 100 * len(found)
    return (
        f"{pluralize(len(found), 'comparison')} that nobody named before the first cell, p-values not corrected. Where "
        f"nothing differs, {expected:.1f} of so many would still have p below 0.05: they suggest, they do not show."
    )
