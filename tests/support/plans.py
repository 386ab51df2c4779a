"""Plans of a build on a board in its folder, and workers on them.

    python tests/support/plans.py BUILD --name NAME [NAME=JSON …]

is a worker in a process of its own, which prints what it did.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / ".ns"))

from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.generate.known_answers import known_answers
from cotbuild.builder.generate.plan import make_plan, open_chains
from cotbuild.builder.generate.teacher_job import TeacherJob, resolve_teacher_job
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.leases import LEASE_S
from cotbuild.builder.generate.workers.sink import FolderSink
from cotbuild.builder.generate.workers.units import publish_plan
from cotbuild.builder.generate.workers.worker import (
    WorkerOptions,
    WorkerResult,
    run_worker,
)
from cotbuild.builder.storage.blobs import LocalBlobs
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.work import JournalStart, Lease, WorkPlan


def open_board(build_dir: Path) -> Board:
    """The board in a build's folder."""
    return Board(LocalBlobs(build_dir / ".answers" / "work"))


def plan_build(
    config: BuildConfig,
    build_dir: Path,
    *,
    retry: bool = True,
    retry_failed: bool = False,
    workers: int = 4,
    max_chains: int | None = None,
) -> WorkPlan | None:
    """Publish the plan of all open chains; None where there is none."""
    job = resolve_teacher_job(config, build_dir)
    if not job.store.generations:
        job.store.start_generation()
    return publish_open(
        job,
        retry=retry,
        retry_failed=retry_failed,
        workers=workers,
        max_chains=max_chains,
    )


def publish_open(
    job: TeacherJob,
    *,
    retry: bool,
    retry_failed: bool = False,
    workers: int,
    max_chains: int | None = None,
) -> WorkPlan | None:
    """The same of a job."""
    rules, index = job.read_rules(), job.store.read_index()
    with known_answers(index, retry=retry, retry_failed=retry_failed) as lookup:
        requests = make_plan(job.chains(rules, lookup))
        if not requests.num_open:
            return None
        return publish_plan(
            open_board(job.out),
            rules,
            requests,
            open_chains(job.chains(rules, lookup), requests.repeats),
            inputs=job.digest_inputs(),
            generation=job.store.generations[-1].name,
            num_workers=workers,
            max_chains=max_chains,
        )


def take_unit(board: Board, plan: WorkPlan, worker: str) -> None:
    """Lease the first unit of a plan, as a worker that then does nothing."""
    now = board.clock()
    lease = Lease(
        worker=worker,
        number=1,
        leased_at=now,
        expires_at=now + LEASE_S,
        journals=(JournalStart(name="20260101-000000-abcd.journal", start=0),),
    )
    assert board.create_lease(plan.name, plan.units[0].name, lease, is_second=False)


def work(build_dir: Path, name: str = "worker", **options: Any) -> WorkerResult:
    """What a worker in this process does, that waits for no further plan."""
    settings = WorkerOptions(name, **({"wait_s": 0.0} | options))
    board, sink = open_board(build_dir), FolderSink(build_dir)
    return run_worker(board, sink, settings, Terminal(), Drain())


def start_worker(
    build_dir: Path, name: str, log: Path, **options: Any
) -> subprocess.Popen[str]:
    """A worker in a process of its own, in a session of its own."""
    words = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    with log.open("a") as err:  # the process keeps its own handle
        return subprocess.Popen(
            [sys.executable, __file__, str(build_dir), "--name", name, *words],
            stdout=err,
            stderr=err,
            text=True,
            start_new_session=True,
        )


def main(words: Sequence[str]) -> None:
    """Parse NAME=JSON options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("options", nargs="*", metavar="NAME=JSON")
    args = parser.parse_intermixed_args(words)
    pairs = (option.partition("=") for option in args.options)
    print(work(args.build, args.name, **{key: json.loads(v) for key, _, v in pairs}))


if __name__ == "__main__":
    main(sys.argv[1:])
