"""The server ends soon after a signal, whatever its clients do."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI

from cotbuild.builder.web.server import bind, run_server, url_of
from cotbuild.schemas.errors import ConfigError, StoreError
from tests.support.waiting import HANG_S
from tests.support.web_servers import serving

STREAMING_SERVER = """
import asyncio
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from cotbuild.builder.web.server import bind, run_server, url_of

app = FastAPI()

@app.get("/events")
def events():
    async def lines():
        yield b"first\\n"
        await app.state.stopping.wait()
        yield b"last\\n"
    return StreamingResponse(lines())

@app.get("/endless")
def endless():
    async def lines():
        yield b"first\\n"
        await asyncio.Event().wait()
    return StreamingResponse(lines())

sock = bind("127.0.0.1", 0)
run_server(app, sock, on_ready=lambda: print(url_of(sock), flush=True))
print("ended", flush=True)
"""


@contextmanager
def streaming_server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STREAMING_SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_of_events_sees_that_the_server_ends(number: signal.Signals) -> None:
    with (
        streaming_server() as (process, url),
        httpx.stream("GET", f"{url}/events", timeout=HANG_S) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "first"
        process.send_signal(number)
        assert list(lines) == ["last"]
        out, err = process.communicate(timeout=HANG_S)
        assert (process.returncode, out, err) == (0, "ended\n", "")


@pytest.mark.slow
def test_a_stream_that_does_not_look_is_cut_off() -> None:
    with (
        streaming_server() as (process, url),
        httpx.stream("GET", f"{url}/endless", timeout=HANG_S) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "first"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
        out, err = process.communicate(timeout=HANG_S)
        assert (process.returncode, out) == (0, "ended\n")
        assert "timeout graceful shutdown exceeded" in err


def test_a_port_that_is_taken_is_one_line() -> None:
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: cannot be listened"):
            bind("127.0.0.1", port)
    with pytest.raises(ConfigError, match="no-such-host"):
        bind("no-such-host.invalid", 0)
    with pytest.raises(ConfigError, match="70000 is no port"):
        bind("127.0.0.1", 70_000)


def test_the_address_is_one_to_open() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
    if socket.has_dualstack_ipv6():
        with bind("[::1]", 0) as sock:
            assert url_of(sock) == f"http://[::1]:{sock.getsockname()[1]}"


def test_an_app_that_does_not_start_is_one_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    app = FastAPI()

    def lifespan(_: FastAPI) -> None:
        raise ConfigError("the table of jobs is that of a newer version")

    app.router.lifespan_context = lifespan  # type: ignore[assignment]
    with pytest.raises(StoreError, match="did not start"):
        run_server(app, bind("127.0.0.1", 0))
    assert "newer version" in capfd.readouterr().err


def test_headers_that_do_not_become_complete_end_the_connection() -> None:
    app = FastAPI()

    @app.get("/")
    def root() -> str:
        return "here"

    with serving(app, headers_s=0.2) as server:
        port = int(server.url.rpartition(":")[2])
        silent = socket.create_connection(("127.0.0.1", port))
        slow = socket.create_connection(("127.0.0.1", port))
        second = socket.create_connection(("127.0.0.1", port))
        with silent, slow, second:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            second.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while b"here" not in answer:
                answer += second.recv(4096)
            second.sendall(b"GET / HTTP/1.1\r\n")
            for connection in (silent, slow, second):
                connection.settimeout(HANG_S)
                assert connection.recv(4096) == b""
        assert httpx.get(server.url).json() == "here"
