"""Questions that are held out from training, and the rationales that seeds draw."""

from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.study.context import QuestionSplit, text_digests
from cotbuild.builder.study.held_out import hold_out, order_by_digest
from cotbuild.builder.study.training_rows import (
    RationaleKey,
    draw_rationales,
    without_questions,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.training import VariantRows
from cotbuild.schemas.variant import VariantSpec
from tests.student.attribution.test_gradients import row_of
from tests.support.studies.cells_made import make_record, make_study, make_tiers


def question(text: str, target: str | None = "A") -> Question:
    created = Question.create(text, choices=("no", "yes"), target=target)
    return created.model_copy(update={"id": f"id of {text}"})


QUESTIONS = [question(f"Which of {number} boats sinks?") for number in range(20)]
POOL = {RationaleKey(f"q{number}", 0) for number in range(50)}


def test_the_order_is_by_id_alone_and_questions_without_target_are_left_out() -> None:
    ordered = order_by_digest(QUESTIONS)
    assert order_by_digest(reversed(QUESTIONS)) == ordered
    assert sorted(one.id for one in ordered) == sorted(one.id for one in QUESTIONS)
    assert ordered != QUESTIONS
    open_question = question("Which?", target=None)
    assert open_question not in order_by_digest([*QUESTIONS, open_question])


def test_of_questions_with_one_text_one_is_taken() -> None:
    twice = question("which OF 3 boats  sinks?").model_copy(update={"id": "other"})
    assert len(order_by_digest([*QUESTIONS, twice])) == len(QUESTIONS)


class QuestionRationale(NamedTuple):
    question: Question

    def question_record(self) -> Question:
        return self.question


class QuestionBuild:
    """A build with one rationale of each question, as far as `hold_out` reads one."""

    @property
    def split(self) -> str:
        return "train"

    def rationales(self) -> Iterator[QuestionRationale]:
        return (QuestionRationale(question) for question in QUESTIONS)


def test_a_question_with_the_text_of_one_of_an_evaluation_split_is_not_taken() -> None:
    held_out = {"split": "train", "unseen": True, "count": 5}
    study = make_tiers(test=held_out)
    before = hold_out(study, QuestionBuild()).test
    assert before == order_by_digest(QUESTIONS)[:5]
    same = question(before[0].text.upper()).model_copy(update={"id": "other"})
    assert hold_out(study, QuestionBuild(), [same]).test[:4] == before[1:]


def split_of(name: str, questions: list[Question]) -> QuestionSplit:
    registered = make_record(make_study(), 2).test
    return QuestionSplit(name, questions, registered)


def test_no_question_with_the_text_of_a_dev_or_test_question_is_trained_on() -> None:
    dev = split_of("validation", QUESTIONS[:1])
    test = split_of("test", QUESTIONS[1:3])
    digests = text_digests(dev, test)
    assert len(digests) == 3
    texts = {"a": "which of 2 BOATS  sinks?", "b": "Which of 3 boats sinks?"}
    rows = VariantRows(
        build="b",
        config_digest="c",
        spec=VariantSpec.parse(
            {"name": "v", "about": "a", "placement": "post_cot"}, "test"
        ),
        split="train",
        rows=[row_of().model_copy(update={"question_id": name}) for name in texts],
        question_texts=texts,
    )
    kept = without_questions(rows, digests).rows
    assert [row.question_id for row in kept] == ["b"]


@given(st.integers(0, 60), st.integers(0, 60), st.none() | st.integers(0, 5))
def test_more_rationales_include_the_fewer(
    first: int, second: int, seed: int | None
) -> None:
    few, many = sorted((first, second))
    drawn = draw_rationales(POOL, many, seed)
    assert draw_rationales(POOL, few, seed) == drawn[:few]
    assert len(set(drawn)) == min(many, len(POOL))


def test_seeds_draw_different_rationales_and_no_seed_always_the_same() -> None:
    assert draw_rationales(POOL, 10, 1) != draw_rationales(POOL, 10, 2)
    assert draw_rationales(POOL, 10, 1) == draw_rationales(POOL, 10, 1)
    assert draw_rationales(POOL, 10, None) == draw_rationales(POOL, 10, None)
