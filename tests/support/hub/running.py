"""The small Hub as a process, and what a test asks of it."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.hub.server import WRITER
from tests.support.hub.store import Store

ROOT = Path(__file__).parents[3]


class SmallHub:
    """A running server over a folder. `store` reads and writes what it serves."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.store = Store(folder / "hub")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Also again, after `kill`, at another port."""
        port = self.folder / "port"
        port.unlink(missing_ok=True)
        words = [
            "--root",
            str(self.store.root),
            "--port-file",
            str(port),
            *self._options,
        ]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / ".ns")]),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.hub.server", *words],
            env=env,
            cwd=ROOT,
        )
        while not port.is_file():
            assert self._process.poll() is None, "the small Hub did not start"
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{port.read_text()}"

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def env(self) -> dict[str, str]:
        """For a process that is to use it: huggingface_hub reads these once, at import."""
        hub = {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": WRITER,
            "HF_HOME": str(self.folder / "hf"),
        }
        namespace = {"PYTHONPATH": str(ROOT / "tests" / ".ns")}
        return {
            **os.environ,
            **hub,
            **namespace,
            "HF_HUB_DISABLE_XET": "1",
            "COLUMNS": "80",
        }

    def dial(self, *faults: dict[str, Any]) -> None:
        """What goes wrong from now on, instead of what was dialled before: see
        dial.Fault.
        """
        urllib.request.urlopen(f"{self.url}/_dial", json.dumps(faults).encode()).close()

    def requests(self, on: str = "") -> list[dict[str, Any]]:
        """method, path, token and num_bytes of each request so far whose `METHOD /path`
        begins so.
        """
        lines = (self.store.root / "requests.jsonl").read_text().splitlines()
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [
            entry
            for entry in entries
            if f"{entry['method']} {entry['path']}".startswith(on)
        ]


@contextmanager
def running_hub(folder: Path, *options: str) -> Iterator[SmallHub]:
    hub = SmallHub(folder, *options)
    try:
        yield hub
    finally:
        hub.kill()
