"""The sentences of a study's page on its limitations and its method. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.report.claim_sections import (
    describe_claim_method,
    list_claim_limitations,
)
from cotbuild.builder.study.report.wording import (
    METRICS,
    describe_setting,
    format_metric,
    format_number,
    format_settings,
    format_signed,
    join_words,
)
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.study.declaration import (
    AnyQuestions,
    HeldOutQuestions,
    Study,
)
from cotbuild.schemas.study.record import GateResult, QuestionSet, StudyRegistration
from cotbuild.schemas.study.results import ComparisonResult, RecipeResult, StudyResults
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.student.evaluation.bootstrap import RESAMPLES

LEVEL_PERCENT = 5
"""Percent of comparisons without a true difference that look significant, uncorrected."""


# -- limitations ------------------------------------------------------------------------


def list_limitations(record: StudyRegistration, results: StudyResults) -> list[str]:
    """Return what the design and the data cannot show, one sentence each."""
    study = record.study
    main = [one for one in results.recipes if one.recipe.setting == study.main]
    return [
        *(
            list_claim_limitations(study, record, results)
            if isinstance(study, StudyV2)
            else _comparison_limitations(study, results)
        ),
        *_scope_limitations(record, results),
        *_seed_limitations(main),
        _overlap_limitation(results),
        *_dropped_row_limitations(results.recipes),
        *_precision_limitations(results.recipes),
    ]


def _comparison_limitations(study: StudyV1, results: StudyResults) -> Iterator[str]:
    for one in results.comparisons:
        if not one.exploratory:
            yield _power_limitation(one)
    yield (
        f"A difference within ± {study.margin:.1f} points counts as none, by the "
        "registered margin."
    )


def _power_limitation(result: ComparisonResult) -> str:
    pair = f"{result.planned.a} against {result.planned.b}"
    if result.comparison is None:
        return f"{pair}: not run, so nothing can be concluded."
    effect = result.comparison.smallest_difference
    return (
        f"{pair}: the minimum detectable effect is {effect:.1f} points (80 % power); a "
        "smaller true difference would be missed more often than one time in five."
    )


def _scope_limitations(
    record: StudyRegistration, results: StudyResults
) -> Iterator[str]:
    main = record.study.main
    others = {one.recipe.student for one in results.recipes} - {main.student}
    beside = ""
    if others:
        students = pluralize(len(others), "other student")
        beside = f" Results of {students} are exploratory."
    yield (
        f"The claims are about one student: {describe_setting(main)}. Others may learn "
        f"differently.{beside}"
    )
    yield (
        f"One dataset, {one_line(record.study.source_name)}, and "
        f"{results.num_questions:,} of its questions: results on others may differ."
    )


def _seed_limitations(main: Sequence[RecipeResult]) -> Iterator[str]:
    if not main:
        return
    counts = sorted({len(one.seeds) for one in main})
    noun = "seed" if counts == [1] else "seeds"
    numbers = join_words(str(count) for count in counts)
    yield (
        f"{numbers} {noun} for each recipe: the variance between runs is estimated "
        "from these alone."
    )
    single = [one.recipe.variant for one in main if len(one.seeds) == 1]
    if single:
        yield (
            f"One seed of {join_words(single)}: the variance between its runs is "
            "unknown, so it has no interval."
        )


def _overlap_limitation(results: StudyResults) -> str:
    most = max(results.recipes, key=lambda one: one.seen, default=None)
    if most is None or most.seen == 0:
        return (
            "No test question's text is in the training rows of an evaluated student."
        )
    return (
        f"The texts of up to {most.seen:,} of the {results.num_questions:,} test "
        f"questions are in the training rows of a student ({most.recipe.variant})."
    )


def _dropped_row_limitations(recipes: Sequence[RecipeResult]) -> Iterator[str]:
    """Yield a sentence if rows were dropped because they were too long."""
    short = [one for one in recipes if one.num_rows < one.recipe.rows]
    if short:
        least = min(short, key=lambda one: one.num_rows / one.recipe.rows)
        yield (
            f"{pluralize(len(short), 'recipe')} trained on fewer rows than declared; "
            f"the fewest {least.recipe.variant}: {least.num_rows:,} of "
            f"{least.recipe.rows:,}."
        )


def _precision_limitations(recipes: Sequence[RecipeResult]) -> Iterator[str]:
    """Yield a sentence if machines trained in different precisions."""
    precisions = sorted({one for recipe in recipes for one in recipe.precisions})
    if len(precisions) > 1:
        mixed = [one.recipe.variant for one in recipes if len(one.precisions) > 1]
        both = f" ({join_words(dict.fromkeys(mixed))} in both)" if mixed else ""
        first, second = precisions[0].value, precisions[1].value
        yield f"Some cells were trained in {first}, others in {second}{both}."


# -- method -----------------------------------------------------------------------------


def describe_method(
    record: StudyRegistration, results: StudyResults
) -> list[tuple[str, str]]:
    """Return how the study was done, as pairs of a term and its description."""
    study = record.study
    settings = format_settings(study.train) if study.train else "the defaults"
    return [
        ("Registered", f"{record.at}, before the first cell; digest {record.digest}"),
        ("Data", one_line(study.source_name)),
        ("Gate on dev", _describe_gate(record.gate, study)),
        ("Primary metric", METRICS[study.metric]),
        *(
            describe_claim_method(study, record)
            if isinstance(study, StudyV2)
            else _describe_comparison_method(study)
        ),
        ("Dev questions", _describe_questions(study.dev, record.dev)),
        ("Test questions", _describe_questions(study.test, record.test)),
        ("Evaluations on test", _describe_accesses(results)),
        ("Settings of all cells", settings),
        ("Training", _describe_training(results)),
    ]


def _describe_gate(gate: GateResult | None, study: Study) -> str:
    if gate is None:
        return "not decided yet"
    outcome = "passed" if gate.passed else "failed"
    trained = ", ".join(format_number(one) for one in gate.trained)
    unit = " %" if study.metric.is_accuracy else ""
    untrained = format_metric(gate.untrained, study.metric)
    return (
        f"{outcome}: {study.gate.variant} {trained}{unit}, untrained {untrained}; "
        f"{format_signed(gate.difference)} points, standard error "
        f"{gate.standard_error:.1f}; required {gate.needed:g} standard errors"
    )


def _describe_comparison_method(study: StudyV1) -> Iterator[tuple[str, str]]:
    yield "Margin", f"± {study.margin:.1f} points"
    yield "Statistics", _describe_statistics(study)


def _describe_statistics(study: StudyV1) -> str:
    runs = "runs paired by seed" if study.paired else "runs unpaired"
    bootstrap = "bootstrap over seeds and questions in closed form"
    if not study.metric.is_accuracy:
        bootstrap = (
            "bootstrap over seeds in closed form and over questions by "
            f"{RESAMPLES:,} resamples, the same for all students"
        )
    return (
        f"{bootstrap}, {runs}; p-values of "
        "planned comparisons adjusted by Holm's method; equivalent if the 90 % interval "
        "lies within the margin"
    )


def _describe_questions(declared: AnyQuestions, found: QuestionSet) -> str:
    if isinstance(declared, HeldOutQuestions):
        return (
            f"{len(found.ids):,} of {one_line(declared.split)}, the first by a digest of "
            f"their ids, on which no cell trains; digest {found.rows}"
        )
    skip = f", without the first {declared.skip:,}" if declared.skip else ""
    split = one_line(declared.split)
    return f"{len(found.ids):,} of {split}{skip}; digest {found.rows}"


def _describe_accesses(results: StudyResults) -> str:
    recipes = (*results.untrained, *results.recipes)
    num_apart = sum(len(one.seeds) for one in results.sensitivity)
    num_cells = sum(len(one.seeds) for one in recipes) + num_apart
    cells = pluralize(num_cells, "finished cell")
    if num_apart:
        cells += f", {num_apart:,} of them in the sensitivity stage"
    times = "time" if results.touches == 1 else "times"
    line = f"begun {results.touches:,} {times}, for {cells}"
    if results.touches > num_cells:
        line += "; those beyond were interrupted and begun again, or are not finished"
    elif results.touches < num_cells:
        line += "; touches.jsonl lacks some"
    if not results.touched_twice:
        return f"{line}; never by two different students under one name"
    names = ", ".join(one_line(name) for name in results.touched_twice)
    return f"{line}; by two different students under one name: {names}"


def _describe_training(results: StudyResults) -> str:
    if not results.recipes:
        return "none"
    hours = sum(one.train_seconds * len(one.seeds) for one in results.recipes) / 3600
    tokens = sum(one.train_tokens * len(one.seeds) for one in results.recipes)
    precisions = {
        precision.value for one in results.recipes for precision in one.precisions
    }
    return (
        f"{tokens / 1e6:.1f} million tokens read, {hours:.1f} hours, over all finished "
        f"cells; in {join_words(sorted(precisions))}."
    )


def exploratory_note(exploratory: Sequence[ComparisonResult]) -> str:
    """Return how to read comparisons that were not planned."""
    num_false = LEVEL_PERCENT / 100 * len(exploratory)
    return (
        f"{pluralize(len(exploratory), 'comparison')} not named before the first cell; "
        "p-values not adjusted. Without any true difference, "
        f"{num_false:.1f} of them would be expected to have p below 0.05. They suggest "
        "hypotheses; they do not test them."
    )
