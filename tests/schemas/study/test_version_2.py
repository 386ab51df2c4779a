"""STUDY.yaml of format version 2: what is refused, and what follows from it."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.claims import GainShare, KeepsClaim, NotWorseClaim
from cotbuild.schemas.study.declaration import HeldOutQuestions, StudyQuestions
from cotbuild.schemas.study.parse import AnyStudy, parse_study
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import Precision

VARIANTS = ["label_only", "pre_cot", "post_cot", "shuffled", "key"]
STAGE = {"name": "main", "variants": VARIANTS, "seeds": [0, 1, 2, 3], "rows": [100]}
AFTER = {
    "name": "after",
    "says": "x",
    "claim": "beats",
    "a": "post_cot",
    "b": "pre_cot",
}
HELPS = {**AFTER, "name": "helps", "b": "label_only"}
KEEPS = {
    "name": "keeps",
    "says": "x",
    "claim": "keeps",
    "a": "shuffled",
    "base": "label_only",
    "full": "post_cot",
    "share": 0.5,
}
OTHER = {**STAGE, "name": "other", "variants": ["other"]}
HALF = {"share": 0.5, "of": {"full": "post_cot", "base": "label_only"}}
FIRST = {"name": "first", "claims": [AFTER, HELPS]}
SECOND = {"name": "second", "opens_with": ["helps"], "claims": [KEEPS]}
STUDY = {
    "format_version": 2,
    "name": "Simulated",
    "source": "builds/simulated",
    "dev": {"split": "train", "unseen": True, "count": 500, "by": "id_digest"},
    "test": {"split": "train", "unseen": True, "count": 3000},
    "metric": "normalised",
    "secondary_metrics": ["target_probability"],
    "looks": [2, 4],
    "hyperparameters": {"grid": {"lr": [5e-5, 1e-4]}, "variants": ["post_cot"]},
    "tiers": [FIRST, SECOND],
    "stages": [STAGE],
}


def study(**fields: Any) -> StudyV2:
    parsed = parse_study({**STUDY, **fields}, "STUDY.yaml", ConfigError)
    assert isinstance(parsed, StudyV2)
    return parsed


def test_what_follows_from_a_declaration() -> None:
    found = study()
    assert isinstance(found.dev, HeldOutQuestions)
    assert found.planned_seeds == (0, 1, 2, 3)
    assert found.planned_looks == (2, 4)
    assert found.main_variants == tuple(VARIANTS)
    assert [claim.name for claim in found.tier_claims] == ["after", "helps", "keeps"]
    assert found.opening_claims(0) == ()
    assert found.opening_claims(1) == ("helps",)
    assert found.search_grid == {"lr": (5e-5, 1e-4)}
    assert [cell.seed for cell in found.gate_cells()] == [0, 1, 2]
    assert found.all_cells()[0].variant == "label_only"
    assert [cell.seed for cell in found.all_cells()[:6]] == [0] * 5 + [1]


def test_what_holds_where_nothing_is_said() -> None:
    bare = {
        name: STUDY[name] for name in ("format_version", "name", "source", "stages")
    }
    tiers = [FIRST, {"name": "second", "claims": [KEEPS]}]
    found = StudyV2.parse(
        {**bare, "dev": {"split": "dev"}, "test": {"split": "test"}, "tiers": tiers},
        "x",
    )
    assert found.planned_looks == (4,)
    assert found.opening_claims(1) == ("after", "helps")
    assert isinstance(found.dev, StudyQuestions)
    assert found.search_grid == {}
    assert found.precision is None


def test_a_precision_says_both_or_is_float32() -> None:
    found = study(precision={"training": "bfloat16"}).precision
    assert found is not None
    assert found.training is Precision.BFLOAT16
    assert found.evaluation is Precision.FLOAT32


@pytest.mark.parametrize("variants", [VARIANTS, ["post_cot"]])
@pytest.mark.parametrize("looks", [[2, 4], []])
def test_seeds_of_a_later_stage_that_no_look_needs_are_not_planned(
    variants: list[str], looks: list[int]
) -> None:
    later = {**STAGE, "name": "later", "variants": variants, "seeds": [4, 5]}
    found = study(stages=[STAGE, later], looks=looks)
    is_planned = variants == VARIANTS and not looks
    assert found.planned_seeds == ((0, 1, 2, 3, 4, 5) if is_planned else (0, 1, 2, 3))
    assert found.planned_looks == tuple(looks or [len(found.planned_seeds)])


def test_a_margin_is_points_or_a_share_of_a_gain() -> None:
    shared = {**HELPS, "claim": "not_worse", "a": "key", "margin": HALF}
    points = {**shared, "name": "points", "b": "post_cot", "margin": 1}
    found = study(tiers=[{"name": "one", "claims": [shared, points]}]).tier_claims
    assert isinstance(found[0], NotWorseClaim)
    assert isinstance(found[0].margin, GainShare)
    assert found[0].variants == ("key", "label_only", "post_cot")
    assert isinstance(found[1], NotWorseClaim)
    assert found[1].margin == 1.0
    assert found[1].variants == ("key", "post_cot")


def test_it_is_the_same_after_it_was_written_and_read() -> None:
    adapter: TypeAdapter[StudyV1 | StudyV2] = TypeAdapter(AnyStudy)
    for one in (study(), study(secondary=[{**KEEPS, "name": "more", "a": "key"}])):
        assert adapter.validate_json(one.model_dump_json()) == one
        assert adapter.validate_python(one) is one
    keeps = study().tier_claims[2]
    assert isinstance(keeps, KeepsClaim)
    assert keeps.variants == ("shuffled", "label_only", "post_cot")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format_version": 3}, "format_version is 3"),
        ({"margin": 2.0}, "there is no field 'margin'"),
        ({"tiers": []}, "tiers is []"),
        ({"tiers": [FIRST, FIRST]}, "tiers ['first', 'first'] are not all"),
        (
            {"tiers": [{**FIRST, "claims": [AFTER, AFTER]}]},
            "claims ['after', 'after'] are not all named differently",
        ),
        (
            {"secondary": [AFTER]},
            "claims ['after', 'helps', 'keeps', 'after'] are not all named differently",
        ),
        (
            {"tiers": [{**FIRST, "claims": [{**AFTER, "claim": "wins"}]}]},
            "tiers.0.claims.0 is {",
        ),
        (
            {"tiers": [{**FIRST, "claims": [{**AFTER, "b": "post_cot"}]}]},
            "a and b are both 'post_cot', expected two variants",
        ),
        (
            {"tiers": [{**FIRST, "claims": [{**KEEPS, "base": "shuffled"}]}]},
            "expected three variants",
        ),
        ({"tiers": [{**FIRST, "claims": [{**KEEPS, "share": 1}]}]}, "share is 1"),
        (
            {"tiers": [{**FIRST, "claims": [{**HELPS, "claim": "not_worse"}]}]},
            "margin is missing",
        ),
        (
            {
                "tiers": [
                    {
                        **FIRST,
                        "claims": [{**AFTER, "claim": "equivalent", "margin": HALF}],
                    }
                ]
            },
            "margin is {'share': 0.5",
        ),
        (
            {"tiers": [{**FIRST, "claims": [{**AFTER, "b": "chat"}]}]},
            "claim 'after' needs ['chat'], which no stage trains with embedded, 100 rows",
        ),
        (
            {"tiers": [{**FIRST, "opens_with": ["helps"]}]},
            "tier 'first' opens with ['helps'], expected some of the claims of earlier "
            "tiers, []",
        ),
        (
            {"tiers": [FIRST, {**SECOND, "opens_with": ["keeps"]}]},
            "tier 'second' opens with ['keeps'], expected some of the claims of earlier "
            "tiers, ['after', 'helps']",
        ),
        ({"tiers": [FIRST, {**SECOND, "opens_with": []}]}, "opens with []"),
        ({"looks": [4, 2]}, "looks is [4, 2], expected rising numbers"),
        (
            {"looks": [2, 3]},
            "looks is [2, 3], expected rising numbers of seeds that end",
        ),
        ({"looks": [1, 4]}, "looks.0 is 1"),
        ({"stages": [{**STAGE, "seeds": [0]}], "looks": []}, "expected at least 2"),
        (
            {
                "stages": [
                    {**STAGE, "variants": VARIANTS[:4]},
                    {**STAGE, "name": "key", "variants": ["key"], "seeds": [0, 1]},
                ],
                "tiers": [FIRST, {**SECOND, "claims": [{**KEEPS, "a": "key"}]}],
            },
            "claim 'keeps': 'key' has seeds [0, 1], expected [0, 1, 2, 3]",
        ),
        (
            {"metric": "target_probability", "secondary_metrics": []},
            "write it under secondary_metrics",
        ),
        (
            {"secondary_metrics": ["normalised"]},
            "metric and secondary_metrics ['normalised', 'normalised'] are not all",
        ),
        (
            {"metric": "free", "free_answers": 300},
            "free_answers is 300, and ['free'] need the free answers",
        ),
        ({"free_answers": 0}, "free_answers is 0"),
        (
            {"train": {"lr": 1e-4}},
            "train and hyperparameters.grid both have ['lr']",
        ),
        (
            {"train": {"precision": "bfloat16"}, "precision": {"training": "bfloat16"}},
            "precision is given as a setting of training too",
        ),
        (
            {"hyperparameters": {"grid": {"lr": [1e-4]}, "variants": ["chat"]}},
            "hyperparameters needs ['chat']",
        ),
        (
            {"hyperparameters": {"grid": {}, "variants": ["post_cot"]}},
            "hyperparameters.grid is {}",
        ),
        (
            {"sensitivity": {"grid": {"seed": [1]}, "variants": ["post_cot"]}},
            "sensitivity.grid have 'seed'",
        ),
        ({"hoped": {"chat": 2.0}}, "hoped needs ['chat']"),
        (
            {
                "hyperparameters": {
                    "grid": {"lr": [1e-4]},
                    "variants": ["post_cot", "post_cot"],
                }
            },
            "hyperparameters.variants is ['post_cot', 'post_cot'], expected each of them",
        ),
        (
            {
                "sensitivity": {
                    "grid": {"lr": [1e-4]},
                    "variants": ["post_cot"],
                    "seeds": [1, 1],
                }
            },
            "sensitivity.seeds is [1, 1], expected each of them once",
        ),
        (
            {
                "sensitivity": {
                    "name": "two\nlines",
                    "grid": {"lr": [1e-4]},
                    "variants": ["post_cot"],
                }
            },
            "sensitivity.name is 'two\\nlines'",
        ),
        (
            {
                "stages": [STAGE, {**OTHER, "seeds": [3, 4]}],
                "secondary": [{**HELPS, "name": "more", "a": "other"}],
            },
            "claim 'more': its variants share the seeds [3], expected at least 2",
        ),
        (
            {"stages": [STAGE, {**STAGE, "name": "x", "seeds": [4, 5]}], "looks": [7]},
            "looks is [7], expected rising numbers of seeds that end with 4 to 6, the",
        ),
        ({"dev": {"split": "train", "unseen": True}}, "count"),
        ({"dev": {"split": "train", "unseen": False, "count": 5}}, "unseen is False"),
        ({"dev": {"split": "train", "unseen": True, "count": 1}}, "count is 1"),
        ({"gate": {"variant": "chat"}}, "the gate needs 'chat'"),
        ({"precision": {"training": "float64"}}, "precision.training is 'float64'"),
        ({"rows_per_seed": "some"}, "rows_per_seed is 'some'"),
    ],
)
def test_what_is_wrong_is_refused_in_a_line(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_study_that_names_no_version_has_the_first() -> None:
    first = {
        "name": "x",
        "source": "y",
        "dev": {"split": "dev"},
        "test": {"split": "test"},
        "comparisons": [HELPS],
        "stages": [STAGE],
    }
    assert isinstance(parse_study(first, "x"), StudyV1)
    assert isinstance(
        TypeAdapter(AnyStudy).validate_python(first, strict=False), StudyV1
    )
