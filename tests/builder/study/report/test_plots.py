"""Pictures of a study: the same bytes every time, of every kind of study; labels that
do not cover each other.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.study.report.curves import spread_labels
from cotbuild.builder.study.report.page import render_page
from cotbuild.builder.study.report.plots import render_pictures
from tests.support.studies.hostile import TEXTS, hostile
from tests.support.studies.kinds import KINDS
from tests.support.studies.made import whole

PNG = b"\x89PNG\r\n\x1a\n"
USUAL = {"accuracy", "comparisons", "tokens", "losses", "variants"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("whole", USUAL | {"rows"}),
        ("half way", USUAL),
        ("nothing run", set()),
        ("one seed", USUAL - {"comparisons"}),
        ("no options", USUAL),
        ("many", USUAL),
    ],
)
def test_each_kind_of_study_has_its_pictures_and_an_alt_for_each(
    kind: str, names: set[str]
) -> None:
    made = KINDS[kind]()
    found = render_pictures(*made[:2])
    assert found.keys() == names
    assert all(data.startswith(PNG) for data in found.values())
    assert render_page(*made, found).count(" alt=") == len(names)


def test_pictures_are_the_same_bytes_every_time_and_carry_no_clock() -> None:
    first, again = (render_pictures(*whole()[:2]) for _ in range(2))
    assert first == again
    assert not any(
        mark in data for data in first.values() for mark in (b"tEXt", b"tIME")
    )


@pytest.mark.parametrize("text", [TEXTS[6], TEXTS[8]])
def test_any_name_of_a_student_can_be_drawn(text: str) -> None:
    assert render_pictures(*hostile(text)[:2]).keys() == USUAL | {"rows"}


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0.001, 0.3))
def test_labels_keep_their_order_and_lie_apart(places: list[float], gap: float) -> None:
    found = spread_labels(places, gap)
    room = min(gap, 1 / max(1, len(places) - 1))
    ordered = sorted(range(len(places)), key=lambda at: (places[at], at))
    for lower, upper in pairwise(ordered):
        assert found[upper] - found[lower] >= room - 1e-9
    assert all(-1e-9 <= at <= 1 + 1e-9 for at in found)
    if all(abs(a - b) >= room for at, a in enumerate(places) for b in places[:at]):
        assert found == pytest.approx(places, abs=1e-9)
