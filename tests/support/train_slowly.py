"""Trains as test_train_run.py does, with a rest behind each update, so that a signal
comes in the middle.

python -m tests.support.train_slowly BUILD STUDENT OUT
"""

import sys
import time
from pathlib import Path

from cotbuild.student.training.train import train_student
from tests.student.training.test_train import CONFIG, base
from tests.support.student_builds import variant_rows

if __name__ == "__main__":
    build, student, out = map(Path, sys.argv[1:])
    train_student(
        CONFIG, variant_rows(build), base(student), out, lambda _: time.sleep(0.1)
    )
