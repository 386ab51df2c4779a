"""What is a statement and what bounds it, kind by kind, on made-up text.

Each kind was read wrongly or missed on texts of real models once; None is a text that
states no single answer.
"""

import pytest

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.grade import grade_completion
from cotbuild.schemas.answers.line_heads import find_form_heads
from cotbuild.schemas.answers.turn import split_reasoning
from cotbuild.schemas.question import Question
from tests.support.weathering import question

EQUATIONS = [
    ("Let w be weeks.\n\n18 + w = 60\n\nSo it took some weeks.", None),
    ("Check:\n2 * 15 = 30\nThat leaves 42 coins.", None),
    ("First,\n3x - 6 = 120", None),
    ("They have\n5 + 7 = 12", "12"),
    ("5 + 7 = 12\n12 * 2 = 24\n24 eggs", "24"),
]
STEPS = [
    ("1. **Count:**\n   - 4 bags.\n\n2. **Multiply:**\n   - 4 x 3 = 12\n\n12", "12"),
    ("1. **Count:**\n\n2. **Multiply:**\n\n####\n**12**", "12"),
    ("1) Count\n2) Multiply\n12 bags", "12"),
    ("1\\. Count\n2: Multiply\n12", "12"),
    ("* 4 bags\n* 3 in each\n\n12", "12"),
    ("* 4 bags\n* 12 boxes", None),
    ("4 bags\n\n12 bags", None),
    ("1. Count\n2. Multiply", None),
    ("(12)", "12"),
]
SHARES = [
    ("The answer is 0.24, or 24%.", "0.24"),
    ("The answer is 24% or 0.24", "24"),
    ("The answer is 1/4, which is 25 percent.", "1/4"),
    ("The answer is 0.24, or 25%.", None),
    ("The answer is 0.24, or 24% or 3.", None),
    ("The answer is 3, or 4.", None),
]
CLOSING_VALUES = [
    ("The answer is 10% of 420, which is 42.", "42"),
    ("The answer is 8 less than 50, which is 42.", "42"),
    ("The answer is 84 divided by 2, which equals **42 apples**.", "42"),
    ("The answer is 10.5% of 400, which is 42.", "42"),
    ("The answer is 10% of 420, which is 8 less than 50.", None),
    ("The answer is 10% of 420.\n\nThat is a lot, which is 7.", None),
    ("The answer is 6 boxes of 7 apples, or 42 apples.", None),
]
BOUNDED_NUMBERS = [
    (r"Thus \boxed{42} of 50.", "42"),
    (r"Thus \boxed{3, 7, 9}.", None),
    (r"The answer is 5. In short, \boxed{2\sqrt{3}}.", None),
    ("#### 42", "42"),
    ("#### Step 3: add them", None),
    ("#### 2. Divide\nThe answer is 7", "7"),
    ("<answer>42 apples</answer> as 40 + 2", "42"),
    ("| Answer | 42 |", "42"),
    (r"\boxed{3} and \boxed{4}", None),
    ("**Final Answer:**\nTim now has **42 pears**", "42"),
    ("**Answer:** All 3 boxes weigh **42 kg**.", "42"),
    ("**Answer:** 12 or **13**", None),
    ("## Answer\nIt takes more than **3 hours**.", None),
    ("# Final Answer\n\nTim has **1 more plum** than Jane.", "1"),
    ("# Final Answer\n\nTim has **12 plums** and Jane **3**.", None),
    ("<answer>42</answer></answer>", "42"),
]
GLOSSES = [
    ("Therefore, the answer (arabic numerals) is 42.", "42"),
    ("the answer, in dollars, is 42", "42"),
    ("The answer \u2013 as a number \u2013 is 42.", "42"),
    ("The answer to the question is 42.", "42"),
    ("The answer in metres is 42.", "42"),
]
NUMBER_CUES = [
    ("FINAL: 42", "42"),
    ("ANS: 42", "42"),
    ("So we add.\nAnswer 42", "42"),
    ("We add.\nResult: 42", "42"),
    ("Result: 12\nThen we add 30.", None),
    ("It comes out to 42.", "42"),
    ("It comes out to 12. Then we add 30 more and rest.", None),
    ("42 is the answer.", "42"),
    ("Hence, **42**", "42"),
    ("We add.\nA: 42", "42"),
]
NUMBER_DOUBTS = [
    ("The answer is not 42", None),
    ("I doubt that the answer is 42.", None),
    ("The answer is less than 42.", None),
    ("The answer is Step 3.", None),
    ("So the answer is 42? Let me see.", None),
    ("The answer is 42. Wait, that's not right.", None),
    ("The answer is 42, sorry, 43.", None),
    ("The answer depends on the season.", None),
]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *EQUATIONS,
        *STEPS,
        *SHARES,
        *CLOSING_VALUES,
        *BOUNDED_NUMBERS,
        *GLOSSES,
        *NUMBER_CUES,
        *NUMBER_DOUBTS,
    ],
)
def test_number(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("number")).answer == answer


CHOICE_CUES = [
    ("Ans - C", "C"),
    ("Answer D", "D"),
    ("Correct answer - B", "B"),
    ("My pick: B", "B"),
    ("B is the answer", "B"),
    ("I'd go with B", "B"),
    ("I'll go with option B.", "B"),
    ("That is closest to D.", "D"),
    ("The answer appears to be (B)", "B"),
    ("The correct option that describes it is (B)", "B"),
    ("Granite is the correct answer.", "B"),
    ("That leaves us with (B), which is the correct answer.", "B"),
    ("Granite weathers slowest. (B)", "B"),
    ("【B】", "B"),
    (r"The answer is \textsf{B}.", "B"),
    ("Final Answer:\n$$ B $$", "B"),
    ("It is hard.\n\n\u2705 **B**", "B"),
    ("The correct answer is:\n\n**B) granite**", "B"),
    ("The correct answer is (B) granite, not (C) river water.", "B"),
    ("The answer is (B) granite rather than (C) river water.", "B"),
]
CHOICE_DOUBTS = [
    ("#### Option (A): moss\nsoft.\n\n#### Option (C): river water\nwet.", None),
    ("#### Option (A): moss\nsoft.\n\n#### Option (B): granite\nAnswer: B", "B"),
    ("#### B: granite", "B"),
    ("The answer is (C). Another possible answer is (D).", "C"),
    ("The answer would be B if it were dry.", None),
    ("### Solution\n\n**Question:** What is hard?\n\nANSWER: B", "B"),
    ("So (A) is also wrong.", None),
    ("so (C) can be eliminated", None),
    ("so (A) is a possibility", None),
    ("If the answer is (A), it is soft.", None),
    ("If it is soft, then (A) is the correct answer.", None),
    ("B is the answer only if it is dark.", None),
    ("The answer is (B).\nThe answer is (F).", None),
    ("The answer is B... wait, no, C.", None),
    ("The answer is A) and (B", None),
    ("The answer is (B). Note: this answer is based on the text.", "B"),
    ("Since we were not there, the answer is (B).", "B"),
    ("If it rains, it gets wet, so the answer is (B).", "B"),
]


@pytest.mark.parametrize(("text", "answer"), [*CHOICE_CUES, *CHOICE_DOUBTS])
def test_choice(text: str, answer: str | None) -> None:
    assert extract_answer(text, question()).answer == answer


YES_NO = [
    ("The answer (yes or no) is yes.", "yes"),
    ("The answer is 'yes'.", "yes"),
    ("Final answer: \u2018no\u2019", "no"),
    ("The answer is _yes_.", "yes"),
    ("If it is winter, then the answer is no. It depends on the season.", None),
    ("Suppose the pond is deep. Then the answer is no.", None),
    ("Can it swim? The answer is yes. Can it fly? No, so overall no.", "no"),
    ("In summer the answer is yes, in winter the answer is no.", None),
    ("The answer is yes. It is hard to say.", None),
    ("The answer is no, but only in winter.", None),
    ("When it is winter, the answer is no.", None),
    ("When we look closely, the answer is no.", "no"),
    ("Depending on the season, the answer is yes.", None),
    ("The answer is yes for ducks, no for herons.", None),
    ("The answer is yes, no doubt.", "yes"),
    ("The answer to the first question is yes.", None),
    ("The answer is yes. However, that depends on the pond.", None),
    ("Yes, if it rains.", None),
    ("No, herons cannot.\n\nBut on reflection, yes.", "yes"),
    ("It has two factors, 1 and 17. [Yes]", "yes"),
    ("It has two factors.\n**Conclusion:** [Yes], as it should.", "yes"),
    ("It has two factors.\nConclusion: Yes and no.", None),
    ("It has two factors.\nConclusion: no such thing is known", None),
]


LIMITS = [
    ("In winter, the answer is no.", None),
    ("It swims, but for a deep pond the final answer is no.", None),
    ("For most people, we can say that the answer is no.", None),
    ("In summer, the answer is yes. In winter, the answer is no.", None),
    ("For a deep pond the answer is no, for a shallow one it is yes.", None),
    ("The answer is no on land. In water, yes.", None),
    ("The answer is yes. In winter, the answer is no.", None),
    ("The answer is yes. In winter, the answer is not known.", "yes"),
    ("In winter ponds freeze, so the answer is no.", "no"),
    ("In short, the answer is no.", "no"),
    ("In other words the answer is no.", "no"),
    ("For these reasons, the answer is no.", "no"),
    ("By comparing them, the answer is no.", "no"),
    ("For a question of its kind, the answer is no.", "no"),
    ("For granite, which of these weathers, the answer is no.", "no"),
    ("The answer is yes. In water, no animal can breathe.", "yes"),
    ("- In winter: the answer is no\n- In summer: the answer is yes", None),
    ("The answer is yes in winter.", None),
    ("Answer: no (for ducks)", None),
    ("The answer is yes, at least in summer.", None),
    ("The answer is no for these reasons.", "no"),
    ("The answer is no in this case.", "no"),
    ("The answer is no, for it is closed.", "no"),
    ("Yes for ducks, no for herons.", None),
    ("No, it has no wings.", "no"),
    ("On second thought, the answer is no.", "no"),
    ("In a nutshell, the answer is no.", "no"),
]
PARTS = [
    ("Can it fly? No. Can it swim? Yes.", None),
    ("1. Can it fly?\nNo.\n2. Can it swim?\nYes.", None),
    ("Can it fly? No. Can it swim? Yes. So overall, no.", "no"),
    ("Can it fly? Yes. Can it swim? Yes.", "yes"),
    ("Can it fly? The answer is no. Can it swim? The answer is yes.", None),
    ("Can it fly?\nAnswer: No.\n\nCan it swim?\n**Answer:** Yes.", None),
    ("Can it fly? Yes. Which of these weathers slowest? No.", "no"),
    ("Can it fly? The answer is no. It swims. The answer is yes.", "yes"),
]


@pytest.mark.parametrize(("text", "answer"), [*YES_NO, *LIMITS, *PARTS])
def test_yes_no(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("yes_no")).answer == answer


TEXT = [
    (r"the side is \(\boxed{12}\) cm.", "12"),
    (r"\boxed{\left(2, \frac{1}{3}\right)}", r"\left(2, \frac{1}{3}\right)"),
    (r"So $\boxed{\text{Paris}}$ it is.", "Paris"),
    (r"So \boxed{(2n-1)!}.", "(2n-1)!"),
    ("<answer>Paris</answer> is it", "Paris"),
    ("<answer>2X<sup>9</sup> + C</answer>", "2X<sup>9</sup> + C"),
    ("**Answer: Paris** (the capital)", "Paris"),
    ("The answer is **Mount Low** (1999).", "Mount Low"),
    ('The answer is "Sgt. Salt\'s Band" (1967)', "Sgt. Salt's Band"),
    ("The answer is $x + y$ here.", "x + y"),
    (r"$$\text{Answer: } \frac{3}{8}$$", r"\frac{3}{8}"),
    (r"So \boxed{\text{Answer: } 5x}.", "5x"),
    ("**Final Answer:**\n\\[ \\text{Answer: } \\frac{3}{8} \\]", r"\frac{3}{8}"),
    ("The answer is ] } )", "] } )"),
    ("The answer is > ].", "> ]"),
    ("The answer is ___", None),
    ("The answer is .", None),
    ("It is old.\n\n**Lake Geneva**", "Lake Geneva"),
    ("The answer is both.", "both"),
]


@pytest.mark.parametrize(("text", "answer"), TEXT)
def test_text(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("text")).answer == answer


# --- labels beside numbers, and labels first ---


def with_options(*options: str, text: str = "Which?") -> Question:
    asked = question(labels="ABC"[: len(options)], options=options, target="A")
    return asked.model_copy(update={"text": text})


@pytest.mark.parametrize("text", ["C:60", "The answer is C.60", "The answer is C: 60"])
def test_a_label_beside_its_number(text: str) -> None:
    found = extract_answer(text, with_options("20", "40", "60"))
    assert found.answer == "C"


NLI = ("entailment", "neutral", "contradiction")


@pytest.mark.parametrize("answer_first", [True, False])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("neutral the cat may be awake .", "B"),
        ("neutral: it may be", "B"),
        ("**neutral** it may be", "B"),
        ("neutral is what it is not", None),
        ("neutral: no. entailment: maybe.\nneutral: hm", None),
    ],
)
def test_a_class_first(text: str, answer: str | None, answer_first: bool) -> None:
    found = extract_answer(text, with_options(*NLI), answer_first=answer_first)
    assert found.answer == answer


# --- the end of the turn ---

PREMISE = "Premise: A man plays.\nHypothesis: A man is glad."
RUN_ON = [
    (
        "So the answer is neutral.\n\nPremise: It rains.\nHypothesis: It rains.\n"
        "Answer: So the answer is entailment.",
        "B",
    ),
    (
        "So the answer is neutral premise: It rains., hypothesis: It pours. "
        "So the answer is entailment",
        "B",
    ),
    ("Premise: A man plays.\nIt may be. The answer is neutral.", "B"),
    (
        "Maybe.\n\nPremise: Snow falls here.\nHypothesis: Ice.\nThe answer is entailment",
        None,
    ),
    (
        "Look.\n\n#### Premise: A man plays.\n\n#### Step 1: look\n\nHe may be.\n\n"
        "#### Hypothesis: A man is glad.\n\nThe answer is neutral.",
        "B",
    ),
    ("#### B\n\nPremise: Snow falls here.\nThe answer is entailment.", "B"),
    ("The answer is neutral.\n\nReview: It pours.\nThe answer is entailment.", None),
    ("The answer is entailment.\n\nStep 2: Look.\nThe answer is neutral.", "B"),
]


@pytest.mark.parametrize(("text", "answer"), RUN_ON)
def test_the_next_item_is_not_read(text: str, answer: str | None) -> None:
    found = extract_answer(text, with_options(*NLI, text=PREMISE))
    assert found.answer == answer


REVIEW = "The film is fine."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: neutral\nText: I hate it.\nAnswer: contradiction", "B"),
        ("**Answer:** neutral\n**Text:** I hate it.\nSo: contradiction", "B"),
        ("Text: The film is fine.\nSo the answer is neutral.", "B"),
        ("Fine.\n\nText: I see.\nThe answer is neutral.", "B"),
        ("The answer, by the text: fine. So the answer is neutral.", "B"),
    ],
)
def test_a_line_head_of_the_prompts_form_ends_the_turn(text: str, answer: str) -> None:
    asked = with_options(*NLI, text=REVIEW)
    heads = find_form_heads("Text: $question\nOptions:\n$choices\nSentiment:")
    assert extract_answer(text, asked, heads=heads).answer == answer
    assert grade_completion(asked, text, heads=heads).answer == answer


def test_a_head_that_always_ends_the_turn_does_so_as_one_of_the_form() -> None:
    text = "It is 5 or so.\n\nQuestion: Ann has 3 cups. How many?\nThe answer is 3."
    found = extract_answer(text, question("number"), heads=("question",))
    assert found.answer is None


@pytest.mark.parametrize(
    ("form", "heads"),
    [
        ("Text: $question\nSentiment:", ("text",)),
        ('**Movie review:** "$question"\nOptions:\n$choices', ("movie review",)),
        ("Post:\n${question}", ("post",)),
        ("Correct answer: ($target)\nNote: say why.\n$question", ()),
        ("Price: $$5\n$question", ()),
        ("$question", ()),
    ],
)
def test_line_heads_of_a_form(form: str, heads: tuple[str, ...]) -> None:
    assert find_form_heads(form) == heads


@pytest.mark.parametrize(
    "text",
    [
        "Question 1: How many? 7.\nQuestion 2: Each? 6.\nSo \\boxed{42}",
        "P: (1, 2)\nQ: (16, 30)\nThe answer is 42.",
        "I see 2.\n\n**Question:** Which weathers slowest?\n<answer>42</answer>",
        "Letters:\n- P: once\n- Q: twice over\nThe answer is 42.",
        "We add.\n<|im_start|>solution\nThe answer is 42.",
        "The answer is 42. Problem: Ann has 5 cups. How many? The answer is 5.",
    ],
)
def test_what_is_the_teachers_own(text: str) -> None:
    assert extract_answer(text, question("number")).answer == "42"


# --- thoughts ---

THOUGHTS = [
    (
        "<|begin_of_thought|>Hm (A).<|end_of_thought|><|begin_of_solution|>B.<|end_of_solution|>",
        "Hm (A).",
        "B.",
    ),
    (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>B.",
        "Hm.",
        "B.",
    ),
    ("<|channel|>analysis<|message|>Hm.<|end|>B.", "Hm.", "B."),
    ("[THINK]Hm.[/THINK]B.", "Hm.", "B."),
    ("<reasoning>Hm.</reasoning>B.", "Hm.", "B."),
    ("<reasoning>Hm.<answer>B</answer>", "Hm.", "<answer>B</answer>"),
    ("<think>Hm.<answer>B</answer>", "Hm.", "<answer>B</answer>"),
    (
        "<|im_start|>think Hm.\nFinal Answer: It is \\(\\boxed{B}\\) then.",
        "Hm.",
        "Final Answer: It is \\(\\boxed{B}\\) then.",
    ),
    ("<|im_start|>think Hm.\nFinal Answer: B\nWait", "Hm.\nFinal Answer: B\nWait", ""),
    ("B.<|end|>", None, "B.<|end|>"),
    ("[think about it] B.", None, "[think about it] B."),
]


@pytest.mark.parametrize(("text", "thought", "own"), THOUGHTS)
def test_thoughts(text: str, thought: str | None, own: str) -> None:
    split = split_reasoning(text)
    assert split.reasoning == thought
    assert split.own_text == own
    if own:
        start, end = split.to_verbatim_span(0, 1)
        assert text[start:end] == own[0]


# --- the closing rule ---


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("We add. Therefore, there are 49 chairs.", "49"),
        ("We add. Therefore, 3 of the 49 chairs are left.", None),
        ("We add. There are 49 chairs.", None),
        ("Therefore, there are 49 chairs. We are glad.", None),
        ("The answer is 7. So there are 49 chairs left.", "7"),
    ],
)
def test_the_closing_sentence_counts_only_if_asked_for(
    text: str, answer: str | None
) -> None:
    asked = question("number")
    assert extract_answer(text, asked, closing_sentence=True).answer == answer
    off = extract_answer(text, asked)
    assert off.answer == (answer if off.answer_rule == "answer_is" else None)
