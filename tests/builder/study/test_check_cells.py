"""A cell that is not one of the study, or contradicts itself, is refused in a line."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from cotbuild.builder.study.check_cells import check_cells
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Choice
from cotbuild.schemas.study.option_scores import OptionScores, StoredOption
from cotbuild.schemas.study.record import (
    AnswerString,
    Cell,
    QuestionSet,
    StoredStatistics,
)
from tests.support.studies.cells_made import make_cell, make_record, make_tiers

STUDY = make_tiers()
RECORD = make_record(STUDY, 4)
KEY, SECOND = [key for key in STUDY.all_cells() if key.variant == "post_cot"][:2]
OF_SEED = next(
    key
    for key in STUDY.all_cells()
    if key.seed == KEY.seed and key.variant != "post_cot"
)
CORRECT = [True, False, True, False]


def options(*scores: float, correct: int = 0) -> list[StoredOption]:
    """The options of a question; the longer one has the worse score per character."""
    return [
        StoredOption(score, chars=4, correct=number == correct)
        for number, score in enumerate(scores)
    ]


SCORES = [
    options(-1.0, -2.0),
    options(-3.0, -1.0, -2.0),
    options(-0.5, -0.5),
    options(-1.0, -2.0, correct=1),
]
ANSWERS = {
    "choice": "0100",
    "correct": "1010",
    "normalised": "1010",
    "free": "10--",
    "answered": "01--",
}


def with_answers(
    answers: Mapping[str, Any] = ANSWERS,
    scores: list[list[StoredOption]] | None = SCORES,
    **fields: Any,
) -> Cell:
    """A cell of the first key with these answers to the four test questions."""
    made = make_cell(KEY, CORRECT)
    assert made.test is not None
    update: dict[str, Any] = {
        "answers": made.test.answers.model_copy(update=dict(answers)),
        "option_scores": None if scores is None else OptionScores.pack(scores),
        **fields,
    }
    return made.model_copy(update={"test": made.test.model_copy(update=update)})


def cell(number: int, rows: str = "0" * 64) -> Cell:
    """A cell with answers to a number of questions."""
    made = make_cell(SECOND, [False] * number)
    assert made.test is not None
    evaluated = made.test.evaluated.model_copy(update={"rows": rows})
    return made.model_copy(
        update={"test": made.test.model_copy(update={"evaluated": evaluated})}
    )


def test_cells_with_answers_to_every_question_are_accepted() -> None:
    check_cells(RECORD, {KEY: make_cell(KEY, [False] * 4), SECOND: cell(4)}, "cells")
    unfinished = cell(3).model_copy(update={"test": None})
    check_cells(RECORD, {SECOND: unfinished}, "cells")
    check_cells(RECORD, {KEY: with_answers()}, "cells")


@pytest.mark.parametrize("number", [3, 5])
def test_a_cell_with_more_or_fewer_answers_is_refused(number: int) -> None:
    with pytest.raises(DataError) as caught:
        check_cells(RECORD, {SECOND: cell(number)}, "cells")
    assert str(caught.value) == (
        f"cells/{SECOND.name}.json: holds no answers to the 4 test questions of the "
        "study. Move the file out of cells to run the cell again."
    )
    of_dev = cell(number).model_copy(update={"dev": cell(number).test, "test": None})
    with pytest.raises(DataError, match="4 dev questions"):
        check_cells(RECORD, {SECOND: of_dev}, "cells")


def test_a_cell_of_another_study_is_refused() -> None:
    assert SECOND.variant == KEY.variant
    cells = {KEY: make_cell(KEY, [False] * 4), SECOND: cell(4, "1" * 64)}
    with pytest.raises(DataError, match=r"sensitivity/.*: holds answers to other test"):
        check_cells(RECORD, cells, "sensitivity")


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({"normalised": "1-10"}, "a choice of test is neither correct nor incorrect"),
        ({"correct": "1011"}, "3 answers of test are correct, its figures say 2"),
        ({"correct": "0110"}, "correct of test contradicts the options of a question"),
        ({"normalised": "0010"}, "normalised of test contradicts the scores"),
        ({"choice": "0200"}, "a choice of test is not the option with the highest"),
        ({"choice": "0140"}, "a choice of test is no option that has a score"),
        ({"choice": "-100"}, "a choice of test is no option that has a score"),
    ],
)
def test_answers_that_contradict_themselves_are_refused(
    answers: Mapping[str, str], fault: str
) -> None:
    with pytest.raises(DataError, match=fault):
        check_cells(RECORD, {KEY: with_answers({**ANSWERS, **answers})}, "cells")


def test_options_that_rounding_made_equal_may_both_be_chosen() -> None:
    equal = {**ANSWERS, "choice": "0110", "correct": "1000", "normalised": "1000"}
    figures = make_cell(KEY, [True, False, False, False]).test
    assert figures is not None
    cells = {KEY: with_answers(equal, figures=figures.figures)}
    check_cells(RECORD, cells, "cells")


def test_scores_of_fewer_questions_are_refused() -> None:
    with pytest.raises(DataError, match="option_scores of test are of 3 questions"):
        check_cells(RECORD, {KEY: with_answers(scores=SCORES[:3])}, "cells")
    stored = StoredStatistics(metric="chrf2", signature="x", rows=((1.0,),) * 3)
    with pytest.raises(DataError, match="chrf2 of test is of 3 questions"):
        check_cells(RECORD, {KEY: with_answers(prose=(stored,))}, "cells")


def test_free_answers_are_to_the_same_questions_in_every_cell() -> None:
    other = with_answers({**ANSWERS, "free": "1-0-"}).model_copy(update={"key": SECOND})
    with pytest.raises(DataError, match="free answers to other test questions"):
        check_cells(RECORD, {KEY: with_answers(), SECOND: other}, "cells")


def test_an_option_that_no_question_has_is_refused() -> None:
    classes = (Choice(label="A", text="no"), Choice(label="B", text="yes"))
    asked = RECORD.test.model_copy(update={"classes": classes})
    record = RECORD.model_copy(update={"test": asked})
    answers = {**ANSWERS, "choice": "0900"}
    with pytest.raises(DataError, match="test has the option '9', which no question"):
        check_cells(record, {KEY: with_answers(answers, scores=None)}, "cells")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (
            {"training": {"rationales": "1" * 64}},
            "was trained on other rationales than",
        ),
        ({"training": {"precision": "bfloat16"}}, "was trained in another precision"),
        ({"processor": "Another CPU"}, "was trained on another kind of processor"),
    ],
)
def test_variants_of_a_seed_differ_in_the_variant_alone(
    changed: dict[str, Any], fault: str
) -> None:
    first, second = make_cell(KEY, CORRECT), make_cell(OF_SEED, CORRECT)
    assert second.training is not None
    training = second.training.model_copy(update=changed.pop("training", {}))
    other = second.model_copy(update={"training": training, **changed})
    check_cells(RECORD, {KEY: first, OF_SEED: second}, "cells")
    with pytest.raises(DataError, match=fault):
        check_cells(RECORD, {KEY: first, OF_SEED: other}, "cells")
    of_other_seed = other.model_copy(update={"key": SECOND})
    check_cells(RECORD, {KEY: first, SECOND: of_other_seed}, "cells")


@pytest.mark.parametrize(
    "answers",
    [
        {"choice": "01x!"},
        {"normalised": "xxxx"},
        {"correct": "10"},
        {"tokens": (1, 2, 3)},
        {"answered": "01"},
    ],
)
def test_answers_have_a_known_character_for_each_question(
    answers: dict[str, Any],
) -> None:
    made = make_cell(KEY, CORRECT).test
    assert made is not None
    with pytest.raises(ValidationError):
        AnswerString.model_validate({**made.answers.model_dump(), **answers})


def test_there_is_a_target_for_each_question_and_a_class_for_each_target() -> None:
    asked = RECORD.test.model_dump()
    with pytest.raises(ValidationError, match="3 targets of 4 questions"):
        QuestionSet.model_validate({**asked, "targets": ("A",) * 3})
    classes = ({"label": "B", "text": "yes"}, {"label": "C", "text": "no"})
    with pytest.raises(ValidationError, match="target 'A' is no class"):
        QuestionSet.model_validate({**asked, "classes": classes})
