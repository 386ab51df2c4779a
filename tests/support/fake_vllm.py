"""Stands in for vllm.entrypoints.openai.api_server: a real process on a Unix socket
that lives as FAKE_VLLM says.

FAKE_VLLM is a JSON list, one word a life, the last one for all that follow: ok, die:N
(SIGKILL instead of the next after N completions), poison (SIGKILL at a request that
says so, once another was completed), stall, busy (slow, but tokens rise), exit, mute
(never listens). FAKE_VLLM_LIVES is a file that grows by a line a life, our arguments;
FAKE_VLLM_ENVIRON, if set, one for our environment.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from aiohttp import web

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
        self.tokens = 0

    async def health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "0.0"})

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "data": [
                    {"id": args.served_model_name, "max_model_len": args.max_model_len}
                ]
            }
        )

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            text=f'# HELP x\nvllm:generation_tokens_total{{engine="0"}} {float(self.tokens)}\n'
        )

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        if missing := SAMPLING_FIELDS - body.keys():  # a model's files would decide
            words = f"missing: {', '.join(sorted(missing))}"
            return web.json_response({"error": {"message": words}}, status=400)
        text = json.dumps(body)
        if self.kind == "stall":
            await asyncio.sleep(300)
        for _ in range(10 * (self.kind == "busy")):
            await asyncio.sleep(0.2)
            self.tokens += 1
        if "refuse" in text:
            return web.json_response({"error": {"message": "too long"}}, status=400)
        await asyncio.sleep(0.05)
        if self.kind == "poison" and "poison" in text:
            while not self.completions:
                await asyncio.sleep(0.05)
            self.kind = "die"
        if self.kind == "die" and self.completions >= self.deaths_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.completions += 1
        self.tokens += 3
        choice = {"finish_reason": "stop", "message": {"content": "so"}}
        return web.json_response(
            {"choices": [choice], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}
        )


def main() -> None:
    with Path(os.environ["FAKE_VLLM_LIVES"]).open("a+") as lives:
        lives.seek(0)
        number = len(lives.readlines())
        lives.write(json.dumps(sys.argv[1:]) + "\n")
    if "FAKE_VLLM_ENVIRON" in os.environ:
        Path(os.environ["FAKE_VLLM_ENVIRON"]).write_text(json.dumps(dict(os.environ)))
    # vLLM closes connections that were idle for as long, by default 5 s.
    assert int(os.environ["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"]) >= 3600
    words = json.loads(os.environ["FAKE_VLLM"])
    fake = Fake(words[min(number, len(words) - 1)])
    if fake.kind == "exit":
        raise ValueError("no room for the cache")
    if fake.kind == "mute":
        time.sleep(300)
    app = web.Application()
    app.router.add_get("/health", fake.health)
    app.router.add_get("/version", fake.version)
    app.router.add_get("/metrics", fake.metrics)
    app.router.add_get("/v1/models", fake.models)
    app.router.add_post("/v1/chat/completions", fake.complete)
    web.run_app(app, path=args.uds, print=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--uds", required=True)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--max-model-len", type=int, required=True)
    args, _ = parser.parse_known_args()
    main()
