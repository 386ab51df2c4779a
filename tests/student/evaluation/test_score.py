"""Replies from a shared prefix equal separate scoring and decoding."""

import random

import pytest

from cotbuild.student.evaluation.decode import decode_prompts, tokenize_prompt
from cotbuild.student.evaluation.evaluate import compose_before_label
from cotbuild.student.evaluation.options import TokenizedOption, score_options
from cotbuild.student.evaluation.score import PromptedQuestion, answer_questions
from tests.student.evaluation.test_options import LAYOUTS, PROMPTS, asked
from tests.support.tiny import FAMILIES, shared_student

STOPS = ("\n",)


def questions(family: str, layout: str) -> list[PromptedQuestion]:
    """Three with options, and one without."""
    student, how = shared_student(family), LAYOUTS[layout]
    before = [
        tokenize_prompt(
            student, prompt + compose_before_label(how, "Wood is lighter than water.")
        )
        for prompt in PROMPTS
    ]
    with_options = [
        PromptedQuestion(*one, 6, STOPS)
        for one in zip(asked(student, how), before, strict=True)
    ]
    return [*with_options, PromptedQuestion([], before[0], 9, STOPS)]


def check_as_by_themselves(
    family: str, some: list[PromptedQuestion], budget: int
) -> None:
    student = shared_student(family)
    scores = dict(
        score_options(student, [one.options for one in some if one.options], 10_000)
    )
    free = dict(
        decode_prompts(
            student,
            [one.before_T for one in some],
            [one.limit for one in some],
            [one.stops for one in some],
            10_000,
        )
    )
    for place, (one, found) in enumerate(
        zip(some, answer_questions(student, some, budget), strict=True)
    ):
        assert found.free == free[place]
        assert len(found.scores) == len(one.options)
        for score, expected in zip(found.scores, scores.get(place, ()), strict=True):
            assert score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("budget", [10_000, 150, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_replies_equal_separate_scoring_and_decoding(
    family: str, layout: str, budget: int
) -> None:
    check_as_by_themselves(family, questions(family, layout), budget)


def test_options_without_the_free_answers_prefix_are_run_apart() -> None:
    """A made-up cut of the texts, in which the options have other tokens in place of
    the last before the answer.
    """
    chance = random.Random(0)
    common = [chance.randrange(5, 300) for _ in range(6)]
    options = [
        TokenizedOption([*common[:5], 301 + n, chance.randrange(5, 300)], 6, 4)
        for n in range(3)
    ]
    check_as_by_themselves(
        "llama",
        [PromptedQuestion(options, common, 5, STOPS), *questions("llama", "post")[:1]],
        10_000,
    )
