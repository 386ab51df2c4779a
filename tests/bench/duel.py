"""cotbuild and the floor in turn against a mock endpoint, which itself says how long it
was asked.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness import COTBUILD, Run, alternate, run, write_questions

from cotbuild.builder.generate.teacher_job import resolve_teacher_job
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.config import BuildConfig, SourceConfig
from cotbuild.schemas.teacher_config import TeacherConfig

MODEL = "mock"
CLIENT_CPU, MOCK_CPU = 0, 1
MAX_TOKENS = 512


class Side(NamedTuple):
    """What one side did, by its own process and by the mock's books."""

    run: Run
    num: int  # requests answered
    asking_s: float  # from the first request to the last answer, at the mock
    busy_s: float  # sum of the latencies

    @property
    def rate(self) -> float:
        """Requests a second while asking."""
        return self.num / self.asking_s


def parser(doc: str | None, requests: int, window: int) -> argparse.ArgumentParser:
    """The options both duels share."""
    options = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--mock", type=Path, default=Path(__file__).with_name("mock_endpoint.py")
    )
    options.add_argument("--requests", type=int, default=requests)
    options.add_argument("--window", type=int, default=window)
    options.add_argument("--pairs", type=int, default=5)
    return options


def duel(args: argparse.Namespace, *dials: object) -> list[tuple[Side, Side]]:
    """(cotbuild, floor) for each pair, after one to warm up.

    Each pair has its own questions, and so latencies.
    """
    port = find_free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        start_mock(args.mock, port, *dials),
    ):
        return [
            _pair(number, args, port, Path(folder)) for number in range(args.pairs + 1)
        ][1:]


def _pair(
    number: int, args: argparse.Namespace, port: int, work: Path
) -> tuple[Side, Side]:
    source = write_questions(
        work / "questions.jsonl", args.requests, first=number * args.requests
    )
    bodies, out = _write_bodies(source, work), work / "build"
    ours: list[object] = [
        *COTBUILD,
        "generate",
        "--source",
        source,
        "--out",
        out,
        "--max-tokens",
        MAX_TOKENS,
    ]
    ours += [
        "--teacher",
        MODEL,
        "--endpoint",
        f"http://127.0.0.1:{port}/v1",
        "--window",
        args.window,
    ]
    theirs = [
        sys.executable,
        Path(__file__).with_name("floor.py"),
        port,
        args.window,
        bodies,
        work / "floor",
    ]

    def cotbuild() -> Side:
        shutil.rmtree(out, ignore_errors=True)
        return _side(port, run(ours, CLIENT_CPU), args.requests)

    return alternate(
        number, cotbuild, lambda: _side(port, run(theirs, CLIENT_CPU), args.requests)
    )


def _write_bodies(source: Path, work: Path) -> Path:
    """The bodies as cotbuild sends them, so that both sides send the same."""
    config = BuildConfig(
        source=SourceConfig(name=str(source)),
        teacher=TeacherConfig(model="scripted"),
        sampling=Sampling(max_tokens=MAX_TOKENS),
    )
    job = resolve_teacher_job(config, work / "never")
    chains = job.chains(job.read_rules(), lambda _: None)
    requests = (chain.open_step.request for chain in chains if chain.open_step)
    bodies = work / "bodies.jsonl"
    bodies.write_text(
        "".join(
            json.dumps(build_request_body(request, MODEL)) + "\n"
            for request in requests
        )
    )
    return bodies


def _side(port: int, done: Run, num: int) -> Side:
    stats = get(port, "stats")
    get(port, "reset")
    if stats["ok"] != num or stats["dup"]:
        raise SystemExit(
            f"expected {num} answers, each asked once; the mock says {stats}"
        )
    return Side(done, num, stats["wall"], stats["busy"])


def find_free_port() -> int:
    """Return a port of the loopback that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def start_mock(script: Path, port: int, *dials: object) -> Iterator[None]:
    """Run a mock endpoint on MOCK_CPU, with the options `dials`, until the end."""
    words = [
        "taskset",
        "-c",
        MOCK_CPU,
        sys.executable,
        script,
        "--port",
        port,
        "--ttl",
        3600,
        *dials,
    ]
    with subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            get(port, "reset")
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the mock did not come up in 10 s")


def get(port: int, path: str) -> dict[str, Any]:
    """Return what a path of the mock answers."""
    with urllib.request.urlopen(
        f"http://127.0.0.1:{port}/{path}", timeout=10
    ) as answer:
        return dict(json.load(answer))
