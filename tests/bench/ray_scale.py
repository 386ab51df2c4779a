"""Workers on Ray against a scripted teacher of known service time: how the rate grows
with their number.

    PYTHONPATH=. python tests/bench/ray_scale.py --workers 1 2 4

Each worker keeps `--window` requests under way and each takes `--latency` seconds, so a
worker can ask window / latency requests a second, and no more. Efficiency is the share
of that, over the time from the first request to the last answer as the teacher saw it,
and so with the tail in which the last units run out. The whole command also starts Ray
and the workers, plans, derives and writes the build.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from harness import COTBUILD, load, run, table, write_questions

from tests.support.waiting import wait_until


class Scale(NamedTuple):
    """A run with a number of workers."""

    workers: int
    command_s: float
    asking_s: float
    num_answers: int
    num_repeated: int


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options.add_argument("--requests", type=int, default=2048, help="for each worker")
    options.add_argument("--window", type=int, default=16)
    options.add_argument("--latency", type=float, default=0.25, help="seconds")
    options.add_argument("--engine", default="ray", help="`local` for processes")
    args = options.parse_args()
    print(
        f"{args.requests} requests a worker, {args.latency:g} s each, window {args.window}, "
        f"engine {args.engine}; {load()}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scales = [measure(number, args, folder) for number in args.workers]
    worker_rate = args.window / args.latency
    table(
        ["workers", "command, s", "asking, s", "requests/s", "repeated", "efficiency"],
        (
            [
                scale.workers,
                f"{scale.command_s:.1f}",
                f"{scale.asking_s:.1f}",
                f"{scale.num_answers / scale.asking_s:.0f}",
                scale.num_repeated,
                f"{scale.num_answers / scale.asking_s / worker_rate / scale.workers:.3f}",
            ]
            for scale in scales
        ),
    )


def measure(number: int, args: argparse.Namespace, folder: Path) -> Scale:
    """Build with a number of workers, against a teacher that counts."""
    source = write_questions(folder / "questions.jsonl", args.requests * number)
    with _teacher(args.latency) as url:
        engine = [] if args.engine == "local" else ["--engine", args.engine]
        done = run(
            [
                *(*COTBUILD, "generate", "--source", source),
                *("--out", folder / f"build-{number}"),
                *("--teacher", "mock", "--endpoint", f"{url}/v1"),
                *("--window", args.window, "--workers", number, *engine),
            ]
        )
        stats = _get_json(f"{url}/stats")
    return Scale(number, done.wall_s, stats["wall"], stats["ok"], stats["dup"])


@contextmanager
def _teacher(latency_s: float) -> Iterator[str]:
    """Run the mock endpoint; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    script = Path(__file__).with_name("mock_endpoint.py")
    dials = ["--port", str(port), "--latency", str(latency_s)]
    url = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        with suppress(OSError):
            return _get_json(f"{url}/stats") is not None
        return False

    with subprocess.Popen([sys.executable, str(script), *dials]) as process:
        try:
            wait_until(is_up, "the mock did not come up")
            yield url
        finally:
            process.terminate()


def _get_json(url: str) -> Any:
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


if __name__ == "__main__":
    main()
