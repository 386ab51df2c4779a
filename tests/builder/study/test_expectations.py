"""Whether there are runs enough to estimate variances from."""

from collections.abc import Mapping, Sequence

import pytest

from cotbuild.builder.study.expectations import has_enough
from tests.support.studies.cells_made import make_measured


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ({"a": [0, 1], "b": [0, 1]}, True),
        ({"a": [0, 1, 2], "b": [1, 2, 3]}, True),
        ({"a": [0, 1], "b": [1, 2]}, False),
        ({"a": [0, 1], "b": [0, 1], "c": [0]}, False),
        ({"a": [0, 1]}, False),
        ({}, False),
    ],
)
def test_two_variants_and_two_seeds_that_each_two_share_are_enough(
    seeds: Mapping[str, Sequence[int]], expected: bool
) -> None:
    answers = make_measured([True, False], "x")
    runs = {name: dict.fromkeys(numbers, answers) for name, numbers in seeds.items()}
    assert has_enough(runs) is expected
