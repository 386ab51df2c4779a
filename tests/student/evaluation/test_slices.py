"""Metrics by the value of a tag, and by whether there is a picture."""

from cotbuild.schemas.evaluation import SliceMetrics
from cotbuild.schemas.question import ImageRef, Input, Question, Tag
from cotbuild.student.evaluation.slices import MAX_VALUES, Answered, compute_slices
from tests.student.evaluation.test_metrics import result

IMAGE = ImageRef(sha256="0" * 64, media_type="image/png", width=1, height=1)


def question(target: str | None, *, picture: bool = False, **tags: str) -> Question:
    made = Question.create("Which?", choices=("no", "yes"), target=target)
    return made.model_copy(
        update={
            "tags": tuple(Tag(name=name, value=value) for name, value in tags.items()),
            "inputs": (Input(name="image", image=IMAGE),) if picture else (),
        }
    )


def slices_of(*questions: Question) -> list[SliceMetrics]:
    results = [
        result(one.target, correct=None if one.target is None else one.target == "A")
        for one in questions
    ]
    return list(compute_slices(Answered(questions, results, None)))


def test_each_value_of_a_tag_has_its_accuracy() -> None:
    found = slices_of(
        question("A", subject="physics"),
        question("B", subject="physics"),
        question("A", subject="history"),
        question("A"),
        question(None, subject="history"),
    )
    figures = [
        (one.tag, one.value, one.num_questions, one.accuracy and one.accuracy.share)
        for one in found
    ]
    assert figures == [
        ("subject", "history", 2, 1.0),
        ("subject", "physics", 2, 0.5),
    ]
    assert found[1].macro_f1 is not None
    assert found[1].macro_f1.value == (2 / 3 + 0) / 2


def test_a_tag_that_all_questions_share_is_left_out() -> None:
    questions = [question("A", task="qa", grade=grade) for grade in "12"]
    assert {one.tag for one in slices_of(*questions)} == {"grade"}


def test_pictures_are_a_tag_where_some_questions_have_one() -> None:
    with_picture, without = question("A", picture=True), question("B")
    found = slices_of(with_picture, without)
    assert [(one.tag, one.value, one.num_questions) for one in found] == [
        ("picture", "no", 1),
        ("picture", "yes", 1),
    ]
    assert slices_of(without, without) == []
    assert slices_of(with_picture, with_picture) == []
    tagged = question("A", picture=True, picture_tag="x").model_copy(
        update={"tags": (Tag(name="picture", value="drawn"),)}
    )
    assert [one.value for one in slices_of(tagged, without)] == ["drawn"]


def test_rare_values_are_reported_together() -> None:
    names = [f"d{number:02}" for number in range(MAX_VALUES + 3)]
    found = slices_of(*(question("A", document=name) for name in ["d22", *names]))
    assert [one.value for one in found] == ["d22", *names[: MAX_VALUES - 1], None]
    assert (found[-1].num_values, found[-1].num_questions) == (3, 3)
