"""A small OpenAI-compatible HTTP server that is no model, for tests: a real process
with real faults on dials.

    python tests/support/http_teacher.py --port 8400 latency_s=0.05 'faults={"http_500": 0.1}'

It counts requests by key (`key_of` the body) and, with `nonce`, answers each one
differently. It ends when its stdin does, so that no test leaves it behind. asyncio's
protocol and not a web framework: it must outrun the client.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / ".ns"))

from cotbuild.builder.teachers.scripted import compose_text
from cotbuild.schemas.completion import Message
from tests.support.server_habits import REFUSALS, refuse_system

JSON = dict[str, Any]


@dataclass(frozen=True)
class Dials:
    """How the server behaves; set as name=JSON on the command line, in `serve(…)`, or
    by POST /dials while it runs.
    """

    models: tuple[str, ...] = ("fake",)
    max_model_len: int | None = 4096  # None: not said, and no /tokenize
    latency_s: float = 0.0  # mean
    sigma: float = 0.0  # of a lognormal latency; 0: always the mean
    slots: int = 0  # requests served together, the others queue; 0: no limit
    nonce: bool = False  # each text, or rationale in a JSON object, begins with a word that no other has
    name: str = ""  # letters in its nonces, to tell servers apart
    length: float = 0.0  # share cut with finish_reason length
    reasoning: str = (
        ""  # name of the field the rationale is returned in, apart from the text
    )
    faults: dict[str, float] = field(
        default_factory=dict
    )  # fault to share of keys; see FAULTS
    times: int = 1  # how often a key shows its fault; 0: always
    hang_after: int | None = (
        None  # so many completions are begun, then none is ever answered
    )
    held: bool = False  # requests wait until it is turned off
    mute: bool = (
        False  # nothing is answered but the looks of tests; neither on a new connection
    )
    metrics: bool = False  # vLLM's /metrics
    token_rate: float = 20  # in them, tokens a second for each request that is served
    at_most: int = 0  # requests in flight, 429 to the others; 0: no limit
    retry_after: str | None = None  # header of every http_… fault
    api_key: str | None = None  # 401 without it
    answers_as: str | None = None  # the model name in answers; None: as asked
    token_salt: str = ""  # another one: another tokenizer
    tokenize_status: int = 200  # what /tokenize answers with
    habits: str = ""  # profile of the server whose refusals it has; see REFUSALS
    takes_system: bool = True  # whether the chat template has a system turn
    image_tokens: int = 0  # tokens of a picture; 0: a 400 for requests with pictures
    per_connection: int = 0  # requests answered on one; the next is lost, as on one
    # that the server has closed; 0: no limit


FAULTS = (
    "reset",
    "half_body",
    "hang",
    "bad_json",
    "no_choices",
    "null_finish",
    "other_model",
    "content_filter",
    "abort",
)
"""Besides http_NNN, which answers status NNN."""


def key_of(body: JSON) -> str:
    """The key under which a chat completion body is counted."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def share_of(key: str, salt: str) -> float:
    """A number in [0, 1) fixed by key and salt."""
    return (
        int.from_bytes(hashlib.sha256(f"{salt}{key}".encode()).digest()[:6], "big")
        / 2**48
    )


def latency_s(dials: Dials, key: str) -> float:
    """The key's latency, with the mean the dial says."""
    if dials.sigma == 0 or dials.latency_s == 0:
        return dials.latency_s
    z = statistics.NormalDist().inv_cdf(
        min(max(share_of(key, "latency"), 1e-9), 1 - 1e-9)
    )
    return dials.latency_s * math.exp(dials.sigma * z - dials.sigma**2 / 2)


def refusal_of(dials: Dials, body: JSON) -> str | None:
    """The words by which a server with these habits refuses a body."""
    if not dials.image_tokens and count_images(body):
        return f"{body['model']} is not a multimodal model"
    if not dials.takes_system and (words := refuse_system(body)):
        return words
    return REFUSALS[dials.habits](body) if dials.habits else None


def fault_of(dials: Dials, key: str, times_seen: int) -> str | None:
    """The fault the times_seen-th request (from 1) of a key meets."""
    if dials.times and times_seen > dials.times:
        return None
    draw = share_of(key, "fault")
    for name, share in dials.faults.items():
        if draw < share:
            return name
        draw -= share
    return None


def nonce_word(number: int, name: str = "") -> str:
    """Letters only, so that no nonce is taken for an answer."""
    return "nonce" + name + "".join(chr(ord("a") + int(digit)) for digit in str(number))


class State:
    """What the server remembers."""

    def __init__(self, dials: Dials) -> None:
        self.reset(dials)

    def reset(self, dials: Dials) -> None:
        self.counts: Counter[str] = Counter()
        self.log: list[
            tuple[str, str, bool]
        ] = []  # key, nonce, whether it went out on an open connection
        self.num_connections = self.in_flight = self.peak = 0
        self.busy_s = 0.0
        self.started_s: set[float] = (
            set()
        )  # when each request that is served now came to its turn
        self.set_dials(dials)

    def set_dials(self, dials: Dials) -> None:
        self.dials = dials
        self.slots = (
            asyncio.Semaphore(dials.slots) if dials.slots else contextlib.nullcontext()
        )

    def stats(self) -> JSON:
        total = self.counts.total()
        numbers = {
            name: getattr(self, name)
            for name in ("num_connections", "in_flight", "peak", "busy_s")
        }
        return {
            "requests": total,
            "keys": len(self.counts),
            "repeated": total - len(self.counts),
            **numbers,
        }


def metrics(state: State) -> bytes:
    """As vLLM writes them: `token_rate` a second for each request that is served."""
    now_s, running = time.monotonic(), len(state.started_s)
    served_s = state.busy_s + sum(now_s - start_s for start_s in state.started_s)
    tokens = state.dials.token_rate * served_s
    values = {"generation_tokens_total": tokens, "num_requests_running": running}
    values["num_requests_waiting"] = state.in_flight - running
    return "".join(
        f'vllm:{name}{{engine="0"}} {float(value)}\n' for name, value in values.items()
    ).encode()


def text_of(turn: JSON) -> str:
    """What a turn says, without its pictures."""
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def count_images(body: JSON) -> int:
    """The pictures in a body; each is a data: URI of base64."""
    parts = [
        part
        for turn in body["messages"]
        if not isinstance(turn["content"], str)
        for part in turn["content"]
        if part["type"] == "image_url"
    ]
    for part in parts:
        start, _, payload = part["image_url"]["url"].partition(",")
        assert start.startswith("data:image/")
        base64.b64decode(payload, validate=True)
    return len(parts)


def completion(dials: Dials, body: JSON, key: str, nonce: str) -> JSON:
    """A whole chat completion body."""
    messages = [Message(role=m["role"], content=text_of(m)) for m in body["messages"]]
    draft = compose_text(messages, key, body.get("response_format"))
    text, cut = draft.text, share_of(key, "length") < dials.length
    if dials.reasoning:
        text = text.replace(draft.rationale, "").strip()
    if dials.nonce and text.startswith("{"):
        text = text.replace(
            '{"rationale":"', f'{{"rationale":"{nonce} '
        )  # an object without a rationale has no room
    elif dials.nonce:
        text = f"{nonce} {text}"
    message: JSON = {
        "role": "assistant",
        "content": text[: len(text) // 2] if cut else text,
    }
    if dials.reasoning:
        message[dials.reasoning] = draft.rationale
    return {
        "id": f"fake-{nonce}",
        "object": "chat.completion",
        "created": 0,
        "model": dials.answers_as or body["model"],
        "system_fingerprint": "fake",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "length" if cut else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": sum(len(m.text.split()) for m in messages)
            + dials.image_tokens * count_images(body),
            "completion_tokens": len(text.split()),
        },
    }


def spoil(fault: str | None, answer: JSON) -> None:
    """Put a fault of content into a whole answer."""
    if fault == "no_choices":
        answer["choices"] = []
    elif fault == "null_finish":
        answer["choices"][0]["finish_reason"] = None
    elif fault == "other_model":
        answer["model"] = "another-model"
    elif fault in ("content_filter", "abort"):
        answer["choices"][0]["finish_reason"] = fault


def tokenize(dials: Dials, body: JSON) -> JSON:
    """vLLM's /tokenize: one token a word."""
    words = [
        word for m in body["messages"] for word in (m["role"], *text_of(m).split())
    ]
    words += ["<image>"] * dials.image_tokens * count_images(body)
    tokens = [int(share_of(word, dials.token_salt) * 50_000) for word in words]
    return {
        "count": len(tokens),
        "max_model_len": dials.max_model_len,
        "tokens": tokens,
    }


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection, kept alive; requests on it come one after another."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.buffer = b""
        self.num_requests = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.state.num_connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        start, _, fields = head.decode("latin-1").partition("\r\n")
        method, path, _ = start.split(" ")
        headers = {
            k.lower(): v.strip()
            for k, _, v in (line.partition(":") for line in fields.split("\r\n"))
        }
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.num_requests += 1
        if 0 < self.state.dials.per_connection < self.num_requests:
            self.transport.abort()
            return
        task = asyncio.ensure_future(self.answer(method, path, headers, rest[:length]))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def send(
        self,
        body: Any,
        status: int = 200,
        retry_after: str | None = None,
        share_sent: float = 1,
    ) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        extra = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n{extra}\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + raw[: int(len(raw) * share_sent)])

    def error(self, status: int, words: str) -> None:
        self.send(
            {"error": {"message": words, "code": status}},
            status,
            self.state.dials.retry_after,
        )

    async def answer(
        self, method: str, path: str, headers: dict[str, str], raw: bytes
    ) -> None:
        state, dials = self.state, self.state.dials
        if (
            dials.api_key
            and path.startswith("/v1")
            and headers.get("authorization") != f"Bearer {dials.api_key}"
        ):
            return self.error(401, f"refused: {headers.get('authorization')}")
        body = json.loads(raw or b"{}")
        if dials.mute and path not in ("/dials", "/reset", "/stats", "/log", "/counts"):
            await asyncio.sleep(3600)
        if path == "/v1/chat/completions":
            return await self.chat(body)
        if path == "/metrics" and dials.metrics:
            return self.send(metrics(state))
        if path == "/v1/models":
            model = {
                "object": "model",
                "owned_by": "cotbuild-tests",
                "max_model_len": dials.max_model_len,
            }
            return self.send(
                {
                    "object": "list",
                    "data": [model | {"id": name} for name in dials.models],
                }
            )
        if path == "/tokenize" and dials.max_model_len:
            return self.send(tokenize(dials, body), dials.tokenize_status)
        if method == "POST" and path in ("/dials", "/reset"):
            state.set_dials(
                replace(dials, **body)
            ) if path == "/dials" else state.reset(Dials(**body))
            return self.send(asdict(state.dials))
        looks: dict[str, object] = {
            "/health": {},
            "/version": {"version": "fake-1"},
            "/stats": state.stats(),
        }
        looks |= {"/log": state.log, "/counts": state.counts}
        return (
            self.send(looks[path])
            if path in looks
            else self.error(404, f"no {path} here")
        )

    async def chat(self, body: JSON) -> None:
        state, dials, key = self.state, self.state.dials, key_of(body)
        if body["model"] not in dials.models:
            return self.error(404, f"The model {body['model']!r} does not exist.")
        state.counts[key] += 1
        if refusal := refusal_of(dials, body):
            return self.error(400, refusal)
        fault = fault_of(dials, key, state.counts[key])
        if dials.hang_after is not None and state.counts.total() > dials.hang_after:
            fault = "hang"
        if dials.at_most and state.in_flight >= dials.at_most:
            return self.error(429, "too many requests")
        state.in_flight += 1
        state.peak = max(state.peak, state.in_flight)
        try:
            while state.dials.held:
                await asyncio.sleep(0.02)
            async with state.slots:
                if wait_s := latency_s(dials, key):
                    await self.serve(wait_s)
        finally:
            state.in_flight -= 1
        return await self.finish(fault, body, key)

    async def serve(self, wait_s: float) -> None:
        start_s = time.monotonic()
        self.state.started_s.add(start_s)
        try:
            await asyncio.sleep(wait_s)
            self.state.busy_s += wait_s
        finally:
            self.state.started_s.discard(start_s)

    async def finish(self, fault: str | None, body: JSON, key: str) -> None:
        dials, log = self.state.dials, self.state.log
        if fault == "hang":
            await asyncio.sleep(3600)
        elif fault == "reset":
            self.transport.abort()
        elif fault and fault.startswith("http_"):
            self.error(int(fault.removeprefix("http_")), f"fault on a dial: {fault}")
        elif fault == "bad_json":
            self.send(b'{"choices": [{"mess')
        else:
            nonce = nonce_word(len(log), dials.name)
            answer = completion(dials, body, key, nonce)
            spoil(fault, answer)
            if fault is None:
                log.append((key, nonce, not self.transport.is_closing()))
            self.send(answer, share_sent=0.5 if fault == "half_body" else 1)
            if fault == "half_body":
                self.transport.close()


# -- for tests ---------------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """A running server, as a test sees it."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"

    def get(self, path: str, data: JSON | None = None) -> Any:
        raw = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(
            urllib.request.Request(self.root + path, raw), timeout=30
        ) as answer:
            return json.load(answer)

    def stats(self) -> JSON:
        """requests, keys, repeated, num_connections, in_flight, peak, busy_s."""
        return dict(self.get("/stats"))

    def counts(self) -> dict[str, int]:
        """How often each key was asked; a failed attempt counts."""
        return dict(self.get("/counts"))

    def first_nonces(self) -> dict[str, str]:
        """The nonce of the first completion written to an open connection, by key."""
        return {key: nonce for key, nonce, sent in reversed(self.get("/log")) if sent}

    def set(self, **dials: Any) -> None:
        """Change dials while it runs."""
        self.get("/dials", dials)

    def reset(self, **dials: Any) -> None:
        """Forget everything and take these dials, the rest at their defaults."""
        self.get("/reset", dials)


@contextlib.contextmanager
def serve(uds: Path | None = None, port: int = 0, **dials: Any) -> Iterator[Server]:
    """Run the server in another process with these dials."""
    command = [
        sys.executable,
        __file__,
        "--port",
        str(port),
        *(f"{name}={json.dumps(value)}" for name, value in dials.items()),
    ]
    command += ["--uds", str(uds)] if uds else []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()), process.pid)
        finally:
            process.stdin.close()  # it ends then; a test may also have killed it


async def run(port: int, uds: str | None, dials: Dials) -> None:
    """Serve until stdin ends."""
    loop, state = asyncio.get_running_loop(), State(dials)
    server = await loop.create_server(
        lambda: Connection(state), "127.0.0.1", port, backlog=4096
    )
    if uds:
        await loop.create_unix_server(lambda: Connection(state), uds, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)  # at once: hanging requests are not waited for


def main() -> None:
    """Parse name=JSON dials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--uds")
    parser.add_argument("dials", nargs="*", metavar="NAME=JSON")
    args = parser.parse_args()
    given = {
        name: json.loads(value)
        for name, _, value in (dial.partition("=") for dial in args.dials)
    }
    asyncio.run(run(args.port, args.uds, Dials(**given)))


if __name__ == "__main__":
    main()
