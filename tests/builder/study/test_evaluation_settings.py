"""What a study registers about the evaluation of its students."""

from typing import Any

import pytest

from cotbuild.builder.study.evaluation_settings import (
    EvaluationSettings,
    evaluation_settings,
)
from cotbuild.schemas.study.parse import parse_study
from cotbuild.schemas.training import Precision
from tests.support.studies.cells_made import make_study


def version_2(**fields: Any) -> dict[str, Any]:
    """STUDY.yaml of one claim about two variants."""
    claim = {
        "name": "helps",
        "says": "It helps.",
        "claim": "beats",
        "a": "post_cot",
        "b": "label_only",
    }
    stage = {
        "name": "one",
        "variants": ["label_only", "post_cot"],
        "seeds": [0, 1],
        "rows": [8],
    }
    return {
        "format_version": 2,
        "name": "floats",
        "source": "builds/floats",
        "dev": {"split": "dev", "first": 10},
        "test": {"split": "dev", "skip": 10},
        "tiers": [{"name": "first", "claims": [claim]}],
        "stages": [stage],
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "expected", "in_digest"),
    [
        ({}, EvaluationSettings(), {}),
        (
            {
                "precision": {"training": "bfloat16", "evaluation": "bfloat16"},
                "free_answers": 30,
            },
            EvaluationSettings(Precision.BFLOAT16, 30),
            {"evaluation_precision": "bfloat16", "free_answers": 30},
        ),
        ({"precision": {"training": "bfloat16"}}, EvaluationSettings(), {}),
        (
            {"secondary_metrics": ["target_probability"]},
            EvaluationSettings(fits_temperature=True),
            {},
        ),
    ],
)
def test_settings_of_version_2(
    fields: dict[str, Any], expected: EvaluationSettings, in_digest: dict[str, Any]
) -> None:
    found = evaluation_settings(parse_study(version_2(**fields), "STUDY.yaml"))
    assert found == expected
    assert found.digest_values() == in_digest


def test_a_study_of_version_1_evaluates_as_it_did() -> None:
    assert evaluation_settings(make_study()) == EvaluationSettings()
