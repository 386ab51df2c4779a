"""Answers that are spoken of, corrected or ruled out, and are not the writer's."""

import pytest

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.question import Question
from tests.support.weathering import question

NOT_OWN = [
    ("The answer is (B).\n\nThe incorrect answer is (A).", "B"),
    ("The wrong answer is (A).", None),
    ("The answer is B. The second best answer is C.", "B"),
    ("Answer: B. Next best answer: C", "B"),
    ("The student's answer is (A), which is wrong.", None),
    ("The obvious answer is (A), but it's a trap.", None),
    ("The least likely answer is (A).", None),
    ("The answer is B. Another possible answer is C.", "B"),
    ("Incorrect answer: A\nCorrect answer: B", "B"),
    # the writer's own
    ("The question's answer is B.", "B"),
    ("The only possible answer is B.", "B"),
    ("The best possible answer is B.", "B"),
    ("Of the many answers the best answer is B.", "B"),
    ("The most likely answer is B.", "B"),
    ("The wrong answer was A, so the answer is B.", "B"),
]
OPINIONS = [
    ("The answer is (B). Some might think the answer is (A), which is soft.", "B"),
    ("The answer is (B). Many people believe that the answer is (A).", "B"),
    ("The answer is B. A common mistake is to say the answer is A.", "B"),
    ("The answer is B. (The textbook says the answer is A.)", "B"),
    ("It would be wrong to say the answer is (A).", None),
    ("One might say that the answer is A.", None),
    ("I think the answer is B.", "B"),
    ("Some are soft so I think the answer is B.", "B"),
    ("Most of them are soft. We say that the answer is B.", "B"),
]
CORRECTED = [
    ("Answer: A\nCorrection: B", "B"),
    ("The answer is A. Actually, it is B.", "B"),
    ("Answer: A. I mean B.", "B"),
    ("The answer is A. But wait, it's (B).", "B"),
    ("The answer is (A). But moss is soft, so it can't be A.", None),
    ("The answer is (A). But moss is soft, so it can't be (A).", None),
    ("The answer is (B). Moss is soft, so it can't be A.", "B"),
    ("The answer is (A). Moss is soft, and it is not a rock.", "A"),
    ("The answer is B. Actually, this is well known.", "B"),
]
NUMBERS = [
    ("The answer is 42. Had he eaten 10, the answer would be 40.", "42"),
    ("The answer is 42. A naive answer is 40.", "42"),
    ("The answer is 40. Actually, it is 42.", "42"),
    ("The answer is 40.\nCorrection: 42", "42"),
    ("The answer is 40. But it cannot be 40.", None),
    ("There is no doubt that the answer is 42.", "42"),
    ("I do not doubt that the answer is 42.", "42"),
    ("Without a doubt the answer is 42.", "42"),
    ("I doubt that the answer is 42.", None),
    ("If we add them, the answer would be 42.", "42"),
]
YES_NO = [
    ("There is no doubt that the answer is yes.", "yes"),
    ("The answer is no doubt yes.", None),
]


@pytest.mark.parametrize(("text", "answer"), [*NOT_OWN, *OPINIONS, *CORRECTED])
def test_choice(text: str, answer: str | None) -> None:
    assert extract_answer(text, question()).answer == answer


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        *(("number", *case) for case in NUMBERS),
        *(("yes_no", *case) for case in YES_NO),
    ],
)
def test_number_and_yes_no(kind: str, text: str, answer: str | None) -> None:
    assert extract_answer(text, question(kind)).answer == answer


def test_words_that_the_question_asks_for_are_the_writers() -> None:
    asked = question()
    text = "Which is the least likely to weather?"
    least = Question.model_validate(asked.model_dump() | {"text": text})
    answer = "The least likely answer is (B)."
    assert extract_answer(answer, asked).answer is None
    assert extract_answer(answer, least).answer == "B"
