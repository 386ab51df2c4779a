"""Every function that reads outside text takes time linear in its length.

`tests/support/outside_text.py` lists them, and the texts that made slow ones slow.
"""

import pytest

from tests.support.linear_time import LARGE, SMALL, Growth, measure_growth, repeated
from tests.support.outside_text import FUNCTIONS, SUSPECTS, THOROUGH, UNITS, ReadText

QUICK = [
    pytest.param(FUNCTIONS[name], unit, id=f"{name}-{unit[:12]!r}")
    for name in FUNCTIONS
    for unit in SUSPECTS.get(name, (". ",))
]


@pytest.mark.parametrize(("function", "unit"), QUICK)
def test_a_text_16_times_as_long_takes_no_more_than_in_proportion(
    function: ReadText, unit: str
) -> None:
    make_text = repeated(unit, suffix="a")
    growth = measure_growth(function, make_text, SMALL // 4, LARGE // 4)
    assert growth.is_linear, growth


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "derive" not in name])
def test_no_text_takes_more_than_in_proportion(name: str) -> None:
    step = 4 if name in THOROUGH else 16
    units = UNITS[list(FUNCTIONS).index(name) % step :: step]
    faults = {}
    for number, unit in enumerate(units):
        prefix = "The answer is " if number % 2 else ""
        make_text = repeated(unit, prefix=prefix, suffix="a")
        growth = measure_growth(FUNCTIONS[name], make_text, SMALL // 8, LARGE // 8)
        if not growth.is_linear:
            faults[unit] = growth
    assert faults == {}


def test_quadratic_time_is_noticed() -> None:
    def compare_each_with_each(text: str) -> int:
        return sum(text.count(text[:100]) for _ in range(len(text) // 5_000))

    growth = measure_growth(compare_each_with_each, repeated("ab"))
    assert not growth.is_linear


@pytest.mark.parametrize(
    ("growth", "is_linear"),
    [
        (Growth(small_s=0.1, large_s=1.6), True),
        (Growth(small_s=0.1, large_s=25.6), False),
        (Growth(small_s=0.0, large_s=0.019), True),
        (Growth(small_s=0.0001, large_s=0.025), False),
    ],
)
def test_noise_on_short_times_is_no_fault(growth: Growth, is_linear: bool) -> None:
    assert growth.is_linear is is_linear
