"""Words that name the target or an option: taken out, alone, and the control; on
made-up and on real rationales.
"""

from collections import Counter
from itertools import islice
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cotbuild.builder.variants.draws import HashedDraws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    TransformFn,
    question_from_row,
)
from cotbuild.builder.variants.leak_measure import find_named_answers
from cotbuild.builder.variants.transforms.leak import (
    find_naming_words,
    is_target_mention,
    leak_only,
    strip,
)
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.transform import LeakOnly, Strip
from tests.schemas.answers.test_mentions import OPTION, TEXTS
from tests.support.examples import example_of
from tests.support.labelled import SETS, SetOf, rows_of
from tests.support.weathering import KINDS, question

STRIPS: dict[str, TransformFn] = {
    f"{what}{'_random' if random else ''}": strip(
        Strip(do="strip", what=what, random=random)
    )
    for what in ("target", "options")
    for random in (False, True)
}
LEAK: TransformFn = leak_only(LeakOnly(do="leak_only"))


def run(apply: TransformFn, text: str, q: Question, seed: int = 0) -> str:
    made = apply(text, example_of(q), HashedDraws(seed, 0, q.id, 0), None)  # type: ignore[arg-type]  # they ask for no corpus
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("text", "no_target", "no_options", "leak"),
    [
        ("It is granite, not moss.", "It is not moss.", "It is not", "granite,"),
        (
            "So (B) Granite. Hard\n\nand  grey",
            "So Hard and grey",
            "So Hard and grey",
            "(B) Granite.",
        ),
        (
            "The answer is B because A and C are soft.",
            "The answer is because A and C are soft.",
            None,
            "B",
        ),
        ("granite/moss is one word", "is one word", "is one word", "granite/moss"),
        (
            "By river water; by the river",
            "By river water; by the river",
            "By by the",
            "",
        ),
        ("( granite ) is “granite”.", "( ) is", "( ) is", "granite “granite”."),
        ("granites are granite-like", "granites are", "granites are", "granite-like"),
        ("", "", "", ""),
        ("granite", "", "", "granite"),
        ("nothing of it", "nothing of it", "nothing of it", ""),
    ],
)
def test_whole_words_go_and_nothing_else(
    text: str, no_target: str, no_options: str | None, leak: str
) -> None:
    q = question(target="B")
    assert run(STRIPS["target"], text, q) == no_target
    assert no_options is None or run(STRIPS["options"], text, q) == no_options
    assert run(LEAK, text, q) == leak


@pytest.mark.parametrize(
    ("kind", "text", "no_target", "no_options"),
    [
        ("yes_no", "Yes, it floats. No. So yes.", "it floats. No. So", "it floats. So"),
        ("number", "5 + 7 = 12, $12.00 not 120", "5 + 7 = not 120", "5 + 7 = not 120"),
        ("text", "It is (lake geneva), deep", "It is deep", "It is deep"),
    ],
)
def test_other_kinds(kind: str, text: str, no_target: str, no_options: str) -> None:
    assert run(STRIPS["target"], text, question(kind)) == no_target
    assert run(STRIPS["options"], text, question(kind)) == no_options


def test_what_comes_together_and_is_a_mention_goes_as_well() -> None:
    q = question(options=("river water", "granite"), target="A")
    assert run(STRIPS["options"], "a river granite water", q) == "a"
    assert run(STRIPS["target"], "a river granite water", q) == "a river granite water"
    assert run(STRIPS["target"], "a river river water water flows", q) == "a flows"
    assert run(LEAK, "a river river water water flows", q) == "river river water water"


def test_the_targets_text_under_another_letter_is_the_target() -> None:
    q = question(options=("home", "barn", "Home "), target="C")
    assert run(STRIPS["target"], "(A) home, (C) or (B) barn", q) == "or (B) barn"


def test_without_a_target_there_is_none_to_take_out() -> None:
    q = question(target=None)
    assert run(STRIPS["target"], "moss (B)", q) == "moss (B)"
    assert run(STRIPS["options"], "moss (B)", q) == run(LEAK, "moss (B)", q) == ""


@settings(max_examples=300)
@given(
    TEXTS, st.lists(OPTION, min_size=2, max_size=5).map(tuple), st.sampled_from(KINDS)
)
@example("river river river water water water", ("river water", "x"), "choice")
def test_what_holds_of_any_text(text: str, options: tuple[str, ...], kind: str) -> None:
    q = question(kind, options, target="A" if kind == "choice" else "")
    all_words = Counter(text.split())
    no_target = run(STRIPS["target"], text, q)
    no_options = run(STRIPS["options"], text, q)
    assert not any(
        is_target_mention(mention, q) for mention in find_mentions(no_target, q)
    )
    assert find_mentions(no_options, q) == ()
    assert Counter(no_target.split()) + Counter(run(LEAK, text, q).split()) == all_words
    for name, real in (("target_random", no_target), ("options_random", no_options)):
        made = run(STRIPS[name], text, q)
        assert len(made.split()) == len(real.split())
        assert Counter(made.split()) <= all_words
    assert run(STRIPS["options"], no_options, q) == no_options
    assert no_options == " ".join(no_options.split())


@given(
    st.lists(
        st.sampled_from(["granite", "moss", "so", "it", "is", "hard"]), max_size=20
    ),
    st.integers(0, 9),
)
def test_the_random_strip_leaves_what_the_real_one_takes_where_others_are_enough(
    said: list[str], seed: int
) -> None:
    q = question(target="B")
    gone = said.count("granite")
    made = run(STRIPS["target_random"], " ".join(said), q, seed).split()
    assert made.count("granite") == gone or 2 * gone > len(said)


def test_the_random_strip_is_what_it_was_and_another_by_seed() -> None:
    """A change here is a new version of every built-in variant that strips at random."""
    text = "one two three granite four five granite six seven eight nine ten"
    assert [
        run(STRIPS["target_random"], text, question(target="B"), seed)
        for seed in range(3)
    ] == [
        "one two three granite four five granite six eight ten",
        "one two three granite five granite six seven eight nine",
        "one three granite five granite six seven eight nine ten",
    ]


def test_every_word_can_be_drawn_about_as_often() -> None:
    q = question(target="B")
    text = "a1 a2 granite a3 a4 granite a5 a6 a7 a8"
    left = Counter(
        word
        for seed in range(1000)
        for word in run(STRIPS["target_random"], text, q, seed).split()
    )
    assert left.pop("granite") == 2000
    assert all(700 < times < 800 for times in left.values())


def test_nested_mentions_leave_none() -> None:
    text = "river " * 3000 + "water " * 3000
    q = question(options=("river water", "moss"), target="A")
    assert find_mentions(run(STRIPS["target"], text, q), q) == ()


def test_words_like_those_that_go_late_are_not_all_marks() -> None:
    q = question(options=("x + +", "moss"), target="A")
    assert run(STRIPS["target"], "x " * 6 + "+ " * 12 + "- . end", q) == "- . end"


def test_places_are_those_of_the_words_given() -> None:
    said = ["a", "granite", "is", "(", "moss", ")", "or", "granite"]
    q = example_of(question(target="B"))
    assert find_naming_words(said, q, "target") == {1, 7}
    assert find_naming_words(said, q, "options") == {1, 4, 7}


# --- real rationales ---


def strip_all(rows: list[Rationale]) -> Counter[str]:
    """How often each text names the target, and another option; and that counts of
    words are equal.
    """
    counts: Counter[str] = Counter()
    for row in rows:
        q = question_from_row(row.model_dump(mode="json"), "row")
        subject = example_of(q)
        chance = HashedDraws(0, 0, row.question_id, row.sample_index)
        texts = {
            name: apply(row.rationale, subject, chance, cast(BuildCorpus, None)) or ""
            for name, apply in STRIPS.items()
        }
        for name, text in {"as_is": row.rationale, **texts}.items():
            target, other = find_named_answers(text, q)
            counts[f"{name}: target"] += target
            counts[f"{name}: other"] += other
        for what in ("target", "options"):
            assert len(texts[what].split()) == len(texts[f"{what}_random"].split())
    return counts


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("which", "as_is"),
    [
        (SETS[1], (166, 51)),
        (SETS[2], (200, 193)),
        (SETS[3], (74, 11)),
        (SETS[4], (252, 82)),
    ],
)
def test_real_rationales_name_nothing_when_stripped(
    which: SetOf, as_is: tuple[int, int]
) -> None:
    rows = [row for _, row in islice(rows_of(which), 300)]
    counts = strip_all(rows)
    assert (
        counts["target: target"]
        == counts["options: target"]
        == counts["options: other"]
        == 0
    )
    assert (counts["as_is: target"], counts["as_is: other"]) == as_is
    assert counts["target_random: target"] > 0.97 * as_is[0]


@pytest.mark.slow
@pytest.mark.needs_data
@pytest.mark.parametrize("which", SETS, ids=lambda which: which.recipe)
def test_no_real_rationale_names_anything_when_stripped(which: SetOf) -> None:
    counts = strip_all([row for _, row in rows_of(which)])
    assert (
        counts["target: target"]
        == counts["options: target"]
        == counts["options: other"]
        == 0
    )
