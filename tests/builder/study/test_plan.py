"""STUDY.yaml: what is refused, which cells it names, what is told as changed, the gate."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cotbuild.builder.study.folder import read_study
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.plan import check_answers_alone
from cotbuild.builder.study.registration import find_changes
from cotbuild.builder.study.results import decide_gate
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.study.declaration import CellKey, StudyMetric, StudyStage
from cotbuild.schemas.training import Loss
from tests.support.studies.cells_made import (
    VARIANTS,
    beats,
    make_measured,
    make_record,
    make_study,
    make_tiers,
)
from tests.support.studies.small import study_values

STAGE = {
    "name": "one",
    "variants": ["label_only", "post_cot", "pre_cot"],
    "seeds": [0],
    "rows": [8],
}
CLAIM = {
    "name": "after",
    "says": "x",
    "a": "post_cot",
    "b": "pre_cot",
    "claim": "beats",
}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"comparisons": [{**CLAIM, "b": "post_cot_swapped"}]},
            "comparison 'after' needs ['post_cot_swapped']",
        ),
        (
            {"comparisons": [CLAIM, CLAIM]},
            "comparisons ['after', 'after'] are not all named differently",
        ),
        ({"comparisons": []}, "comparisons is []"),
        (
            {"comparisons": [{**CLAIM, "claim": "wins"}]},
            "comparisons.0.claim is 'wins'",
        ),
        (
            {"stages": [STAGE, STAGE]},
            "stages ['one', 'one'] are not all named differently",
        ),
        (
            {
                "stages": [{**STAGE, "variants": ["pre_cot", "post_cot"]}],
                "comparisons": [CLAIM],
            },
            "the gate needs 'label_only', expected it in the first stage",
        ),
        (
            {
                "stages": [{**STAGE, "students": ["a/tiny", "b/tiny"]}],
                "comparisons": [CLAIM],
            },
            "students 'a/tiny' and 'b/tiny': expected last parts that differ",
        ),
        ({"stages": [{**STAGE, "seeds": []}]}, "stages.0.seeds is []"),
        ({"stages": [{**STAGE, "rows": [0]}]}, "stages.0.rows.0 is 0"),
        ({"train": {"seed": 3}}, "train and grid have 'seed', expected one of ["),
        (
            {"train": {"learning_rate": 3}},
            "train and grid have 'learning_rate', expected one of [",
        ),
        ({"train": {"epochs": "many"}}, "epochs is 'many'"),
        ({"grid": {"lr": []}}, "grid 'lr' has no values"),
        ({"grid": {"lr": [0.1, -1]}}, "lr is -1"),
        (
            {"grid": {"lr": [0.1]}, "train": {"lr": 0.1}},
            "train and grid both have ['lr']",
        ),
        ({"margin": 0}, "margin is 0"),
        ({"metric": "f1"}, "metric is 'f1'"),
        ({"dev": {"split": "dev", "first": 1}}, "dev.first is 1"),
        ({"name": "two\nlines"}, "name is 'two\\nlines'"),
        ({"colour": "red"}, "there is no field 'colour'"),
        ({"format_version": 99}, "format version 99, written by a newer cotbuild"),
        ({"format_version": None}, "format version None"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "STUDY.yaml"
    path.write_text(yaml.safe_dump({**study_values(tmp_path, tmp_path), **fields}))
    with pytest.raises(ConfigError) as caught:
        read_study(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "not YAML"), ("- 1", "holds a list"), ("", "holds a NoneType")],
)
def test_what_is_no_study_is_told_in_a_line(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "STUDY.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_study(tmp_path / "STUDY.yaml")


def test_the_gates_cells_come_first_then_seed_by_seed() -> None:
    study = make_study(
        [StudyStage(name="one", variants=VARIANTS, seeds=(0, 1), rows=(100, 50))]
    )
    told = [
        (cell.variant, cell.rows, cell.seed)
        for cell in study.all_cells()
        if cell.rows == 100
    ]
    assert told[:2] == [("label_only", 100, 0), ("label_only", 100, 1)]
    assert told[2:] == [
        ("pre_cot", 100, 0),
        ("post_cot", 100, 0),
        ("pre_cot", 100, 1),
        ("post_cot", 100, 1),
    ]
    assert study.main.rows == 100
    assert len(study.all_cells()) == 12


@pytest.mark.parametrize(
    ("student", "rows", "name"),
    [
        ("embedded", 500, "post_cot.embedded.500.parts.s3"),
        ("Qwen/Qwen2.5-0.5B", 500, "post_cot.Qwen2-5-0-5B.500.parts.s3"),
        ("models/../mine/", 500, "post_cot.mine.500.parts.s3"),
        ("..", 500, "post_cot.-.500.parts.s3"),
        ("embedded", 0, "post_cot.embedded.untrained"),
    ],
)
def test_a_cells_file_has_a_name_without_a_path(
    student: str, rows: int, name: str
) -> None:
    key = CellKey(
        variant="post_cot", student=student, rows=rows, loss=Loss.PARTS, seed=3
    )
    assert key.name == name


def test_changes_are_told_once_and_back_again_too() -> None:
    first = make_study()
    record = make_record(first)
    assert find_changes(record, first, "t", 1) == []
    stage = StudyStage(name="two", variants=VARIANTS, seeds=(3,), rows=(100,))
    later = make_study([*first.stages, stage], margin=5.0, source="elsewhere")
    told = find_changes(record, later, "t", 4)
    assert [(one.field, one.was, one.cells) for one in told] == [
        ("margin", 2.0, 4),
        ("stages.two", None, 4),
    ]
    record = record.model_copy(update={"changes": tuple(told)})
    assert find_changes(record, later, "u", 5) == []
    assert [(one.field, one.now) for one in find_changes(record, first, "v", 6)] == [
        ("margin", 2.0),
        ("stages.two", None),
    ]


def test_a_changed_tier_or_secondary_claim_is_told_by_its_name() -> None:
    first = make_tiers()
    record = make_record(first)
    claim = beats("more", "post_cot", "pre_cot")
    late = {"name": "third", "claims": [beats("late", "pre_cot", "label_only")]}
    tiers = [*first.model_dump(mode="json")["tiers"], late]
    later = make_tiers(tiers=tiers, secondary=[claim], looks=[6])
    told = find_changes(record, later, "t", 4)
    assert [one.field for one in told] == ["looks", "tiers.third", "secondary.more"]


def test_another_order_of_stages_or_tiers_is_told_once() -> None:
    values = make_tiers().model_dump(mode="json")
    two = {**values["stages"][0], "name": "two", "rows": [50]}
    later = {**values["stages"][0], "name": "later", "rows": [20]}
    tiers = [{**tier, "opens_with": None} for tier in values["tiers"]]
    first = make_tiers(stages=[*values["stages"], two], tiers=tiers)
    swapped = make_tiers(stages=[two, later, *values["stages"]], tiers=tiers[::-1])
    record = make_record(first)
    told = find_changes(record, swapped, "t", 4)
    assert [(one.field, one.was, one.now) for one in told if one.was] == [
        ("stages", ["one", "two"], ["two", "later", "one"]),
        ("tiers", ["first", "second"], ["second", "first"]),
    ]
    assert [one.field for one in told if not one.was] == ["stages.later"]
    record = record.model_copy(update={"changes": tuple(told)})
    assert find_changes(record, swapped, "u", 5) == []
    back = find_changes(record, first, "v", 6)
    assert [one.field for one in back] == ["stages.later", "stages", "tiers"]


@pytest.mark.parametrize(
    ("right", "seeds", "passed"),
    [
        (300, 3, True),
        (205, 3, False),
        (200, 3, False),
        (150, 3, False),
        (300, 1, True),
        (205, 1, False),
    ],
)
def test_the_gate_needs_two_standard_errors(
    right: int, seeds: int, passed: bool
) -> None:
    """Of 1,000 questions the untrained student has 200 right, others than the trained
    one has: an error of 2 points.
    """
    untrained = make_measured([number < 200 for number in range(1000)], "label_only")
    trained = [
        make_measured([number >= 1000 - right - seed for number in range(1000)], "x")
        for seed in range(seeds)
    ]
    measure = make_measure(StudyMetric.ACCURACY, make_record(make_study()).test)
    found = decide_gate(make_study(), measure, trained, untrained)
    assert found.passed is passed
    assert found.difference == pytest.approx((right + (seeds - 1) / 2 - 200) / 10)
    assert found.trained == pytest.approx(
        [(right + seed) / 10 for seed in range(seeds)]
    )
    assert found.untrained == 20.0


@pytest.mark.parametrize("variant", ["rationale_only", "given_rationale"])
def test_a_variant_whose_students_do_not_answer_alone_is_refused(variant: str) -> None:
    with pytest.raises(ConfigError, match=f"{variant!r}: its students say no label"):
        check_answers_alone(builtin_variants()[variant])
    check_answers_alone(builtin_variants()["chat_pre_cot"])
