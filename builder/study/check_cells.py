"""Checks that cells belong to the study whose folder they are in. Pure.

A cell can be edited, copied from another study or renamed. What it holds is compared
with the registration, with the other cells and with itself, since a fault would change
the figures of a report without a word.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.study.measures import OPTION_DIGITS
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.option_scores import OptionScores, unpack_numbers
from cotbuild.schemas.study.record import (
    AnswerString,
    Cell,
    Measurement,
    QuestionSet,
    StudyRegistration,
)
from cotbuild.schemas.study.version_2 import StudyV2

Cells = Mapping[CellKey, Cell]


def check_cells(record: StudyRegistration, cells: Cells, part: str) -> None:
    """Raise DataError if a cell is not one of the study, or contradicts itself.

    `part` is the folder of the cells.
    """
    for name, questions in (("dev", record.dev), ("test", record.test)):
        measured_of = {
            key: measured
            for key, cell in cells.items()
            if (measured := getattr(cell, name)) is not None
        }
        for key, measured in measured_of.items():
            fault = find_fault(measured, questions, name)
            if fault is not None:
                raise _refusal(part, key, fault)
        _check_same_questions(measured_of, name, part)
    if isinstance(record.study, StudyV2):
        _check_pairs(cells, part)


def _refusal(part: str, key: CellKey, fault: str) -> DataError:
    return DataError(
        f"{part}/{key.name}.json: {fault}. Move the file out of {part} to run the cell "
        "again."
    )


# -- between cells ----------------------------------------------------------------------


def _check_same_questions(
    measured_of: Mapping[CellKey, Measurement], name: str, part: str
) -> None:
    """Raise DataError if cells have answers to different questions."""
    rows_of: dict[str, str] = {}
    sample = None
    for key, measured in measured_of.items():
        rows = measured.evaluated.rows
        if rows_of.setdefault(key.variant, rows) != rows:
            raise _refusal(
                part,
                key,
                f"holds answers to other {name} questions than other cells of "
                f"{key.variant!r}",
            )
        is_free = [digit != "-" for digit in measured.answers.free]
        sample = sample or is_free
        if is_free != sample:
            raise _refusal(
                part, key, f"holds free answers to other {name} questions than others"
            )


_PAIRED: dict[str, Callable[[Cell], Hashable]] = {
    "on other rationales": lambda cell: cell.training and cell.training.rationales,
    "in another precision": lambda cell: cell.training and cell.training.precision,
    "on another kind of processor": lambda cell: cell.processor,
}
"""What the trained cells of a seed have in common, and what is wrong otherwise."""


def _check_pairs(cells: Cells, part: str) -> None:
    """Raise DataError if variants of a seed differ in more than the variant."""
    shared: dict[Hashable, tuple[CellKey, Hashable]] = {}
    trained = {key: cell for key, cell in cells.items() if cell.training is not None}
    for key, cell in trained.items():
        for fault, value_of in _PAIRED.items():
            seed = (fault, key.student, key.rows, key.seed)
            first, value = shared.setdefault(seed, (key, value_of(cell)))
            if value_of(cell) != value:
                raise _refusal(
                    part,
                    key,
                    f"was trained {fault} than {first.name}, but a seed is the same for "
                    "every variant",
                )


# -- within a measurement ---------------------------------------------------------------


def find_fault(measured: Measurement, questions: QuestionSet, name: str) -> str | None:
    """Return what is wrong with the answers to dev or test, which is the `name`."""
    number = len(questions.ids)
    if len(measured.answers.choice) != number:
        return f"holds no answers to the {number} {name} questions of the study"
    return next(_faults(measured, questions, name), None)


def _faults(measured: Measurement, questions: QuestionSet, name: str) -> Iterator[str]:
    answers, number = measured.answers, len(questions.ids)
    for stored in measured.prose:
        if len(stored.rows) != number:
            yield f"{stored.metric} of {name} is of {len(stored.rows)} questions"
    if _lacks_flags(answers):
        yield f"a choice of {name} is neither correct nor incorrect"
    if questions.classes is not None:
        known = OPTION_DIGITS[: len(questions.classes)] + "-"
        unknown = set(answers.choice + answers.answered) - set(known)
        if unknown:
            yield f"{name} has the option {min(unknown)!r}, which no question has"
    accuracy = measured.figures.accuracy
    if accuracy is not None and accuracy.count != answers.correct.count("1"):
        yield (
            f"{answers.correct.count('1')} answers of {name} are correct, its figures "
            f"say {accuracy.count}"
        )
    if measured.option_scores is not None:
        yield from _score_faults(measured.option_scores, answers, name)


def _lacks_flags(answers: AnswerString) -> bool:
    """Whether a question with a choice has no flag that says if it is correct."""
    flags = zip(answers.choice, answers.correct, answers.normalised, strict=True)
    return any(
        choice != "-" and "-" in (correct, normalised)
        for choice, correct, normalised in flags
    )


class _ScoreTable:
    """Scores of the options of all questions in one row, and where each begins."""

    def __init__(self, scores: OptionScores) -> None:
        self.count_Q = np.array(unpack_numbers(scores.counts), dtype=np.int64)
        self.log_prob_N = np.array(unpack_numbers(scores.log_probs), dtype=np.int64)
        self.chars_N = np.array(unpack_numbers(scores.chars), dtype=np.int64)
        self.correct_N = np.array(unpack_numbers(scores.correct), dtype=np.bool_)
        self.start_Q = np.cumsum(self.count_Q) - self.count_Q

    def highest_N(self, values_N: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return, for each option, the highest value of its question's options."""
        has_options = self.count_Q > 0
        highest = np.maximum.reduceat(values_N, self.start_Q[has_options])
        return np.repeat(highest, self.count_Q[has_options])

    def any_Q(self, flag_N: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return whether any option of each question has the flag."""
        found_Q = np.zeros(len(self.count_Q), dtype=np.bool_)
        has_options = self.count_Q > 0
        found_Q[has_options] = np.logical_or.reduceat(flag_N, self.start_Q[has_options])
        return found_Q


def _score_faults(
    scores: OptionScores, answers: AnswerString, name: str
) -> Iterator[str]:
    """Compare what was chosen with the scores, which are rounded."""
    table = _ScoreTable(scores)
    if len(table.count_Q) != len(answers.choice):
        yield f"option_scores of {name} are of {len(table.count_Q)} questions"
        return
    choice_Q = np.array([OPTION_DIGITS.find(digit) for digit in answers.choice])
    is_none_Q = np.array([digit == "-" for digit in answers.choice])
    # The position of a later option than the 36th is not stored.
    is_stored_Q = choice_Q >= 0
    if np.any(is_none_Q != (table.count_Q == 0)) or np.any(choice_Q >= table.count_Q):
        yield f"a choice of {name} is no option that has a score"
        return
    if not len(table.log_prob_N):
        return
    chosen = (table.start_Q + choice_Q)[is_stored_Q]
    # A log-likelihood is off by half a step at most, so a difference by one.
    behind_N = table.highest_N(table.log_prob_N.astype(float)) - table.log_prob_N
    if np.any(behind_N[chosen] > 1):
        yield f"a choice of {name} is not the option with the highest score"
    correct_Q = np.array([digit == "1" for digit in answers.correct])
    if np.any(table.correct_N[chosen] != correct_Q[is_stored_Q]):
        yield f"correct of {name} contradicts the options of a question"
    yield from _normalised_faults(table, answers, name)


def _normalised_faults(
    table: _ScoreTable, answers: AnswerString, name: str
) -> Iterator[str]:
    """Compare the choices per character with the scores."""
    score_N = table.log_prob_N / table.chars_N
    error_N = 0.5 / table.chars_N
    may_be_chosen_N = score_N + error_N >= table.highest_N(score_N - error_N)
    may_be_correct_Q = table.any_Q(may_be_chosen_N & table.correct_N)
    may_be_wrong_Q = table.any_Q(may_be_chosen_N & ~table.correct_N)
    is_correct_Q = np.array([digit == "1" for digit in answers.normalised])
    is_possible_Q = np.where(is_correct_Q, may_be_correct_Q, may_be_wrong_Q)
    if np.any(~is_possible_Q & (table.count_Q > 0)):
        yield f"normalised of {name} contradicts the scores of a question"
