"""The quality flags: what raises each, and what must not, on made-up text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.answers.flags import (
    LOOP_TIMES,
    LOOP_WORDS,
    find_flags,
    has_markup,
    is_refusal,
    repeats_itself,
)
from cotbuild.schemas.answers.folding import fold
from cotbuild.schemas.answers.grade import grade_completion
from cotbuild.schemas.rationale import Flag
from tests.support.weathering import question

FEW = ("moss", "granite", "river water")


def test_each_flag_of_a_kept_rationale() -> None:
    q = question()
    assert find_flags("", q) == {Flag.EMPTY}
    assert find_flags("It is hard.", q) == set()
    assert find_flags("Granite is hard.", q) == {Flag.NAMES_TARGET}
    assert find_flags("It is **hard**. " + "It is so. " * 9, q) == {
        Flag.MARKUP,
        Flag.REPEATS_ITSELF,
    }


def test_grading_sets_all_flags() -> None:
    text = (
        "None of the choices fits. **Granite** it is, "
        + "or so I say, " * 9
        + "\nThe answer is A. No. The answer is B. Hm."
    )
    assert grade_completion(question(options=FEW), text).flags == (
        Flag.CONTRADICTS, Flag.MARKUP, Flag.NAMES_TARGET, Flag.REFUSAL, Flag.REPEATS_ITSELF, Flag.RUN_ON,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "It is hard. The answer is none of these.",
        "As an AI language model, I cannot answer.",
    ],
)
def test_a_refusal_in_what_is_cut_or_kept(text: str) -> None:
    assert Flag.REFUSAL in grade_completion(question(options=FEW), text).flags
    assert (
        Flag.REFUSAL
        in grade_completion(
            question(options=FEW),
            f'{{"rationale": "{text}", "answer": "B"}}',
            as_json=True,
        ).flags
    )
    assert (
        Flag.REFUSAL in grade_completion(question(options=FEW), text, given="B").flags
    )


def test_an_objects_answer_may_refuse() -> None:
    text = '{"rationale": "It is hard.", "answer": "None of the above"}'
    assert grade_completion(question(options=FEW), text, as_json=True).flags == (
        Flag.REFUSAL,
    )
    assert grade_completion(question(), text, as_json=True).answer == "E"


# --- loops ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The sky is blue. " * 3, True),
        ("The sky is blue. " * 2, False),
        ("Then it rains. So " + "it is wet and " * 3 + "it", True),
        ("so " * 12, True),
        ("very, very, very, very hard", False),
        ("no no no no no no", False),
        ("It rains.\nIT rains.\nit  rains.\n" * 2, True),
        ("1. It is hard. 2. It is hard. 3. It is hard. 4. It is hard.", True),
        ("5 cars + 5 cars + 5 cars + 5 cars + 5 cars + 5 cars = 30 cars", False),
        ("5 + " * 40, True),
        ("It is hard, as it is old. It is old, as it is hard. It is both.", False),
        (" ".join(f"w{i}" for i in range(50)) * 1, False),
        (" ".join([*map("w{}".format, range(50))] * 3), True),
        (" ".join([*map("w{}".format, range(51))] * 3), False),
        ("", False),
    ],
)
def test_a_loop(text: str, expected: bool) -> None:
    assert repeats_itself(text) is expected


LETTERS = st.text("abcdefgh", min_size=1, max_size=4)


@given(
    st.lists(LETTERS, max_size=8),
    st.lists(LETTERS, min_size=4, max_size=12),
    st.lists(LETTERS, max_size=8),
)
def test_any_block_three_times_in_a_row_is_a_loop(
    before: list[str], block: list[str], after: list[str]
) -> None:
    assert LOOP_TIMES * len(block) >= LOOP_WORDS
    assert repeats_itself(" ".join([*before, *block * LOOP_TIMES, *after]))


@given(st.lists(st.integers(0, 2), max_size=60))
def test_a_loop_is_what_a_search_of_every_place_finds(words: list[int]) -> None:
    letters = ["abc"[word] for word in words]
    there = any(
        letters[at : at + size] * times == letters[at : at + size * times]
        for at in range(len(letters))
        for size in range(1, len(letters) // LOOP_TIMES + 1)
        for times in [max(LOOP_TIMES, -(-LOOP_WORDS // size))]
        if at + size * times <= len(letters)
    )
    if there:
        assert repeats_itself(" ".join(letters))


# --- refusals ---


@pytest.mark.parametrize(
    "text",
    [
        "None of the answer choices fits.",
        "So none of the given options is right, but moss is the closest.",
        "None of these options would do.",
        "The answer is none of the above.",
        "The answer is None",
        "The correct answer is not among the options.",
        "The answer is not provided.",
        "There is no correct answer here.",
        "Therefore, no option provided is correct.",
        "I'm sorry, but I cannot choose.",
        "I’m sorry, but I can’t help with that.",
        "Sorry, I cannot answer this.",
        "I cannot provide an answer.",
        "I am unable to answer.",
        "The question cannot be answered.",
        "As an AI, I do not have opinions.",
        "I don't know.",
        "I don't know the answer.",
    ],
)
def test_a_refusal(text: str) -> None:
    assert is_refusal(fold(text).lower(), question(options=FEW))


@pytest.mark.parametrize(
    "text",
    [
        "I cannot imagine a better place.",
        "I cannot help but think of moss. One cannot answer a stone.",
        "With my hands I cannot determine its colour.",
        "None of the other options is hard.",
        "None of the options A and C is hard, so it is B.",
        "None of the rivers is hard.",
        "The answer is none other than granite.",
        "They have no choice. He had no option but to leave.",
        "No answer came back. Casino options are fun.",
        "He was sorry, but it was late. She said: I'm sorry I broke it.",
        "The answer is not A, so it is B.",
        "The age of a stone cannot be determined from its colour.",
        "He is unable to answer the phone, and I don't know many who can.",
        "An air bubble, as an aid, rises.",
    ],
)
def test_no_refusal(text: str) -> None:
    assert not is_refusal(fold(text).lower(), question(options=FEW))


def test_none_of_the_above_may_be_a_choice() -> None:
    assert not is_refusal("the answer is none of the above", question())
    assert is_refusal("i cannot answer that", question())


# --- markup ---


@pytest.mark.parametrize(
    "text",
    [
        "so <answer> it", "<b>hard</b>", "<br/>", "a<br>b", "<Step-by-Step Conclusion>",
        '<span class="x">', "<|im_end|>",
        "[INST] so", "It is **hard**.", "**1. Hard:** it is", "# Why\nIt is", "so\n### Step 1", "```\nx\n```",
        r"\boxed{B}", r"\frac{1}{2}", r"3 \times 4", r"\( x \)", r"\[ x \]",
    ],
)  # fmt: skip
def test_markup(text: str) -> None:
    assert has_markup(text)


@pytest.mark.parametrize(
    "text",
    [
        "3 < 4 and 5 > 2", "a<b and c>d", "x <y and y> z", "2 * 3 * 4", "2**3 and 3**2", "5*3=15", "<<5*3=15>>15",
        "#1 of them, #2", "item # 3", r"either\or", r"\Happiness", "*** so ***",
        "1. One\n- two\n* three", "it's `so", "_so_",
    ],
)  # fmt: skip
def test_no_markup(text: str) -> None:
    assert not has_markup(text)
