"""The parts of a mix have their shares, and every rationale is in one of them."""

from collections import Counter

import pytest

from cotbuild.builder.variants.mix import MixRanks

KEYS = [(f"q{number}", sample) for number in range(50) for sample in range(2)]


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        ((0.5, 0.5), (50, 50)),
        ((0.1, 0.9), (10, 90)),
        ((0.333, 0.333, 0.334), (34, 33, 33)),
        ((1.0,), (100,)),
        ((0.001, 0.999), (1, 99)),
    ],
)
def test_parts_have_their_shares(
    shares: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    ranks = MixRanks(KEYS, 0)
    chosen = Counter(ranks.choose(*key, shares) for key in KEYS)
    assert tuple(chosen[number] for number in range(len(shares))) == counts


def test_a_choice_depends_on_ids_and_seed_and_on_no_order() -> None:
    shares = (0.3, 0.7)
    forwards, backwards = MixRanks(KEYS, 0), MixRanks(KEYS[::-1], 0)
    other_seed = MixRanks(KEYS, 1)
    chosen = [forwards.choose(*key, shares) for key in KEYS]
    assert chosen == [backwards.choose(*key, shares) for key in KEYS]
    assert chosen != [other_seed.choose(*key, shares) for key in KEYS]


def test_a_first_part_that_grows_keeps_its_rationales() -> None:
    ranks = MixRanks(KEYS, 0)
    small = {key for key in KEYS if ranks.choose(*key, (0.2, 0.8)) == 0}
    large = {key for key in KEYS if ranks.choose(*key, (0.6, 0.4)) == 0}
    assert small < large
