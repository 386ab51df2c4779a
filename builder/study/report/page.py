"""The page of a study: what the template is given, and the page itself. Pure but for
reading the template.

Whatever a person wrote goes through `one_line` (the unseen as escapes, cut at 300
characters) and Jinja2's autoescape.
"""

import base64
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from pydantic import JsonValue

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.report import alt_text as alts
from cotbuild.builder.study.report import wording as said
from cotbuild.builder.study.report.limits import limits
from cotbuild.builder.study.report.method import exploratory_note, method
from cotbuild.builder.study.report.plots import by_rows, drawn_comparisons, main_recipes
from cotbuild.schemas.fingerprint import canonical_json
from cotbuild.schemas.study.declaration import Study, StudyMetric, TrainingSetting
from cotbuild.schemas.study.record import ChosenHyperparameters, StudyRegistration
from cotbuild.schemas.study.results import (
    ComparisonResult,
    ComparisonStatus,
    RecipeResult,
    StudyResults,
)

_LONGEST = 4000
"""Characters of one text on the page; the longest computed sentence names every variant
of a study.
"""


class _Group(NamedTuple):
    """Recipes of a setting, in the table."""

    title: str
    recipes: list[RecipeResult]


class _Picture(NamedTuple):
    url: Markup
    alt: str


def page(
    record: StudyRegistration,
    results: StudyResults,
    study: Study,
    pictures: Mapping[str, bytes],
) -> str:
    """index.html, the pictures inside."""
    alt = _alts(record, results)
    planned = [one for one in results.comparisons if not one.exploratory]
    others = [one for one in results.comparisons if one.exploratory]
    return _template().render(
        name=study.name,
        headline=said.headline(study, results),
        interim=said.interim(results),
        results=results,
        gate_failed=record.gate is not None and not record.gate.passed,
        claims=planned,
        margin=record.study.margin,
        pictures={
            name: _Picture(_data_url(data), alt[name])
            for name, data in pictures.items()
        },
        groups=_groups(record, results),
        raw=record.study.metric is not StudyMetric.ACCURACY,
        limits=limits(record, results),
        changes=record.changes,
        method=method(record, results),
        chosen=record.chosen,
        exploratory=others,
        exploratory_note=exploratory_note(others),
        said=said,
        is_interim=_is_interim,
        as_json=as_json,
        tried=_tried,
    )


def _data_url(png: bytes) -> Markup:
    return Markup("data:image/png;base64," + base64.b64encode(png).decode("ascii"))


@cache
def _template() -> Template:
    here = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    return here.from_string(
        resources.files(__package__)
        .joinpath("page.html.jinja")
        .read_text(encoding="utf-8")
    )


def _shown(value: object) -> object:
    """A text as one line without anything that a reader cannot see."""
    return (
        one_line(value, _LONGEST)
        if isinstance(value, str) and not isinstance(value, Markup)
        else value
    )


def _is_interim(one: ComparisonResult) -> bool:
    return one.standing is ComparisonStatus.INTERIM


def as_json(value: JsonValue) -> str:
    """A value of a configuration on one line; None, as JSON has it: null."""
    return said.brief(canonical_json(value))


def _tried(one: ChosenHyperparameters) -> str:
    return "; ".join(
        f"{as_json(point)}: {said.number(right)}" for point, right in one.tried
    )


def _groups(record: StudyRegistration, results: StudyResults) -> list[_Group]:
    settings: dict[TrainingSetting, list[RecipeResult]] = {}
    for one in (*results.untrained, *results.recipes):
        settings.setdefault(one.recipe.setting, []).append(one)
    found = []
    for where, recipes in settings.items():
        main = "Main setting: " if where == record.study.main else ""
        found.append(_Group(main + said.setting(where), recipes))
    return found


def _alts(record: StudyRegistration, results: StudyResults) -> dict[str, str]:
    main, sizes = main_recipes(record, results), by_rows(record, results)
    untrained = [
        one
        for one in results.untrained
        if one.recipe.student == record.study.main.student
    ]
    shown = drawn_comparisons(results)
    return {
        **(
            {
                "accuracy": alts.accuracy(record, main, untrained),
                "tokens": alts.tokens(main),
            }
            if main
            else {}
        ),
        "comparisons": alts.comparisons(shown),
        "rows": alts.rows(sizes),
        **(
            {"losses": alts.losses(main)}
            if any(one.curve and one.curve.update for one in main)
            else {}
        ),
        "variants": alts.variants(results.variants),
    }
