"""Units of work that the processes of a study share, by locks in its working folder."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cotbuild.builder.study.context import StudyContext
from cotbuild.builder.study.folder import work_folder
from cotbuild.schemas.files import file_lock

POLL_S = 5.0
"""Seconds between two looks at the cells that another process is running."""


class StudyTask(NamedTuple):
    """A unit of work that one process does while others do other tasks.

    Doing it again is cheap: the task finds its result on disk.
    """

    name: str
    do: Callable[[], None]


def run_tasks(context: StudyContext, tasks: Sequence[StudyTask]) -> None:
    """Do each task that no other process is doing; return when all are done."""
    left, is_reported = list(tasks), False
    while left:
        busy = [task for task in left if not _do_if_free(context, task)]
        if busy and not is_reported:
            names = ", ".join(task.name for task in busy)
            context.ui.say(f"waiting for another process: {names}")
            is_reported = True
        if busy:
            time.sleep(POLL_S)
        left = busy


def _do_if_free(context: StudyContext, task: StudyTask) -> bool:
    """Do a task and return True, or return False if another process is doing it."""
    path = work_folder(context.folder) / f"{task.name}.lock"
    with file_lock(path, wait=False) as is_ours:
        if is_ours:
            task.do()
        return is_ours
