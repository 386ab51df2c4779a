"""Servers of jobs in processes of their own, which tests kill and start again."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import httpx

from cotbuild.builder.service.tokens import TokenStore
from cotbuild.schemas.service.principal import Role
from cotbuild.schemas.service.tokens import NewToken
from tests.support.commands import PROGRAM
from tests.support.http_teacher import free_port
from tests.support.jobs import Bench
from tests.support.waiting import HANG_S

MAX_JOBS = 2


class KilledServer(ABC):
    """A server of jobs on a root. A context manager.

    Args:
        root: Its root.
        sources: Folder of the files of questions.
        teacher_url: Whom jobs may ask.
    """

    def __init__(self, root: Path, sources: Path, teacher_url: str) -> None:
        self.sources, self.teacher_url = sources, teacher_url
        self.bench = Bench.on_sqlite(root)
        self.num_kills = 0
        self._log = root / ".service" / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def words(self) -> list[str]:
        """Its command line."""

    @abstractmethod
    def submit(self, name: str, source: Path, teacher_url: str, window: int) -> str:
        """Submit a build, and return the id of the job once it was accepted."""

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.is_running:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.words(), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self) -> None:
        """kill -9, if it runs."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
            self.num_kills += 1

    def stop(self) -> None:
        """End it in order."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(HANG_S) == 0, self.log()

    def log(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self.bench.store.close()


class SupervisorAlone(KilledServer):
    """tests/support/jobs.py; jobs are written to its table."""

    def words(self) -> list[str]:
        script = Path(__file__).with_name("jobs.py")
        return [sys.executable, str(script), str(self.bench.root), str(MAX_JOBS)]

    def submit(self, name: str, source: Path, teacher_url: str, window: int) -> str:
        words = ["generate", "--source", str(source), "--out", name]
        words += ["--teacher", "fake", "--endpoint", teacher_url]
        words += ["--window", str(window)]
        return self.bench.submit(
            target=name, request={"words": words}, owner=f"owner of {name[-1]}"
        )


class ServeCommand(KilledServer):
    """`cotbuild serve`; jobs are sent to it, and it is killed while they are."""

    def __init__(self, root: Path, sources: Path, teacher_url: str) -> None:
        super().__init__(root, sources, teacher_url)
        self._port = free_port()
        # The name under which the table holds its jobs.
        self.bench.host = os.uname().nodename
        tokens = TokenStore(root / ".service" / "tokens.json")
        token = tokens.add(NewToken(name="ann", role=Role.RUNNER)).token
        self._headers = {"authorization": f"Bearer {token}"}

    def words(self) -> list[str]:
        return [
            *PROGRAM,
            *("serve", "--root", str(self.bench.root), "--no-browser"),
            *("--bind", f"127.0.0.1:{self._port}", "--max-jobs", str(MAX_JOBS)),
            *("--allow-endpoint", f"{self.teacher_url}*"),
            *("--allow-source", str(self.sources)),
        ]

    def submit(self, name: str, source: Path, teacher_url: str, window: int) -> str:
        teacher = {"model": "fake", "endpoints": [teacher_url], "window": window}
        questions = f"folder:{self.sources.name}/{source.name}"
        request = {
            "kind": "generate",
            "target": name,
            "config": {"source": {"name": questions}, "teacher": teacher},
        }
        self._send("GET", "/healthz")
        # Not always: a start takes some seconds.
        killer = threading.Timer(random.uniform(0, 0.05), self.kill)
        is_killed = random.random() < 0.4
        if is_killed:
            killer.start()
        response = self._send("POST", "/v1/jobs", json=request, key=name)
        if is_killed:
            killer.join()
            self.start()
        assert response.status_code in (200, 201), response.text
        return str(response.json()["id"])

    def _send(
        self, method: str, path: str, *, json: Any = None, key: str = "none"
    ) -> httpx.Response:
        """Send a request, with the same key until it is answered, as clients do."""
        deadline_s = time.monotonic() + HANG_S
        while True:
            self.start()
            try:
                return httpx.request(
                    method,
                    f"http://127.0.0.1:{self._port}{path}",
                    json=json,
                    headers={**self._headers, "idempotency-key": key},
                    timeout=HANG_S,
                )
            except httpx.TransportError:
                assert time.monotonic() < deadline_s, self.log()
                time.sleep(0.05)
