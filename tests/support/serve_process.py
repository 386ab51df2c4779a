"""`cotbuild serve` in a process of its own, which tests kill and start again."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from cotbuild.schemas.service.principal import Role
from tests.support.commands import PROGRAM, cotbuild
from tests.support.waiting import wait_until


class ServeProcess:
    """A server of a root, with the address of the one that runs now."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Start the server; return once it answers."""
        self.root.mkdir(exist_ok=True)
        with (self.root.parent / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*PROGRAM, "serve", "--root", str(self.root)),
                    *("--bind", "127.0.0.1:0", "--no-browser", *self._options),
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready, lambda: (self.root.parent / "serve.log").read_text())

    def kill(self) -> None:
        """Kill the server as kill -9 does; what it started lives on."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server as systemd does."""
        self._end(signal.SIGTERM)

    def client(self, token: str) -> httpx.Client:
        """A client of the server that runs now."""
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120)

    def add_token(self, name: str, role: Role = Role.RUNNER) -> str:
        """Make a token; it counts at once."""
        words = ("serve", "token", "add", name, "--role", role.value)
        return cotbuild(*words, "--root", self.root).stdout.strip()

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait()

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (
            self.root.parent / "serve.log"
        ).read_text()
        try:
            record = json.loads((self.root / ".service" / "server.json").read_text())
            self.url = str(record["url"])
            is_ours = record["pid"] == self._process.pid
            return is_ours and httpx.get(f"{self.url}/healthz").status_code == 200
        except (OSError, ValueError, httpx.HTTPError):
            return False


@contextmanager
def serve(root: Path, *options: str) -> Iterator[ServeProcess]:
    """Serve a root; at the end the server and the hosts of teachers are gone."""
    server = ServeProcess(root, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        for record in root.glob(".service/teachers/*/*/host.json"):
            end_host(record)


def end_host(record: Path) -> None:
    """End the teacher host that a host.json names, if it still runs."""
    try:
        pid = int(json.loads(record.read_text())["pid"])
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return
    wait_until(lambda: not record.exists(), "the host did not end")
