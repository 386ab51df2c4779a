"""Attribution in as many processes as there are cores.

A rationale is many short passes of a small model, which use the threads of one process
badly. 48 rationales of CommonsenseQA by a student of 135M parameters, words left out, took
71 s in two processes of a thread and 87 s in one of two threads, each with its start
(two cores, measured once).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cotbuild.builder.cgroups import usable_cores, usable_memory_bytes
from cotbuild.builder.cli.attribution_inputs import PreparedAttribution
from cotbuild.builder.processes import (
    MAX_PROCESSES,
    PROCESSES,
    choose_num_processes,
    map_in_order,
)
from cotbuild.schemas.attribution import ScoredRationale
from cotbuild.schemas.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cotbuild.student.attribution.attribute import ScoreAll
    from cotbuild.student.attribution.settings import AttributedRow, AttributionSettings
    from cotbuild.student.model import Student

RATIONALES_PER_PROCESS = 20
"""Rationales for which a process pays, which first imports torch and loads the student."""
BYTES_BESIDE_WEIGHTS = 2**30
"""Of a process: torch, and what a pass computes."""


class ScoringSetup(NamedTuple):
    """What a process needs to score rationales as this one would."""

    run: Path
    settings: "AttributionSettings"
    batch_tokens: int | None
    num_threads: int


@contextmanager
def open_scoring_of_all(
    prepared: PreparedAttribution, run: Path, batch_tokens: int | None
) -> Iterator["ScoreAll"]:
    """Yield what scores rationales in order, here or in processes that end with it.

    It raises DataError as a scorer does, and StoreError if a process was killed.
    """
    from cotbuild.student.attribution.scorers import open_scorer

    student, settings = prepared.student, prepared.settings
    with ExitStack() as stack:

        def score(rows: "Sequence[AttributedRow]") -> Iterator[ScoredRationale]:
            num_processes = choose_processes(student, len(rows))
            if num_processes == 1:
                return map(open_scorer(student, settings, batch_tokens).score, rows)
            num_threads = threads_of_each(num_processes)
            setup = ScoringSetup(run, settings, batch_tokens, num_threads)
            scored = map_in_order(open_scoring, setup, rows, num_processes)
            stack.callback(scored.close)
            return scored

        yield score


def choose_processes(student: "Student", num_rationales: int) -> int:
    """Return how many processes score rationales: one on a GPU, or if they are few.

    COTBUILD_PROCESSES decides where it is set. Threads that torch was limited to, as by
    OMP_NUM_THREADS, limit the processes too, and so does memory: each has the student.
    Raises ConfigError if COTBUILD_PROCESSES is no number.
    """
    import torch

    if student.model.device.type != "cpu":
        return 1
    if PROCESSES in os.environ:
        return choose_num_processes(num_rationales)
    student_bytes = sum(
        tensor.numel() * tensor.element_size() for tensor in student.model.parameters()
    )
    limits = (
        usable_cores(),
        torch.get_num_threads(),
        usable_memory_bytes() // 2 // (student_bytes + BYTES_BESIDE_WEIGHTS),
        num_rationales // RATIONALES_PER_PROCESS,
        MAX_PROCESSES,
    )
    return max(1, min(limits))


def threads_of_each(num_processes: int) -> int:
    """Return how many of torch's threads each of several processes has."""
    import torch

    return max(1, torch.get_num_threads() // num_processes)


@contextmanager
def open_scoring(
    setup: ScoringSetup,
) -> Iterator[Callable[["AttributedRow"], ScoredRationale]]:
    """Load the student of a run in this process, and yield what scores a rationale.

    Raises DataError if it is not the student of the settings any more.
    """
    import torch

    from cotbuild.student.attribution.attribute import freeze_model
    from cotbuild.student.attribution.scorers import open_scorer
    from cotbuild.student.training.run_dir import load_trained

    torch.set_num_threads(setup.num_threads)
    student = load_trained(setup.run)
    if student.identity != setup.settings.student:
        raise DataError(
            f"{setup.run}: the student is {student.identity} now, and was "
            f"{setup.settings.student} a moment ago. Attribute it again."
        )
    freeze_model(student)
    yield open_scorer(student, setup.settings, setup.batch_tokens).score


def measure_cost(
    prepared: PreparedAttribution, batch_tokens: int | None
) -> tuple[float, int]:
    """Measure the seconds that a rationale takes in one process, of how many."""
    import torch

    from cotbuild.student.attribution.attribute import measure_seconds
    from cotbuild.student.attribution.scorers import open_scorer

    num_processes = choose_processes(prepared.student, len(prepared.attributed))
    torch.set_num_threads(threads_of_each(num_processes))
    scorer = open_scorer(prepared.student, prepared.settings, batch_tokens)
    return measure_seconds(scorer, prepared.attributed), num_processes
