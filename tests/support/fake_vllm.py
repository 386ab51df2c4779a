"""Stands in for vllm.entrypoints.openai.api_server: a real process on a Unix socket
that lives as FAKE_VLLM says.

FAKE_VLLM is a JSON list, one word a life, the last one for all that follow: ok, die:N
(SIGKILL instead of the next after N completions), poison (SIGKILL at a request that
says so, once another was completed), stall, busy (slow, but tokens rise), exit, mute
(never listens). Where there are several servers it is an object of such lists, by
CUDA_VISIBLE_DEVICES. FAKE_VLLM_LIVES is a file that grows by a line a life, our
arguments; FAKE_VLLM_ENVIRON, if set, one for our environment.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

SAMPLING_FIELDS = {
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "max_tokens",
    "stop",
}


class Fake:
    def __init__(self, word: str) -> None:
        self.kind, _, number = word.partition(":")
        self.deaths_after = int(number or 0)
        self.completions = 0
        self.answered = 0  # those that are on their way
        self.tokens = 0
        self.running = 0

    async def answer(self, path: str, body: bytes) -> tuple[int, object]:
        """Return the status and body: a text, or a value to be sent as JSON."""
        if path == "/health":
            return 200, ""
        if path == "/version":
            return 200, {"version": "0.0"}
        if path == "/metrics":
            return 200, self.metrics()
        if path == "/v1/models":
            name, length = args.served_model_name, args.max_model_len
            return 200, {"data": [{"id": name, "max_model_len": length}]}
        if path == "/v1/chat/completions":
            self.running += 1
            try:
                return await self.complete(json.loads(body))
            finally:
                self.running -= 1
        return 404, {"detail": "Not Found"}

    def metrics(self) -> str:
        values = {
            "generation_tokens_total": self.tokens,
            "prompt_tokens_total": 2 * self.completions,
            "num_requests_running": self.running,
            "kv_cache_usage_perc": 0.25,
            "prefix_cache_queries_total": 8,
            "prefix_cache_hits_total": 2,
        }
        lines = [f'vllm:{n}{{engine="0"}} {float(v)}' for n, v in values.items()]
        return "\n".join(["# HELP x", *lines, ""])

    async def complete(self, body: dict[str, Any]) -> tuple[int, object]:
        if missing := SAMPLING_FIELDS - body.keys():  # a model's files would decide
            words = f"missing: {', '.join(sorted(missing))}"
            return 400, {"error": {"message": words}}
        text = json.dumps(body)
        if self.kind == "stall":
            await asyncio.sleep(300)
        for _ in range(10 * (self.kind == "busy")):
            await asyncio.sleep(0.2)
            self.tokens += 1
        if "refuse" in text:
            return 400, {"error": {"message": "too long"}}
        await asyncio.sleep(0.05)
        if self.kind == "poison" and "poison" in text:
            while not self.answered:
                await asyncio.sleep(0.05)
            self.kind = "die"
        if self.kind == "die" and self.completions >= self.deaths_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.completions += 1
        self.tokens += 3
        choice = {"finish_reason": "stop", "message": {"content": "so"}}
        usage = {"prompt_tokens": 2, "completion_tokens": 3}
        return 200, {"choices": [choice], "usage": usage}


async def serve(fake: Fake) -> None:
    """Listen on the socket. By hand, since a web framework takes half a second to load."""

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while await answer_next(fake, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            writer.close()

    async with await asyncio.start_unix_server(handle, args.uds) as server:
        await server.serve_forever()


async def answer_next(
    fake: Fake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Answer one request of a connection; return whether it stays open.

    A client that goes away meanwhile ends what is done for it.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    request_line, *lines = head.decode().split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path = request_line.split()[1]
    work = asyncio.create_task(fake.answer(path, body))
    gone = asyncio.create_task(reader.read(1))
    await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()
        return False
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    status, value = await work
    is_text = isinstance(value, str)
    data = (value if isinstance(value, str) else json.dumps(value)).encode()
    kind = "text/plain" if is_text else "application/json"
    writer.write(
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
    )
    writer.write(data)
    await writer.drain()
    fake.answered += status == 200 and path.endswith("/completions")
    return True


def count_life(path: Path) -> int:
    """Add a line to a file; return the number of lines before it."""
    with path.open("a+") as lives:
        lives.seek(0)
        number = len(lives.readlines())
        lives.write(json.dumps(sys.argv[1:]) + "\n")
    return number


def main() -> None:
    lives = Path(os.environ["FAKE_VLLM_LIVES"])
    number = count_life(lives)
    if "FAKE_VLLM_ENVIRON" in os.environ:
        Path(os.environ["FAKE_VLLM_ENVIRON"]).write_text(json.dumps(dict(os.environ)))
    # vLLM closes connections that were idle for as long, by default 5 s.
    assert int(os.environ["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"]) >= 3600
    words = json.loads(os.environ["FAKE_VLLM"])
    if isinstance(words, dict):
        devices = os.environ["CUDA_VISIBLE_DEVICES"]
        number = count_life(lives.with_name(f"{lives.name}-{devices}"))
        words = words[devices]
    fake = Fake(words[min(number, len(words) - 1)])
    if fake.kind == "exit":
        raise ValueError("no room for the cache")
    if fake.kind == "mute":
        time.sleep(300)
    asyncio.run(serve(fake))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--uds", required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--max-model-len", type=int, required=True)
    args, _ = parser.parse_known_args()
    main()
