"""The page of a study, from a template. Pure but for reading the template.

Text that people wrote goes through `one_line`, which escapes invisible characters and
cuts at a limit, and through Jinja2's autoescape.
"""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from pydantic import JsonValue

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.study.report import alt_text, claim_words, wording
from cotbuild.builder.study.report.plots import (
    drawn_claims,
    drawn_comparisons,
    group_by_rows,
    main_recipes,
)
from cotbuild.builder.study.report.sections import (
    describe_method,
    exploratory_note,
    list_limitations,
)
from cotbuild.schemas.fingerprint import canonical_json
from cotbuild.schemas.study.declaration import (
    Study,
    StudyMetric,
    TrainingSetting,
    without_folders,
)
from cotbuild.schemas.study.record import (
    ChosenHyperparameters,
    DeclarationChange,
    StudyRegistration,
    TriedSettings,
)
from cotbuild.schemas.study.results import ClaimResult, RecipeResult, StudyResults
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2

_MAX_CHARS = 4000
"""Maximum characters of one text on the page.

The longest computed sentence names every variant of a study.
"""


class _Group(NamedTuple):
    """The recipes of one setting, in the table."""

    title: str
    recipes: list[RecipeResult]


class _Tier(NamedTuple):
    """A tier of claims of format version 2."""

    name: str
    opening: str
    """When it is tested."""
    claims: list[ClaimResult]


class _Picture(NamedTuple):
    url: Markup
    alt: str


def render_page(
    record: StudyRegistration,
    results: StudyResults,
    study: Study,
    pictures: Mapping[str, bytes],
) -> str:
    """Return index.html, with the pictures (name to PNG data) inside it."""
    exploratory = [one for one in results.comparisons if one.exploratory]
    return _template().render(
        wording=wording,
        claim_words=claim_words,
        one_line=one_line,
        format_json=format_json,
        format_tried=_format_tried,
        format_trials=_format_trials,
        name=study.name,
        headline=wording.describe_study(study, results),
        results=results,
        gate_failed=record.gate is not None and not record.gate.passed,
        registered=record.study,
        **_claim_context(record.study, results),
        pictures=_embed_pictures(record, results, pictures),
        groups=_group_by_setting(record, results),
        show_raw=record.study.metric is not StudyMetric.ACCURACY,
        metric_name=wording.METRIC_NAMES[record.study.metric],
        caption=wording.caption_recipes(record.study.metric),
        with_classes=[one for one in _all_recipes(results) if one.classes],
        limitations=list_limitations(record, results),
        changes=[_shown_change(one) for one in record.changes],
        method=describe_method(record, results),
        chosen=record.chosen,
        choice=record.choice,
        exploratory=exploratory,
        exploratory_note=exploratory_note(exploratory),
    )


def _claim_context(
    study: StudyV1 | StudyV2, results: StudyResults
) -> dict[str, object]:
    """Return what the section of claims is made of, by the version of the study."""
    if isinstance(study, StudyV1):
        return {
            "scope": None,
            "interim": wording.interim_notice(results),
            "claims": [one for one in results.comparisons if not one.exploratory],
            "margin": study.margin,
            "tiers": [],
        }
    planned = [one for one in results.claims if not one.exploratory]
    return {
        "scope": claim_words.scope_notice(study),
        "interim": claim_words.interim_notice(results, study),
        "tier_claims": claim_words.tier_claims(results),
        "tiers": _group_by_tier(study, planned),
        "secondary": [one for one in planned if one.tier is None],
        "caption_sensitivity": claim_words.caption_sensitivity(study.metric),
        "late_claims": [one for one in results.claims if one.exploratory],
    }


def _group_by_tier(study: StudyV2, planned: Sequence[ClaimResult]) -> list[_Tier]:
    return [
        _Tier(
            tier.name,
            claim_words.describe_opening(position, study),
            [one for one in planned if one.tier == tier.name],
        )
        for position, tier in enumerate(study.tiers)
    ]


def _shown_change(change: DeclarationChange) -> DeclarationChange:
    """Return a change with the students of stages by their last part alone."""
    update = {"was": _shown_stage(change.was), "now": _shown_stage(change.now)}
    return change.model_copy(update=update)


def _shown_stage(value: JsonValue) -> JsonValue:
    """Return a stage without the folders of its students; another value as it is."""
    if not isinstance(value, dict):
        return value
    students = value.get("students")
    if not isinstance(students, list):
        return value
    return {**value, "students": [without_folders(str(one)) for one in students]}


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escape_text,
        loader=FunctionLoader(_read_template),
    )
    return environment.get_template("page.html.jinja")


def _read_template(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _escape_text(value: object) -> object:
    """Return a text as one line without invisible characters; markup as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return one_line(value, _MAX_CHARS)


def format_json(value: JsonValue) -> str:
    """Return a value of a configuration as JSON on one line."""
    return one_line(canonical_json(value))


def _format_tried(choice: ChosenHyperparameters) -> str:
    return "; ".join(
        f"{wording.format_settings(point)}: {wording.format_number(accuracy)}"
        for point, accuracy in choice.tried
    )


def _format_trials(point: TriedSettings) -> str:
    return "; ".join(
        f"{one.variant}, seed {one.seed}: {wording.format_number(one.value)}"
        for one in point.values
    )


def _all_recipes(results: StudyResults) -> list[RecipeResult]:
    return [*results.untrained, *results.recipes]


def _group_by_setting(record: StudyRegistration, results: StudyResults) -> list[_Group]:
    groups: dict[TrainingSetting, list[RecipeResult]] = {}
    for one in _all_recipes(results):
        groups.setdefault(one.recipe.setting, []).append(one)
    main = record.study.main
    return [
        _Group(
            ("Main setting: " if setting == main else "")
            + wording.describe_setting(setting),
            recipes,
        )
        for setting, recipes in groups.items()
    ]


def _embed_pictures(
    record: StudyRegistration, results: StudyResults, pictures: Mapping[str, bytes]
) -> dict[str, _Picture]:
    alts = _alt_texts(record, results)
    return {
        name: _Picture(_data_url(png), alts[name]) for name, png in pictures.items()
    }


def _data_url(png: bytes) -> Markup:
    return Markup("data:image/png;base64," + base64.b64encode(png).decode("ascii"))


def _alt_texts(record: StudyRegistration, results: StudyResults) -> dict[str, str]:
    main, metric = main_recipes(record, results), record.study.metric
    student = record.study.main.student
    untrained = [one for one in results.untrained if one.recipe.student == student]
    alts = {
        "comparisons": alt_text.describe_comparisons(drawn_comparisons(results)),
        "claims": alt_text.describe_claims(drawn_claims(results)),
        "rows": alt_text.describe_rows(group_by_rows(record, results), metric),
        "variants": alt_text.describe_variants(results.variants),
    }
    if main:
        alts["accuracy"] = alt_text.describe_accuracy(record, main, untrained)
        alts["tokens"] = alt_text.describe_tokens(main, metric)
    if any(one.curve and one.curve.update for one in main):
        alts["losses"] = alt_text.describe_losses(main)
    return alts
