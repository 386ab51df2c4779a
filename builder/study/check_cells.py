"""Checks that cells belong to the study whose folder they are in. Pure."""

from collections.abc import Mapping

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.record import (
    AnswerString,
    Cell,
    Measurement,
    StudyRegistration,
)


def check_cells(
    record: StudyRegistration, cells: Mapping[CellKey, Cell], part: str
) -> None:
    """Raise DataError if a cell has answers to other questions than the study's.

    `part` is the folder of the cells.
    """
    for name, questions in (("dev", record.dev), ("test", record.test)):
        evaluated: dict[str, str] = {}
        for key, cell in cells.items():
            measured: Measurement | None = getattr(cell, name)
            if measured is None:
                continue
            where = f"{part}/{key.name}.json"
            if not _has_answers(measured.answers, len(questions.ids)):
                raise DataError(
                    f"{where}: holds no answers to the {len(questions.ids)} {name} "
                    "questions of the study. Move the file away to run the cell again."
                )
            rows = measured.evaluated.rows
            if evaluated.setdefault(key.variant, rows) != rows:
                raise DataError(
                    f"{where}: holds answers to other {name} questions than other cells "
                    f"of {key.variant!r}. Move the file away to run the cell again."
                )


def _has_answers(answers: AnswerString, number: int) -> bool:
    of_all = (
        answers.choice,
        answers.correct,
        answers.normalised,
        answers.free,
        answers.forced,
        answers.tokens,
    )
    return all(len(one) == number for one in of_all)
