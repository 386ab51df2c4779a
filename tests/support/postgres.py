"""A real PostgreSQL for tests: a server of its own, in a temporary folder, reached
through a socket in that folder alone.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.support.waiting import HANG_S, wait_until

MISSING = "no PostgreSQL. Install Debian's postgresql, or put its initdb on the PATH."
_DEBIAN = Path("/usr/lib/postgresql")
_numbers = itertools.count()


def find_programs() -> Path | None:
    """The folder of `initdb` and `postgres`, which Debian has off the PATH."""
    newest = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    folders = [
        *reversed(newest),
        *([Path(on_path).resolve().parent] if on_path else []),
    ]
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: it refuses root."""
    if os.getuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _start(words: list[str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    user = _unprivileged_user()
    with log.open("ab") as output:
        return subprocess.Popen(
            words,
            stdout=output,
            stderr=output,
            cwd=folder,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )


class PostgresServer:
    """A running server."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder, self.process = folder, process

    def url(self) -> str:
        return f"postgresql://cotbuild@/postgres?host={self.folder}"

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            return False
        return True

    def create_database(self) -> str:
        """The URL of a new and empty schema, as good as a database and made sooner."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def cut_connections(self) -> None:
        """End every other connection, as a restart of the server would."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND usename = 'cotbuild'"
            )


@contextlib.contextmanager
def serve_postgres(programs: Path) -> Iterator[PostgresServer]:
    """Run a server. Its folder is not pytest's, which only root may enter if root made it."""
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder, user = Path(name), _unprivileged_user()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data, log = folder / "data", folder / "log"
        # Nothing has to survive a power cut here.
        words = ["--no-sync", "--username=cotbuild", "--auth=trust", "--encoding=UTF8"]
        made = _start(
            [str(programs / "initdb"), f"--pgdata={data}", *words], folder, log
        )
        assert made.wait(HANG_S) == 0, log.read_text()
        settings = ("listen_addresses=", "fsync=off", "shared_buffers=16MB")
        process = _start(
            [
                *(str(programs / "postgres"), "-D", str(data), "-k", str(folder)),
                *(word for setting in settings for word in ("-c", setting)),
            ],
            folder,
            log,
        )
        try:
            server = PostgresServer(folder, process)
            wait_until(server.is_ready)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing is kept
            process.wait(HANG_S)
