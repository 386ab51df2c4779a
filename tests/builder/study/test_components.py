"""Variance components: from simulated tables, and those of the first study."""

import numpy as np
import pytest

from cotbuild.builder.study.components import (
    VarianceComponents,
    components_of_cells,
    estimate_components,
)
from cotbuild.builder.study.first_study import FIRST_STUDY
from cotbuild.builder.study.measures import make_measure
from cotbuild.builder.study.two_way import table_variance
from cotbuild.schemas.study.declaration import StudyMetric
from tests.support.studies.first_study import first_study_runs


def test_the_first_study_has_the_components_of_its_cells() -> None:
    questions, runs = first_study_runs()
    named = {name: runs[name] for name in FIRST_STUDY.variants}
    measure = make_measure(StudyMetric.ACCURACY, questions)
    found = components_of_cells(measure, named)
    assert found.variants == FIRST_STUDY.variants
    assert found.seed_VV == pytest.approx(FIRST_STUDY.seed_VV, abs=0.06)
    assert found.question_VV == pytest.approx(FIRST_STUDY.question_VV, abs=0.6)
    assert found.error_VV == pytest.approx(FIRST_STUDY.error_VV, abs=0.6)


def test_components_are_those_that_results_were_drawn_with() -> None:
    rng = np.random.default_rng(0)
    shared_SQ = rng.normal(0, 2, (60, 1)) + rng.normal(0, 20, (1, 3000))
    tables = {
        "a": shared_SQ + rng.normal(0, 30, (60, 3000)),
        "b": shared_SQ + rng.normal(0, 1, (60, 1)) + rng.normal(0, 10, (60, 3000)),
    }
    found = estimate_components(
        ["a", "b"],
        lambda weights: table_variance(
            np.sum([weight * tables[name] for name, weight in weights.items()], axis=0)
        ),
    )
    assert found.seed_VV == pytest.approx(np.array([[4, 4], [4, 5]]), abs=2)
    assert found.question_VV == pytest.approx(np.full((2, 2), 400), rel=0.1)
    assert found.error_VV == pytest.approx(np.diag([900, 100]), abs=15)


def test_expected_parts_are_what_a_study_of_that_size_estimates() -> None:
    parts = FIRST_STUDY.of_contrast(np.array([-1.0, 0, 1, 0, 0, 0]))
    expected = parts.expected(12, 3000)
    assert expected.of_seeds == pytest.approx(parts.seed / 12 + parts.error / 36_000)
    assert expected.of_questions == pytest.approx(
        parts.question / 3000 + parts.error / 36_000
    )
    assert expected.of_error == pytest.approx(parts.error / 36_000)


def test_an_unknown_variant_is_like_those_named_like_it() -> None:
    known = np.array([[9.0, 1, 1], [1, 4, 2], [1, 2, 6]])
    components = VarianceComponents(("x", "post", "post_few"), known, known, known)
    found = components.of_variants(["x", "post", "post_new"])
    assert found.seed_VV == pytest.approx(np.array([[9, 1, 1], [1, 4, 2], [1, 2, 5]]))
    other = components.of_variants(["other", "x"])
    assert other.error_VV == pytest.approx(np.array([[19 / 3, 1], [1, 9]]))
    single = VarianceComponents(("x",), *[np.array([[4.0]])] * 3)
    assert single.of_variants(["y", "z"]).seed_VV == pytest.approx(np.diag([4.0, 4.0]))
