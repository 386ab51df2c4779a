"""Draws: a permutation, numbers below one, the first ones whatever their number, and the
same values for ever.
"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.draws import DRAWS, Draws

VERSIONS = [pytest.param(make, id=f"version {name}") for name, make in DRAWS.items()]
Make = Callable[[int, int, str, int], Draws]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize("make", VERSIONS)
@given(seed=st.integers(0, 2**53), name=NAMES, count=st.integers(0, 200))
def test_an_order_is_a_permutation_and_numbers_are_below_one(
    make: Make, seed: int, name: str, count: int
) -> None:
    draws = make(seed, 0, name, 1)
    assert sorted(draws.order(count)) == list(range(count))
    numbers = draws.numbers(count)
    assert len(numbers) == count
    assert all(0 <= number < 1 for number in numbers)
    # More draws begin with the same ones.
    assert draws.numbers(count + 3)[:count] == numbers


@pytest.mark.parametrize("make", VERSIONS)
def test_each_field_changes_the_draws(make: Make) -> None:
    fields = [
        (0, 0, "q", 0),
        (1, 0, "q", 0),
        (0, 1, "q", 0),
        (0, 0, "r", 0),
        (0, 0, "q", 1),
        (0, 0, "q/1", 0),
        (0, 0, "1:q", 0),
    ]
    assert len({tuple(make(*one).numbers(4)) for one in fields}) == len(fields)


@pytest.mark.parametrize("make", VERSIONS)
def test_all_orders_of_three_are_equally_frequent(make: Make) -> None:
    orders = [tuple(make(0, 0, f"q{number}", 0).order(3)) for number in range(6_000)]
    for order in set(orders):
        assert 850 < orders.count(order) < 1_150  # 1,000 expected, 29 a deviation
    assert len(set(orders)) == 6


def test_draws_are_what_they_always_were() -> None:
    first, second = DRAWS[1](7, 1, "東京", 2), DRAWS[2](7, 1, "東京", 2)
    assert first.order(6) == FIRST_ORDER
    assert list(second.order(6)) == SECOND_ORDER
    assert second.numbers(2) == SECOND_NUMBERS


FIRST_ORDER = [4, 3, 1, 2, 0, 5]
SECOND_ORDER = [0, 2, 1, 3, 5, 4]
SECOND_NUMBERS = [0.07877993169199127, 0.21882679268068128]
