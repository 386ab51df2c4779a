"""Extraction on made-up text: every form an answer takes, and what must not be taken
for one.
"""

import pytest

from cotbuild.schemas.answers.compare import is_correct
from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.grade import decide_verdict
from cotbuild.schemas.rationale import Flag, Verdict
from tests.support.weathering import question

# --- answers ---

CHOICE = [
    ("The answer is B", "B"),
    ("The answer is (B).", "B"),
    ("the answer is b.", "B"),
    ("The answer is B: granite", "B"),
    ("The answer is: (b) granite.", "B"),
    ("It is hard.The answer is-B", "B"),
    ("It ishard.TheanswerisB", "B"),
    ("The answer is **B**.", "B"),
    ("**The answer is B) granite**", "B"),
    ("**Answer:** B", "B"),
    ("Answer: The answer is B because it is hard.", "B"),
    ("The answer is <B: granite>", "B"),
    ("<answer>B</answer>", "B"),
    ("The answer is $B$.", "B"),
    (r"Thus $\boxed{B}$.", "B"),
    (r"The answer is \boxed{\text{B}}", "B"),
    ("### Final Answer\n\nB", "B"),
    ("The correct option is: B", "B"),
    ("The best choice would be option B.", "B"),
    ("The answer must be (a) moss.", "A"),
    ("The answer is granite", "B"),
    ("The answer is the granite, which is hard.", "B"),
    ("The answer is likely Granite.", "B"),
    ("The answer is “granite”.", "B"),
    ("The answer is\u00a0(B)", "B"),
    ("The answer is （B）", "B"),
    ("The answer is river.", "D"),
    ("The answer is river water.", "C"),
    ("The answer is none of the above.", "E"),
    ("Option B is correct.", "B"),
    ("Moss is soft, so (B) is the best answer.", "B"),
    ("Moss is soft. So it must be B.", "B"),
    ("Therefore, I would choose (B).", "B"),
    ("B", "B"),
    ("(B)", "B"),
    ("b) granite", "B"),
    ("granite", "B"),
    ("River water.", "C"),
    ("B because it is hard", "B"),
    ("It is hard.\n\n**B**", "B"),
    ("The answer is A", "A"),
    ("The answer is A moss", "A"),
    ("The answer is A because it grows.", "A"),
    ("The answer is a granite", "B"),
    ("The answer is A granite", "B"),
    ("The answer is A. No, wait. The answer is B.", "B"),
    ("The answer is B. The answer is not A.", "B"),
    ("The answer is not among the ones shown. Still, the closest match is B", "B"),
    ("The answer is B\n\nQ: Which is soft?\nA: The answer is A", "B"),
    ("The answer is B.\n### Question 2: Which is soft?\nAnswer: A", "B"),
    ("The answer is B<|im_end|>\n<|im_start|>user\nThe answer is A", "B"),
    ("Question: Which of these weathers slowest?\nAnswer: B", "B"),
    ("Sure.\n\nQuestion: Which of these weathers slowest?\nAnswer: B", "B"),
    ("<think>The answer is A. Hmm.</think>The answer is B", "B"),
    # no single answer
    ("", None),
    ("A plant grows on granite.", None),
    ("A rock is hard. I think so.", None),
    ("The answer is a rock.", None),
    ("The answer is A rock", None),
    ("The answer is river water vapour.", None),
    ("The answer must be a river. Of the above choices, only", None),
    ("The answer is either (a) moss or (b) granite.", None),
    ("The answer is (a) moss or (b) granite.", None),
    ("The answer is A, B, and D.", None),
    ("The answer is both A and B", None),
    ("The answer is moss or granite", None),
    ("The answer is B: river", None),
    ("The answer is B: granite is incorrect.", None),
    ("None of the answer choices fits.", None),
    ("The answer is not among the options.", None),
    ("The answer is one of these.", None),
    ("The answer is unclear.", None),
    ("The answer is F", None),
    # an option's text, and the label behind it
    ("The answer is granite (B).", "B"),
    ("The answer is granite, which is option B.", "B"),
    ("The answer is granite (igneous).", "B"),
    ("The answer is granite, option A is wrong.", "B"),
    ("The answer is granite (A).", None),
    ("The answer is granite (a)", None),
    ("**Answer: granite (A)**", None),
    (r"\boxed{granite (A)}", None),
    ("<answer>granite (A)</answer>", None),
    ("The answer is granite, option A.", None),
    ("The answer is granite, which is option A.", None),
    ("The answer is granite, which is A.", None),
    ("A: moss\nB: granite\nC: river water", None),
    ("Choose the correct answer:\nA) moss\nB) granite", None),
    ("Choose the correct answer: A) moss B) granite", None),
    ("Moss is soft, granite is hard.", None),
    ("Hm.\n\nQ: Which is soft?\nA: The answer is A", None),
    ("The answer is either A or B.\n\nQ: Which is soft?\nThe answer is A", None),
    ("<think>The answer is B, but let me", None),
]


@pytest.mark.parametrize(("text", "answer"), CHOICE)
def test_choice(text: str, answer: str | None) -> None:
    assert extract_answer(text, question()).answer == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 2", "2"),
        ("(2)", "2"),
        ("The answer is 2.5 km", None),
        ("The answer is 1 km", "1"),
    ],
)
def test_numeric_labels(text: str, answer: str | None) -> None:
    assert (
        extract_answer(
            text, question(labels="1234", options=("1 km", "2 km", "3 km"), target="2")
        ).answer
        == answer
    )


def test_two_letters_with_one_text_count_as_either() -> None:
    q = question(options=("home", "barn", "Home "), target="A")
    found = extract_answer("The answer is (c) home.", q)
    assert found.answer == "C"
    assert is_correct("C", q)
    assert extract_answer("The answer is A or C", q).answer == "A"
    assert not is_correct("B", q)


NUMBER = [
    ("#### 42", "42"),
    ("The answer is 42.", "42"),
    ("The answer is 1,234,567.50.", "1234567.50"),
    ("The answer is $1,200 per year.", "1200"),
    ("The answer is £ 5", "5"),
    ("The answer is -5", "-5"),
    ("The answer is −5 degrees", "-5"),
    ("The answer is -$5.", "-5"),
    ("The answer is $-5.", "-5"),
    ("The answer is negative 5.", "-5"),
    ("The answer is .5", "0.5"),
    ("The answer is about 42 apples", "42"),
    ("The answer is 25%.", "25"),
    ("The answer is 3/4 of a cup.", "3/4"),
    ("The answer is 1 1/2 cups.", "1 1/2"),
    (r"The answer is $\boxed{1{,}234}$", "1234"),
    (r"Thus \boxed{\frac{3}{4}}.", "3/4"),
    ("The answer is 1.5 million.", "1500000"),
    ("The answer is 5 + 7 = 12.", "12"),
    ("Answer: x = 12", "12"),
    ("The answer is that she keeps 12 eggs because 5 + 7 = 12.", "12"),
    ("The answer is 12\u00a0eggs", "12"),
    ("5 + 7 = 12\n12 * 2 = 24\n#### 24", "24"),
    ("The answer is 5.\n\nQuestion: What is 3 + 4?\nThe answer is 7.", "5"),
    ("12", "12"),
    ("$1,200.00", "1200.00"),
    ("12 eggs", "12"),
    ("5 plus 7.\n\n12", "12"),
    # no single number
    ("She has 5 eggs and buys 7.", None),
    ("The answer is 12 or 13.", None),
    ("The answer is 10-12", None),
    ("The answer is between 5 and 7", None),
    ("The answer is (12,13)", None),
    ("The answer is 3:30", None),
    ("The answer is 2^10", "1024"),
    ("The answer is 5 + 7", None),
    ("The answer is unknown.", None),
    ("1. First she sells them.", None),
    ("5\n7", None),
]


@pytest.mark.parametrize(("text", "answer"), NUMBER)
def test_number(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("number")).answer == answer


YES_NO = [
    ("The answer is yes.", "yes"),
    ("So the answer is **No**.", "no"),
    ("Answer: True", "yes"),
    ("Answer: false", "no"),
    ("Yes", "yes"),
    ("No, because it sinks.", "no"),
    ("It floats. Therefore, yes.", "yes"),
    ("It sinks. No.", "no"),
    ("The answer is yes. On reflection, the answer is no.", "no"),
    ("The answer is yes and no.", None),
    ("The answer is yes or no", None),
    ("The answer is no one knows.", None),
    ("No one knows.", None),
    ("Nothing floats.", None),
    ("The answer is not clear.", None),
]


@pytest.mark.parametrize(("text", "answer"), YES_NO)
def test_yes_no(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("yes_no")).answer == answer


TEXT = [
    ("The answer is Lake Geneva.", "Lake Geneva"),
    ('The answer is "Lake Geneva".', "Lake Geneva"),
    ("**Answer:** Lake Geneva\n\nExplanation: it is big.", "Lake Geneva"),
    ("Answer: The answer is Lake Geneva, which is big.", "Lake Geneva"),
    ("The answer is Lake Geneva because it is big.", "Lake Geneva"),
    ("The answer is St. Gallen. It is old.", "St. Gallen"),
    ("The answer is J. K. Rowling.", "J. K. Rowling"),
    ("The answer is Paris.The answer is Rome", "Rome"),
    ("Lake Geneva", "Lake Geneva"),
    ("The answer is unknown.", None),
    ("The answer is either Rome or Paris.", None),
    ("I do not know", None),
    ("It is a large lake in the west that many people visit.", None),
]


@pytest.mark.parametrize(("text", "answer"), TEXT)
def test_text(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("text")).answer == answer


# --- rationales and flags ---

RATIONALES = [
    ("It is hard. The answer is B", "It is hard.", ()),
    ("It is hard, so the answer is B.", "It is hard", ()),
    ("It is hard. Therefore, the correct answer is **B**.", "It is hard.", ()),
    ("They wear slowly, so the technically best answer is B.", "They wear slowly", ()),
    (
        "It is what we think most, and thus I would say that the most likely answer is B",
        "It is what we think most",
        (),
    ),
    ("It is hard. **Answer:**\nSo, my answer is B", "It is hard.", ()),
    ("Rationale: It is hard.\n\n**Final Answer:** B", "It is hard.", ()),
    ("It is hard. Thus the answer is B: granite. The answer is B", "It is hard.", ()),
    (
        "It is hard. The answer is B.\n\nQ: Next?\nThe answer is A",
        "It is hard.",
        (Flag.RUN_ON,),
    ),
    (
        "It is hard. The answer is B. By the way, rivers flow.",
        "It is hard.",
        (Flag.RUN_ON,),
    ),
    (
        "It is hard. The answer is A. No, moss is soft. The answer is B",
        None,
        (Flag.CONTRADICTS,),
    ),
    ("The answer is B", "", ()),
    ("The answer is B.\n\nQ: Next?\nA: A", "", (Flag.RUN_ON,)),
    ("The answer is B because it is hard.", "it is hard.", ()),
    ("B\n\nExplanation: It is hard.", "It is hard.", ()),
    ("Moss is soft.", "Moss is soft.", ()),
    ("<think>It is hard.</think>\n\nThe answer is B", "", ()),
    (
        "<think>It is soft. The answer is A.</think>\n\nIt is hard. The answer is B",
        "It is hard.",
        (),
    ),
    ("It is soft.</think>It is hard. The answer is B", "It is hard.", ()),
    ("It is hard. The answer is none of these.", "It is hard.", ()),
]


@pytest.mark.parametrize(("text", "rationale", "flags"), RATIONALES)
def test_rationale(text: str, rationale: str | None, flags: tuple[Flag, ...]) -> None:
    found = extract_answer(text, question())
    assert found.flags == flags
    assert rationale is None or found.rationale == rationale


ANSWER_FIRST = [
    ("choice", "The answer is B because it is hard.", "B", "it is hard."),
    ("choice", "B because it is hard. So the answer is B.", "B", "it is hard."),
    ("choice", "(B) granite. It is hard.", "B", "It is hard."),
    ("choice", "B\nIt is hard.", "B", "It is hard."),
    ("choice", "The answer is B because it is hard. Then the answer is A.", "B", None),
    (
        "choice",
        "The answer is B because it is hard.\n\nQ: Next?\nThe answer is A",
        "B",
        "it is hard.",
    ),
    ("choice", "A: moss\nB: granite", None, "A: moss\nB: granite"),
    ("choice", "The answer is either A or B.", None, None),
    ("number", "12 because 5 + 7 = 12.", "12", "5 + 7 = 12."),
    ("number", "The answer is 12. First 5, then 7.", "12", "First 5, then 7."),
    ("yes_no", "Yes, since it floats.", "yes", None),
    ("text", "Lake Geneva because it is big.", "Lake Geneva", "it is big."),
]


@pytest.mark.parametrize(("kind", "text", "answer", "rationale"), ANSWER_FIRST)
def test_answer_first(
    kind: str, text: str, answer: str | None, rationale: str | None
) -> None:
    found = extract_answer(text, question(kind), answer_first=True)
    assert found.answer == answer
    assert rationale is None or found.rationale == rationale


# --- verdicts ---

CUT = [
    ("choice", "It is hard. The answer is B", Verdict.CORRECT),
    ("choice", "It is hard. The answer is A", Verdict.INCORRECT),
    ("choice", "It is hard. The answer is B: gran", Verdict.CORRECT),
    ("choice", "It is hard. The answer is a", Verdict.TRUNCATED),  # a granite
    ("choice", "It is hard. The answer is river", Verdict.TRUNCATED),  # river water
    ("choice", "It is hard. The answer", Verdict.TRUNCATED),
    ("choice", "It is hard.", Verdict.TRUNCATED),
    ("choice", "The answer is B.\n\nQ: Next one? The answer is A", Verdict.CORRECT),
    (
        "choice",
        "The answer is either A or B.\n\nQ: Next one? The answer is A",
        Verdict.NO_ANSWER,
    ),
    ("number", "The answer is 12", Verdict.TRUNCATED),  # 120
    ("number", "The answer is 12.", Verdict.TRUNCATED),  # 12.5
    ("number", "The answer is 12 eggs", Verdict.CORRECT),
    ("number", "The answer is 12\n\nQ: Next", Verdict.CORRECT),
    ("text", "The answer is Lake", Verdict.TRUNCATED),
    ("text", "The answer is Lake Geneva. And", Verdict.CORRECT),
    ("yes_no", "The answer is no", Verdict.TRUNCATED),  # nobody knows
]


@pytest.mark.parametrize(("kind", "text", "expected"), CUT)
def test_verdict_of_a_cut_text(kind: str, text: str, expected: Verdict) -> None:
    q = question(kind)
    found = extract_answer(text, q)
    verdict, flags, _ = decide_verdict(found, "length", q, answer_first=False)
    assert verdict is expected
    assert (Flag.CUT in flags) is (expected is not Verdict.TRUNCATED)
    assert flags == tuple(sorted(flags))
    uncut, flags, _ = decide_verdict(found, "stop", q, answer_first=False)
    assert uncut is not Verdict.TRUNCATED
    assert flags == found.flags


def test_a_cut_label_first_text_keeps_its_verdict() -> None:
    q = question()
    found = extract_answer("The answer is B because it is", q, answer_first=True)
    assert decide_verdict(found, "length", q, answer_first=True) == (
        Verdict.CORRECT,
        (Flag.CUT,),
        "label",
    )
    none = extract_answer("Well,", q, answer_first=True)
    assert decide_verdict(none, "length", q, answer_first=True) == (
        Verdict.NO_ANSWER,
        (Flag.CUT,),
        None,
    )


def test_without_a_target_nothing_is_scored() -> None:
    q = question(target=None)
    assert (
        decide_verdict(
            extract_answer("The answer is B", q), "stop", q, answer_first=False
        )[0]
        is Verdict.UNSCORED
    )
    assert not is_correct("B", q)


# --- where an answer stands ---

SPANS = [
    ("choice", "It is hard. The answer is (B).", "B", "answer_is"),
    ("choice", "Option B is correct.", "B", "called_correct"),
    ("choice", "The answer is “granite”.", "granite", "answer_is"),
    ("choice", "<think>The answer is A.</think>\n It is <answer>B</answer>", "B", "answer_tag"),
    ("number", "  #### 1,234 km", "1,234", "hash_marks"),
    ("number", r"So \boxed{\frac{3}{4}}.", r"\frac{3}{4}", "boxed"),
    ("number", "5 and 7.\n\n12 eggs", "12", "lone_line"),
    ("yes_no", "It floats. Therefore, **Yes**.", "Yes", "so_yes_no"),
    ("text", "Hm.</think> The answer is **Lake Geneva**, as", "Lake Geneva", "answer_is"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "value", "rule"), SPANS)
def test_the_value_is_found_in_the_verbatim_text(
    kind: str, text: str, value: str, rule: str
) -> None:
    found = extract_answer(text, question(kind))
    assert text[found.answer_start : found.answer_end] == value
    assert found.answer_rule == rule


@pytest.mark.parametrize(
    ("text", "rule"), [("It is either.", None), ("The answer is unclear.", "answer_is")]
)
def test_without_an_answer_there_is_no_span(text: str, rule: str | None) -> None:
    found = extract_answer(text, question())
    assert (found.answer_start, found.answer_end) == (None, None)
    assert found.answer_rule == rule


@pytest.mark.parametrize(
    ("options", "text", "answer"),
    [
        *(
            (("a + b + 2", "a - b", "a + b - 2"), text, answer)
            for text, answer in [
                ("The answer is a + b - 2.", "C"), ("The answer is a+b+2", "A"), ("The answer is a - b.", "B"),
                ("The answer is $a + b - 2$.", "C"), ("The answer is a + b.", None), ("The answer is a + b * 2", None),
                ("The answer is (C) a + b - 2.", "C"), ("The answer is (A) a + b - 2.", None),
                ("The answer is (a + b + 2).", "A"), ("The answer is a + b - 2, because it is.", "C"),
            ]
        ),
        *(
            (("x", "-x", "2x", "x + 1"), text, answer)
            for text, answer in [
                ("The answer is -x.", "B"), ("The answer is x.", "A"), ("The answer is 2x.", "C"),
                ("The answer is x + 1", "D"), ("The answer is x + 2", None), ("The answer is (B) -x.", "B"),
            ]
        ),
        (("5", "-5", "7"), "The answer is -5.", "B"), (("5", "6", "7"), "The answer is -5.", None),
        (("x > 3", "x < 3", "x = 3"), "The answer is x < 3.", "B"), (("2 + 3", "2 - 3"), "The answer is 2-3.", "B"),
        (("[1, 2)", "(1, 2)", "(1, 2]"), "The answer is (1, 2].", "C"), (("C", "C++", "C#"), "The answer is C++.", "B"),
        (("C", "C++", "C#"), "The answer is C#.", "C"), (("p and q", "p or q"), "The answer is p or q.", "B"),
    ],
)  # fmt: skip
def test_options_that_differ_in_an_operator(
    options: tuple[str, ...], text: str, answer: str | None
) -> None:
    assert extract_answer(text, question(options=options)).answer == answer


@pytest.mark.parametrize("word", ["both", "None", "neither", "unknown"])
def test_a_target_that_says_no_single_answer(word: str) -> None:
    asked = question("text", target=word)
    answer = extract_answer(f"The answer is {word.lower()}.", asked).answer
    assert answer is not None
    assert is_correct(answer, asked)


def test_unknown_is_no_answer_of_other_questions() -> None:
    assert extract_answer("The answer is unknown.", question("text")).answer is None
