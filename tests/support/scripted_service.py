"""A service that answers what a test tells it, for faults that a real one has not."""

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JOB_ID = "0123456789abcdef"


@dataclass
class Answer:
    """What one request gets."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Whether the connection ends before the body does."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def reply(value: Any, status: int = 200, **headers: str) -> Answer:
    """A whole answer of JSON."""
    content_type = "application/json" if status < 300 else "application/problem+json"
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(
        status, json.dumps(value).encode(), {"Content-Type": content_type, **named}
    )


def problem(status: int, detail: str, hint: str | None = None) -> Answer:
    """An error as the service writes it."""
    value = {"title": "x", "status": status, "code": "x", "detail": detail}
    return reply(value | ({"hint": hint} if hint else {}), status)


def job(state: str = "queued", **fields: Any) -> dict[str, Any]:
    """A job as the service writes it, with a field that no client knows."""
    return {
        "id": JOB_ID,
        "kind": "generate",
        "target": "mine",
        "owner": "ann",
        "state": state,
        "created_at": "2026-01-01T10:00:00.000Z",
        "request": {},
        "of_a_newer_version": True,
        **fields,
    }


def stream(*events: tuple[str, Any], cut: bool = False) -> Answer:
    """Server-sent events, numbered from 1."""
    lines = [": keepalive\n\n"]
    for number, (name, value) in enumerate(events, 1):
        lines.append(f"event: {name}\nid: {number}\ndata: {json.dumps(value)}\n\n")
    headers = {"Content-Type": "text/event-stream"}
    return Answer(200, "".join(lines).encode(), headers, cut)


class ScriptedService:
    """Answers requests by method and path in the order of the answers."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._answers: dict[str, deque[Answer]] = {}

    def will(self, request: str, *answers: Answer) -> None:
        """Answer `METHOD /path` with these, the last of them from then on."""
        self._answers[request] = deque(answers)

    def answer(self, asked: Asked) -> Answer:
        """Return the next answer to a request."""
        self.asked.append(asked)
        path = asked.path.partition("?")[0]
        answers = self._answers.get(f"{asked.method} {path}")
        if answers is None:
            return problem(404, f"{path} was not found.")
        return answers.popleft() if len(answers) > 1 else answers[0]

    def requests(self) -> list[str]:
        """Return method and path of every request."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]


@contextmanager
def serve_scripted() -> Iterator[ScriptedService]:
    """Serve on loopback."""
    service = ScriptedService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                self.command, self.path, dict(self.headers), self.rfile.read(length)
            )
            answer = service.answer(asked)
            self.send_response(answer.status)
            length = len(answer.body) + (1000 if answer.cut else 0)
            for name, text in {"Content-Length": str(length), **answer.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.close_connection = self.close_connection or answer.cut

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = respond

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
