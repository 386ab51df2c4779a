"""A fast mock of an OpenAI-compatible endpoint, on loopback, for benchmarks.

    python tests/bench/mock_endpoint.py --port 8401 --latency 0.5 --sigma 1.0 --slots 64

It answers every chat completion with the same text after a latency that depends on the
messages alone: `--latency` seconds on average, with a log-normal tail of `--sigma`.
`--slots` is the number of requests it serves at once; the others wait, as in vLLM.
`--refuse` is the share of prompts that it always answers with a 400, `--fail-once` the
share of others that it answers with a 500 the first time.
GET /stats returns what it did since the last GET /reset. It speaks HTTP/1.1 by hand,
since a web framework would be slower than the clients it is to measure.
"""

import argparse
import asyncio
import contextlib
import json
import math
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

WORDS = ("first", "so", "because", "therefore", "cup", "shelf", "option", "then")
NUM_PROMPT_TOKENS = 50
NUM_WORDS = 200
TEXT = " ".join(WORDS[i % len(WORDS)] for i in range(NUM_WORDS))
REPLY_TEXT = f"{TEXT}\nThe answer is (B)."


@dataclass
class Stats:
    """What the endpoint did since it was reset."""

    requests: Counter[str] = field(default_factory=Counter)
    """How often each list of messages was received."""
    ok: int = 0
    busy_s: float = 0.0
    """Sum of the latencies served."""
    first_request_s: float | None = None
    last_answer_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        duplicates = self.requests.total() - len(self.requests)
        wall_s = self.last_answer_s - (self.first_request_s or self.last_answer_s)
        return {
            "received": self.requests.total(),
            "ok": self.ok,
            "dup": duplicates,
            "busy": self.busy_s,
            "wall": wall_s,
        }


class Endpoint:
    """Answers requests, on any number of connections."""

    def __init__(
        self,
        latency_s: float,
        sigma: float,
        slots: int,
        refuse_frac: float = 0.0,
        fail_once_frac: float = 0.0,
    ) -> None:
        self._refuse_frac = refuse_frac
        self._fail_once_frac = fail_once_frac
        self._latency_s = latency_s
        self._sigma = sigma
        self._slots = asyncio.Semaphore(slots) if slots else None
        self._stats = Stats()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection, one after the other."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            is_kept = True
            while is_kept:
                path, body, is_kept = await _read_request(reader)
                status, reply = await self._answer(path, body)
                _write_reply(writer, status, reply)
                await writer.drain()
        writer.close()

    async def _answer(self, path: str, body: bytes) -> tuple[int, object]:
        if path.endswith("/models"):
            return 200, {"object": "list", "data": [{"id": "mock", "object": "model"}]}
        if path == "/stats":
            return 200, self._stats.as_json()
        if path == "/reset":
            self._stats = Stats()
            return 200, {}
        if not path.endswith("/chat/completions"):
            return 404, {"error": {"message": f"no {path} here"}}
        return await self._complete(json.loads(body))

    async def _complete(self, request: dict[str, Any]) -> tuple[int, object]:
        stats = self._stats
        key = json.dumps(request["messages"], sort_keys=True)
        stats.requests[key] += 1
        stats.first_request_s = stats.first_request_s or time.monotonic()
        latency_s = self._draw_latency(key)
        if latency_s:
            async with self._slots or contextlib.nullcontext():
                await asyncio.sleep(latency_s)
        stats.busy_s += latency_s
        if (status := self._find_fault(key)) is not None:
            return status, {"error": {"message": "a fault that was asked for"}}
        stats.ok += 1
        stats.last_answer_s = time.monotonic()
        message = {"role": "assistant", "content": REPLY_TEXT}
        return 200, {
            "id": "mock",
            "object": "chat.completion",
            "created": 0,
            "model": request.get("model", "mock"),
            "usage": {
                "prompt_tokens": NUM_PROMPT_TOKENS,
                "completion_tokens": NUM_WORDS,
                "total_tokens": NUM_PROMPT_TOKENS + NUM_WORDS,
            },
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }

    def _find_fault(self, key: str) -> int | None:
        """Return the status of the fault that these messages meet now, if any."""
        share = random.Random(f"fault {key}").random()
        if share < self._refuse_frac:
            return 400
        is_first = self._stats.requests[key] == 1
        fails = share < self._refuse_frac + self._fail_once_frac
        return 500 if fails and is_first else None

    def _draw_latency(self, key: str) -> float:
        """Return the latency of these messages, log-normal with the given mean."""
        if self._sigma == 0:
            return self._latency_s
        deviation = random.Random(key).gauss(-(self._sigma**2) / 2, self._sigma)
        return self._latency_s * math.exp(deviation)


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, bytes, bool]:
    """Return path and body of the next request, and whether the connection is kept."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.split("\r\n")
    num_bytes, is_kept = 0, True
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            num_bytes = int(value)
        elif name.lower() == "connection":
            is_kept = value.strip().lower() != "close"
    body = await reader.readexactly(num_bytes)
    return request_line.split(" ")[1], body, is_kept


def _write_reply(writer: asyncio.StreamWriter, status: int, reply: object) -> None:
    body = json.dumps(reply).encode()
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)


async def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--latency", type=float, default=0.0, help="mean, seconds")
    options.add_argument("--sigma", type=float, default=0.0, help="of the log-normal")
    options.add_argument("--slots", type=int, default=0, help="0: any number")
    options.add_argument("--refuse", type=float, default=0.0, help="share")
    options.add_argument("--fail-once", type=float, default=0.0, help="share")
    options.add_argument("--ttl", type=float, default=3600, help="seconds to live")
    args = options.parse_args()
    endpoint = Endpoint(
        args.latency, args.sigma, args.slots, args.refuse, args.fail_once
    )
    server = await asyncio.start_server(
        endpoint.serve, "127.0.0.1", args.port, backlog=4096
    )
    async with server:
        await asyncio.sleep(args.ttl)


if __name__ == "__main__":
    asyncio.run(main())
