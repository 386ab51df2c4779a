"""Evaluates as test_evaluate_run.py does, with a rest behind each question, so that a
signal comes in the middle.

python -m tests.support.evaluate_slowly OUT
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.evaluation.results import PartialResults, ResultsFile
from cotbuild.schemas.evaluation import QuestionResult
from cotbuild.student.evaluation.evaluate import evaluate_questions
from tests.student.evaluation.test_evaluate import ITEMS, PLAN, WHAT, student


def slowly(done: PartialResults) -> Iterator[tuple[int, QuestionResult]]:
    for found in evaluate_questions(student(), ITEMS, PLAN, done):
        yield found
        time.sleep(0.1)


if __name__ == "__main__":
    ResultsFile(Path(sys.argv[1]), "student", WHAT).collect(slowly, lambda *_: None)
