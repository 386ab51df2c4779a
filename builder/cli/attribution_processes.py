"""Attribution in as many processes as there are cores.

A rationale is a few short passes of a small model, which use the threads of one process
badly: training a student of 135M parameters with two threads was 1.6 times as fast as
with one, and two processes are twice as fast.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
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
    from collections.abc import Iterable

    from cotbuild.student.attribution.attribute import ScoreAll
    from cotbuild.student.attribution.settings import AttributedRow, AttributionSettings
    from cotbuild.student.model import Student

RATIONALES_PER_PROCESS = 20
"""Rationales for which a process pays: it takes some ten seconds to load the student."""
BYTES_BESIDE_WEIGHTS = 2**30
"""Of a process: torch, and what a pass computes."""


class ScoringSetup(NamedTuple):
    """What a process needs to score rationales as this one would."""

    run: Path
    settings: "AttributionSettings"
    batch_tokens: int | None
    num_processes: int
    num_threads: int
    """Threads of each process."""


def make_setup(
    prepared: PreparedAttribution, run: Path, batch_tokens: int | None
) -> ScoringSetup:
    """Choose processes and threads; move the student of this process to the GPU, if any."""
    import torch

    from cotbuild.student.attribution.attribute import freeze_model

    freeze_model(prepared.student)
    num_processes = choose_processes(prepared.student, len(prepared.attributed))
    num_threads = max(1, torch.get_num_threads() // num_processes)
    return ScoringSetup(
        run, prepared.settings, batch_tokens, num_processes, num_threads
    )


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


@contextmanager
def open_scoring_of_all(
    prepared: PreparedAttribution, setup: ScoringSetup
) -> Iterator["ScoreAll"]:
    """Yield what scores rationales in order, here or in processes that end with it.

    It raises DataError as a scorer does, and StoreError if a process was killed.
    """
    from cotbuild.student.attribution.scorers import open_scorer

    if setup.num_processes == 1:
        scorer = open_scorer(prepared.student, setup.settings, setup.batch_tokens)
        yield partial(map, scorer.score)
        return
    with ExitStack() as stack:

        def score(rows: "Iterable[AttributedRow]") -> Iterator[ScoredRationale]:
            scored = map_in_order(open_scoring, setup, rows, setup.num_processes)
            stack.callback(scored.close)
            return scored

        yield score


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
    prepared: PreparedAttribution, setup: ScoringSetup
) -> tuple[float, int]:
    """Measure the seconds that a rationale takes in one process; return the processes too."""
    import torch

    from cotbuild.student.attribution.attribute import measure_seconds
    from cotbuild.student.attribution.scorers import open_scorer

    torch.set_num_threads(setup.num_threads)
    scorer = open_scorer(prepared.student, setup.settings, setup.batch_tokens)
    return measure_seconds(scorer, prepared.attributed), setup.num_processes
