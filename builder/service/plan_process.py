"""The process of a plan or a preview: a task on stdin, its result on stdout, as JSON.

It runs apart from the service, as a job does: a source may be large and a teacher slow,
and what takes too long is killed.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cotbuild.builder.console import filter_streams
from cotbuild.builder.generate.known_answers import known_answers
from cotbuild.builder.generate.plan import make_plan
from cotbuild.builder.generate.preview_rows import preview_rows
from cotbuild.builder.generate.run import dry_run, resolve
from cotbuild.builder.generate.teacher_job import TeacherJob
from cotbuild.builder.service.plan_task import PlanResult, PlanTask
from cotbuild.builder.teachers.http.images import shorten_data_uri
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.json_text import parse_record_json
from cotbuild.schemas.service.requests import PlanView, PreviewView


def main() -> None:
    """Do the task on stdin; what anything else prints goes to stderr."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _result_stream() as results:
        filter_streams()
        task = PlanTask.parse(parse_record_json(sys.stdin.buffer.read()), "task")
        result = run_task(task)
        results.write(result.model_dump_json().encode())


@contextmanager
def _result_stream() -> Iterator[BinaryIO]:
    """Give the stream of the result, and send standard output to standard error."""
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)
        yield results


def run_task(task: PlanTask) -> PlanResult:
    """Make a plan or a preview; a fault of the task is part of the result."""
    if task.action == "plan":
        return PlanResult(plan=make_plan_view(task))
    try:
        return PlanResult(preview=_preview(task))
    except CotbuildError as fault:
        return PlanResult(error=str(fault))


def make_plan_view(task: PlanTask) -> PlanView:
    """Return what a build would ask for. Asks nothing and writes nothing."""
    view = PlanView(kind=task.kind, target=task.target)
    out = Path(task.out)
    try:
        budget = task.budget or Budget()
        retry_failed = task.retry_failed
        lines = tuple(
            dry_run(task.config, out, retry_failed=retry_failed, budget=budget)
        )
        job = resolve(task.config, out, preview=True)
        counts = _count(job, retry_failed) if isinstance(job, TeacherJob) else {}
    except CotbuildError as fault:
        return view.model_copy(update={"problems": (str(fault),)})
    return view.model_copy(update={"lines": lines, **counts})


def _count(job: TeacherJob, retry_failed: bool) -> dict[str, object]:
    """Return the numbers of a plan, by field of PlanView."""
    rules, index = job.read_rules(), job.store.read_index()
    with known_answers(index, retry=True, retry_failed=retry_failed) as lookup:
        plan = make_plan(job.chains(rules, lookup))
    limit = None if plan.first is None else plan.first.max_tokens_sent
    first = None
    if plan.first is not None:
        model = job.config.teacher.model
        first = build_request_body(plan.first, model, shorten_data_uri)
    return {
        "questions": plan.num_questions,
        "answered": plan.num_chains - plan.num_open_chains,
        "to_send": plan.num_open,
        "max_output_tokens": None if limit is None else plan.num_open * limit,
        "first_request": first,
    }


def _preview(task: PlanTask) -> PreviewView:
    ui = _Lines()
    rows = preview_rows(task.config, Path(task.out), ui, num_rows=task.num_rows)
    return PreviewView(rows=tuple(rows), lines=tuple(ui.lines_said))


class _Lines(Terminal):
    """The `Ui` of a preview, which keeps the lines that are said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines_said: list[str] = []

    def say(self, line: str) -> None:
        """Keep a line, and print it."""
        self.lines_said.append(line)
        super().say(line)


if __name__ == "__main__":
    main()
