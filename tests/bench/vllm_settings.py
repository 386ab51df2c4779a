"""The settings cotbuild gives its managed vLLM beside vLLM's stock ones: same weights,
requests, client and machine.

Stock is `api_server --model FOLDER --uds SOCKET` and no library preloaded, but for the
KV cache, which is kept as small as ours: by default it may take most of the memory, and
two servers are alive here. Only one is asked at a time, both through the same client.
What each came up with (dtype, compiled or not) is printed from its own log.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from harness import spread
from sums import Side, options, show, sums_job

from cotbuild.builder.generate.teacher_job import TeacherJob
from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.pool import EndpointPool
from cotbuild.builder.teachers.open import ENDPOINT_WINDOW
from cotbuild.builder.teachers.vllm.managed import ManagedTeacher
from cotbuild.builder.teachers.vllm.process import GuardedProcess, new_run_dir
from cotbuild.builder.teachers.vllm.server_session import BASE_URL
from cotbuild.builder.teachers.vllm.tuning import detect_machine, tune_vllm
from cotbuild.builder.teachers.vllm.weights import find_weights
from cotbuild.schemas.completion import Completion, Request
from cotbuild.schemas.errors import TeacherError

START_TIMEOUT_S = 600.0
"""Stock settings compile, which takes minutes on two cores."""


@asynccontextmanager
async def stock_server(
    model: str, kv_cache_gib: str, log: Path
) -> AsyncIterator[Teacher]:
    """vLLM's API server as it comes, asked through the client that the managed one is
    asked through.
    """
    run_dir = new_run_dir()
    socket = run_dir / "s"
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        model,
        "--uds",
        str(socket),
    ]
    env = {
        "VLLM_CPU_KVCACHE_SPACE": kv_cache_gib,
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    env |= {name: str(run_dir) for name in ("TMPDIR", "VLLM_RPC_BASE_PATH")}
    server = GuardedProcess(command, env, log, run_dir)
    try:
        client = EndpointClient(BASE_URL, model, uds=socket)
        async with client:
            await _until_served(server, client)
        async with EndpointPool(
            [client], print, window=ENDPOINT_WINDOW, max_attempts=1, stall_s=600
        ) as teacher:
            yield teacher
    finally:
        await server.stop()


async def _until_served(server: GuardedProcess, client: EndpointClient) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.exit_code() is None:
        try:
            if await client.tokenize_digest():
                return
        except TeacherError:
            await asyncio.sleep(1)
    raise SystemExit(f"the stock server did not come up: {server.last_error()}")


async def ask(teacher: Teacher, requests: list[Request]) -> Side:
    """All requests at once; both servers run as many together as their settings allow."""
    started = time.perf_counter()
    answers = await asyncio.gather(*(teacher.ask(request) for request in requests))
    seconds = time.perf_counter() - started
    said = [answer for answer in answers if isinstance(answer, Completion)]
    if len(said) != len(requests):
        raise SystemExit(f"{len(said)} of {len(requests)} answered: {answers[0]!r}")
    return Side(
        seconds,
        sum(answer.completion_tokens or 0 for answer in said),
        [answer.text for answer in said],
    )


async def measure(
    job: TeacherJob, args: argparse.Namespace, log: Path
) -> list[tuple[Side, Side]]:
    """(managed, stock) for each pair, in alternating order, after one pass of each."""
    config = job.config.teacher
    weights = await find_weights(config, job.teacher, log, print)
    kv_cache_gib = tune_vllm(detect_machine(), config.server, weights.max_len).env[
        "VLLM_CPU_KVCACHE_SPACE"
    ]
    requests = [
        chain.open_step.request
        for chain in job.chains(job.read_rules(), lambda _: None)
        if chain.open_step
    ]
    pairs = []
    started = time.monotonic()
    async with stock_server(weights.model, kv_cache_gib, log) as stock:
        print(
            f"stock: up after {time.monotonic() - started:.0f} s; {_came_up_with(log)}",
            flush=True,
        )
        async with ManagedTeacher(
            config, job.teacher, job.store.logs, print
        ) as managed:
            for number in range(args.pairs + 1):
                if number % 2:
                    ours, theirs = (
                        await ask(managed, requests),
                        await ask(stock, requests),
                    )
                else:
                    theirs, ours = (
                        await ask(stock, requests),
                        await ask(managed, requests),
                    )
                if number:
                    pairs.append((ours, theirs))
                    print(
                        f"pair {number}: managed {ours.rate:.0f} tok/s, stock {theirs.rate:.0f} tok/s",
                        flush=True,
                    )
        print(f"managed: {_came_up_with(managed.log)}")
    return pairs


def _came_up_with(log: Path) -> str:
    """dtype and whether it compiles, in the engine's own words."""
    text = log.read_text(errors="replace")
    words = [
        re.search(rf"\b{name}=([^,)\s]+)", text)
        for name in ("dtype", "enforce_eager", "enable_chunked_prefill")
    ]
    return ", ".join(word[0] for word in words if word)


def main() -> None:
    args = options(__doc__, questions=32, max_tokens=48, log_of="stock server")
    with tempfile.TemporaryDirectory() as folder:
        job = sums_job(args, Path(folder))
        pairs = asyncio.run(measure(job, args, args.log or Path(folder, "stock.log")))
    show(
        {
            "cotbuild's settings": [a for a, _ in pairs],
            "stock settings": [b for _, b in pairs],
        }
    )
    print(
        f"tok/s, cotbuild's/stock over {len(pairs)} pairs: {spread(a.rate / b.rate for a, b in pairs)}"
    )


if __name__ == "__main__":
    main()
