"""A service with 200 clients that list, watch and submit, while a job of it asks.

Two sides in turn, on one server: the job alone, and the same job with the clients. The
table has the times of the clients' requests until their response began, by route; below
it, how much longer the job's asking took, from the first request to the last answer as
the mock endpoint saw them. Server, job, mock and clients share the machine's cores, so
what the clients themselves take is part of the slowdown.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from harness import COTBUILD, alternate, load, spread, table, write_questions

PORT = 8411
MOCK = Path(__file__).with_name("mock_endpoint.py")
LISTING, WATCHING, SUBMITTING = 0.6, 0.3, 0.1
"""Shares of the clients."""
MAX_SUBMITTED = 3
"""New jobs of one client that submits; its other submissions are repeats."""
THINK_S = 2.0
"""Mean pause of a client between two requests."""


@dataclass
class Seen:
    """What the clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    num_events: int = 0
    """Events that watchers received."""
    server_cpu_s: float = 0.0
    """CPU time of the server while there were clients."""
    broken: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Target:
    """The server, as its clients reach it."""

    url: str
    token: str
    pid: int

    def cpu_s(self) -> float:
        """Return the CPU time that the server has taken, see proc_pid_stat(5)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=600),
        )


# -- processes -----------------------------------------------------------------


@contextmanager
def mock_endpoint(latency_s: float) -> Iterator[str]:
    """Run the mock; yield its URL."""
    words = [sys.executable, MOCK, "--port", PORT, "--latency", latency_s, "--sigma", 0]
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL) as mock:
        try:
            url = f"http://127.0.0.1:{PORT}"
            wait_for(f"{url}/stats")
            yield url
        finally:
            mock.terminate()


@contextmanager
def server(root: Path, endpoint: str) -> Iterator[Target]:
    """Run `cotbuild serve`, with one job at a time."""
    token = subprocess.run(
        [
            *COTBUILD,
            "serve",
            "token",
            "add",
            "bench",
            "--role",
            "admin",
            "--root",
            root,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    words = [
        *COTBUILD,
        *("serve", "--root", root, "--bind", "127.0.0.1:0", "--no-browser"),
        *("--allow-endpoint", f"{endpoint}/*", "--max-jobs", "1"),
    ]
    with (
        (root / "server.log").open("w+") as log,
        subprocess.Popen(list(map(str, words)), stdout=log, stderr=log) as process,
    ):
        try:
            record = root / ".service" / "server.json"
            while not record.is_file():
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(f"the server ended: {log.read()}")
                time.sleep(0.05)
            url = json.loads(record.read_text())["url"]
            wait_for(f"{url}/healthz")
            yield Target(url, token, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for(url: str) -> None:
    """Return once a server answers."""
    for _ in range(600):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit(f"{url}: no answer")


# -- the job -------------------------------------------------------------------


def generate_request(endpoint: str, sha256: str, target: str, window: int) -> Any:
    """Return the request of the job that asks."""
    return {
        "kind": "generate",
        "target": target,
        "config": {
            "source": {"name": f"upload:{sha256}/questions.jsonl"},
            "teacher": {
                "model": "mock",
                "endpoints": [f"{endpoint}/v1"],
                "window": window,
            },
        },
        "priority": 10,
    }


async def upload(target: Target, data: bytes) -> str:
    """Upload a file; return its digest."""
    sha256 = hashlib.sha256(data).hexdigest()
    async with (
        target.session() as session,
        session.put(f"/v1/files/{sha256}", data=data) as response,
    ):
        assert response.status in (200, 201), await response.text()
    return sha256


async def run_job(
    target: Target, endpoint: str, request: Any, num_clients: int, seen: Seen
) -> float:
    """Run the job to its end, beside so many clients; return its asking in seconds."""
    async with target.session() as session:
        urllib.request.urlopen(f"{endpoint}/reset").close()
        cpu_before_s = target.cpu_s()
        async with session.post("/v1/jobs", json=request) as response:
            assert response.status == 201, await response.text()
            job = (await response.json())["id"]
        clients = [
            asyncio.create_task(
                run_client(number, num_clients, target, job, request, seen)
            )
            for number in range(num_clients)
        ]
        state = "queued"
        while state not in ("succeeded", "failed", "paused", "cancelled"):
            async with session.get(f"/v1/jobs/{job}", params={"wait": 30}) as response:
                state = (await response.json())["state"]
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        assert state == "succeeded", state
        if num_clients:
            seen.server_cpu_s += target.cpu_s() - cpu_before_s
        await cancel_others(session)
    with urllib.request.urlopen(f"{endpoint}/stats") as stats:
        return float(json.load(stats)["wall"])


async def cancel_others(session: aiohttp.ClientSession) -> None:
    """Cancel the jobs that clients have submitted."""
    while True:
        query = {"state": ["queued", "running"]}
        async with session.get("/v1/jobs", params=query) as response:
            jobs = (await response.json())["jobs"]
        if not jobs:
            return
        for job in jobs:
            path = f"/v1/jobs/{job['id']}/cancel"
            async with session.post(path, json={"mode": "now"}):
                pass
        await asyncio.sleep(0.2)


# -- clients -------------------------------------------------------------------


async def run_client(
    number: int, num_clients: int, target: Target, job: str, request: Any, seen: Seen
) -> None:
    """One client, with a connection of its own, until it is cancelled."""
    place = number / num_clients
    async with target.session() as session:
        while True:
            await asyncio.sleep(THINK_S * (0.5 + (number * 0.618) % 1.0))
            try:
                if place < LISTING:
                    await list_things(session, job, seen)
                elif place < LISTING + WATCHING:
                    await watch(session, job, seen)
                else:
                    await submit(session, number, request, seen)
            except (aiohttp.ClientError, TimeoutError) as fault:
                seen.broken[type(fault).__name__] += 1


async def list_things(session: aiohttp.ClientSession, job: str, seen: Seen) -> None:
    """Look at lists, one job and its build, as people with a page open do."""
    for route, path in (
        ("GET /v1/jobs", "/v1/jobs?limit=50"),
        ("GET /v1/jobs/{id}", f"/v1/jobs/{job}"),
        ("GET /v1/builds", "/v1/builds"),
        ("GET / (page)", "/"),
    ):
        await timed(session, "GET", route, path, seen)
        await asyncio.sleep(THINK_S / 4)


async def watch(session: aiohttp.ClientSession, job: str, seen: Seen) -> None:
    """Follow the events of the job to its end."""
    started_s = time.perf_counter()
    headers = {"Accept": "text/event-stream"}
    async with session.get(f"/v1/jobs/{job}/events", headers=headers) as response:
        seen.statuses[response.status] += 1
        is_first = True
        async for line in response.content:
            if not line.startswith(b"event:"):
                continue
            if is_first:
                seconds = time.perf_counter() - started_s
                seen.seconds["GET /v1/jobs/{id}/events (first)"].append(seconds)
                is_first = False
            seen.num_events += 1


async def submit(
    session: aiohttp.ClientSession, number: int, request: Any, seen: Seen
) -> None:
    """Submit one of a few jobs, again and again under the same key."""
    which = int(time.monotonic()) % MAX_SUBMITTED
    name = f"extra-{number}-{which}"
    body = {**request, "target": name, "priority": -10}
    headers = {"Idempotency-Key": name}
    await timed(
        session, "POST", "POST /v1/jobs", "/v1/jobs", seen, json=body, headers=headers
    )


async def timed(
    session: aiohttp.ClientSession,
    method: str,
    route: str,
    path: str,
    seen: Seen,
    **options: Any,
) -> None:
    """Make a request, and note when its response began."""
    started_s = time.perf_counter()
    async with session.request(method, path, **options) as response:
        seen.seconds[route].append(time.perf_counter() - started_s)
        seen.statuses[response.status] += 1
        await response.read()


# -- the table -----------------------------------------------------------------


def percentile(values: list[float], frac: float) -> float:
    """Return the value below which a share of all lies."""
    ordered = sorted(values)
    return ordered[min(int(frac * len(ordered)), len(ordered) - 1)]


def show(seen: Seen, alone_s: list[float], loaded_s: list[float]) -> None:
    """Print the tables."""
    table(
        ["route", "requests", "p50, ms", "p99, ms", "max, ms"],
        (
            [
                route,
                len(values),
                f"{statistics.median(values) * 1000:.1f}",
                f"{percentile(values, 0.99) * 1000:.1f}",
                f"{max(values) * 1000:.1f}",
            ]
            for route, values in sorted(seen.seconds.items())
        ),
    )
    statuses = ", ".join(f"{s}: {n}" for s, n in sorted(seen.statuses.items()))
    print(f"statuses {statuses}; {seen.num_events} events; broken {dict(seen.broken)}")
    num_requests = sum(seen.statuses.values())
    cpu_ms = seen.server_cpu_s * 1000 / num_requests
    print(f"server: {cpu_ms:.1f} ms of CPU a request, events of watchers included")
    table(
        ["job", "asking, s"],
        [["alone", spread(alone_s)], ["with the clients", spread(loaded_s)]],
    )
    ratios = [b / a for a, b in zip(alone_s, loaded_s, strict=True)]
    print(f"asking, with clients/alone over {len(ratios)} pairs: {spread(ratios)}")


def main() -> None:
    """Run the pairs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--questions", type=int, default=1500)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds")
    args = parser.parse_args()
    print(
        f"{args.clients} clients; a job of {args.questions} requests, {args.latency} s, "
        f"window {args.window}; {load()}"
    )
    seen = Seen()
    alone_s: list[float] = []
    loaded_s: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        mock_endpoint(args.latency) as endpoint,
        server(Path(folder), endpoint) as target,
    ):
        questions = write_questions(Path(folder, "q.jsonl"), args.questions)
        sha256 = asyncio.run(upload(target, questions.read_bytes()))

        def side(number: int, num_clients: int) -> float:
            name = f"build-{number}-{num_clients}"
            request = generate_request(endpoint, sha256, name, args.window)
            return asyncio.run(run_job(target, endpoint, request, num_clients, seen))

        for number in range(args.pairs):
            alone, loaded = alternate(
                number,
                lambda number=number: side(number, 0),  # type: ignore[misc]
                lambda number=number: side(number, args.clients),  # type: ignore[misc]
            )
            alone_s.append(alone)
            loaded_s.append(loaded)
            print(f"pair {number + 1}: {alone:.1f} s, {loaded:.1f} s", flush=True)
        with contextlib.suppress(OSError):
            log = Path(folder, "server.log").read_text()
            if re.search(r"Traceback|jobs: ", log):
                print(f"the server said: {log[-2000:]}")
    show(seen, alone_s, loaded_s)


if __name__ == "__main__":
    main()
