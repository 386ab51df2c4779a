"""The runner of a service: the supervisor, the commands of requests, shared teachers."""

import socket
from functools import partial

from cotbuild.builder.service.commands import command_for
from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.builder.service.jobs.supervisor import Supervisor, SupervisorSettings
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.teachers.managed_pool import ManagedTeacherPool


class LocalRunner(Supervisor):
    """Runs the jobs of the table on this machine, with the teachers that they share.

    `open` it before its server listens.
    """

    def __init__(self, settings: ServiceSettings, store: JobStore) -> None:
        self.teachers = ManagedTeacherPool(
            settings.folder / "teachers",
            keep_s=settings.keep_teacher_s,
            on_change=self.wake,
        )
        # Of a table of its own, one server holds the root; of a shared one, one a
        # machine.
        shared = settings.database is not None
        lock = f"lock-{socket.gethostname()}" if shared else "lock"
        super().__init__(
            store,
            SupervisorSettings(
                root=settings.root,
                jobs_folder=settings.jobs_folder,
                lock=settings.folder / lock,
                max_jobs=settings.max_jobs,
            ),
            partial(command_for, settings=settings),
            self.teachers,
        )
