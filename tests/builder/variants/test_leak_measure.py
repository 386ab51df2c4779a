"""What a text names by the stated rule, and by the looser one that is written apart
from it.
"""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.draws import HashedDraws
from cotbuild.builder.variants.example import TransformFn
from cotbuild.builder.variants.leak_measure import (
    _stem,
    _stems,
    _tokens,
    find_named_answers,
    find_named_answers_loosely,
)
from cotbuild.builder.variants.transforms.leak import strip
from cotbuild.schemas.answers.mentions import names_target
from cotbuild.schemas.transform import Strip
from tests.schemas.answers.test_mentions import OPTION, TEXTS
from tests.support.examples import example_of
from tests.support.labelled import SETS, SetOf, rows_of
from tests.support.weathering import KINDS, question

NEITHER, TARGET, OTHER, BOTH = (
    (False, False),
    (True, False),
    (False, True),
    (True, True),
)
PLACES = (
    "pet shop",
    "river bank",
    "river boat",
    "then",
    "the sun",
    "planting new trees in parks",
)


@pytest.mark.parametrize(
    ("text", "stated", "loosely"),
    [
        ("at the pet shop", TARGET, TARGET),
        ("many pet shops", NEITHER, TARGET),
        ("they go shopping", NEITHER, TARGET),
        ("a bank", NEITHER, OTHER),
        ("by a river", NEITHER, NEITHER),  # two options have it
        ("and then he left", OTHER, OTHER),
        ("the moon", NEITHER, NEITHER),
        ("sunny", NEITHER, NEITHER),  # "sunni"
        ("new parks", NEITHER, OTHER),  # 2 of 4 own stems
        ("a tree is tall", NEITHER, NEITHER),  # 1 of 4
        ("option A, (A) and A:", TARGET, TARGET),
        ("A shop? A dog", NEITHER, TARGET),
        ("A dog and I", NEITHER, NEITHER),
        ("I like B", NEITHER, OTHER),
        ("vitamin b and B-52", NEITHER, OTHER),
        ("", NEITHER, NEITHER),
        ("pet-shop; SUN’S", BOTH, BOTH),
    ],
)
def test_a_choice(
    text: str, stated: tuple[bool, bool], loosely: tuple[bool, bool]
) -> None:
    q = question(options=PLACES, target="A")
    assert find_named_answers(text, q) == stated
    assert find_named_answers_loosely(text, q) == loosely


@pytest.mark.parametrize(
    ("kind", "text", "stated", "loosely"),
    [
        ("number", "x12", NEITHER, TARGET),
        ("number", "twelve", NEITHER, TARGET),
        ("number", "12.00, not 13", TARGET, TARGET),
        ("number", "120, 1,200, 1.2", NEITHER, NEITHER),
        ("yes_no", "It has no legs", NEITHER, OTHER),
        ("yes_no", "That is true", NEITHER, TARGET),
        ("yes_no", "Yes. No.", BOTH, BOTH),
        ("text", "lakes", NEITHER, TARGET),
        ("text", "Geneva", NEITHER, TARGET),
        ("text", "Zurich", NEITHER, NEITHER),
    ],
)
def test_other_kinds(
    kind: str, text: str, stated: tuple[bool, bool], loosely: tuple[bool, bool]
) -> None:
    assert find_named_answers(text, question(kind)) == stated
    assert find_named_answers_loosely(text, question(kind)) == loosely


def test_the_targets_text_under_another_letter_is_no_other_option() -> None:
    q = question(options=("home", "barn", "Home "), target="C")
    assert find_named_answers("a home (A)", q) == TARGET
    assert find_named_answers_loosely("homes", q) == TARGET


def test_without_a_target_only_others_are_named() -> None:
    assert find_named_answers("(B) moss", question(target=None)) == OTHER
    assert find_named_answers_loosely("mosses", question(target=None)) == OTHER
    for kind in ("number", "text"):
        assert (
            find_named_answers_loosely("12 Lake Geneva", question(kind, target=None))
            == NEITHER
        )


def test_a_number_that_is_none() -> None:
    assert (
        find_named_answers_loosely("1/2 of it", question("number", target="1/2"))
        == NEITHER
    )


@given(
    TEXTS, st.lists(OPTION, min_size=2, max_size=5).map(tuple), st.sampled_from(KINDS)
)
def test_any_text_has_an_answer(text: str, options: tuple[str, ...], kind: str) -> None:
    q = question(kind, options, target="A" if kind == "choice" else "")
    assert find_named_answers(text, q)[0] is names_target(text, q)
    assert all(isinstance(one, bool) for one in find_named_answers_loosely(text, q))


@given(TEXTS | st.text("a1é,.'’ \u2003\n", max_size=20))
def test_the_stems_of_a_text_are_those_of_its_words(text: str) -> None:
    assert _stems(text) == frozenset(map(_stem, _tokens(text)))


@given(TEXTS, TEXTS, st.lists(OPTION, min_size=2, max_size=5, unique=True).map(tuple))
def test_an_options_own_text_is_loosely_named(
    before: str, after: str, options: tuple[str, ...]
) -> None:
    assert find_named_answers_loosely(
        f"{before}; {options[0]} ;{after}", question(options=options, target="A")
    )[0]


REAL = {1: (240, 78, 75), 2: (276, 147, 146), 3: (157, 85, 85), 4: (265, 32, 28)}


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("which", "expected"), [(SETS[at], counts) for at, counts in REAL.items()]
)
def test_what_is_left_in_real_rationales(
    which: SetOf, expected: tuple[int, int, int]
) -> None:
    """Of 300 rationales, how many name the target loosely: as they are, without the
    target, without any option.
    """
    counts: Counter[str] = Counter()
    stripped: dict[str, TransformFn] = {
        what: strip(Strip(do="strip", what=what)) for what in ("target", "options")
    }
    for q, row in islice(rows_of(which), 300):
        subject = example_of(q)
        chance = HashedDraws(0, 0, row.question_id, row.sample_index)
        counts["as_is"] += find_named_answers_loosely(row.rationale, q)[0]
        counts["narrower"] += (
            find_named_answers(row.rationale, q)[0]
            and not find_named_answers_loosely(row.rationale, q)[0]
        )
        for what, apply in stripped.items():
            text = apply(row.rationale, subject, chance, None) or ""  # type: ignore[arg-type]
            counts[what] += find_named_answers_loosely(text, q)[0]
    found = (counts["as_is"], counts["target"], counts["options"])
    assert found == pytest.approx(
        expected, abs=3
    )  # another release of the stemmer may stem a word another way
    assert counts["narrower"] == 0
