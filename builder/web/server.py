"""uvicorn in this process: one worker, quiet, and gone five seconds after a signal.

An open stream of events would keep the server from ending until its client goes away
(measured: 18 s). `app.state.stopping` is set when a signal comes, and whatever streams
must watch it.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from cotbuild.builder.console import print_message
from cotbuild.schemas.errors import ConfigError, StoreError

SHUTDOWN_S: Final = 5
"""Longest time that requests under way have after a signal, seconds."""
HEADERS_S: Final = 15.0
"""Longest time from the first byte of a request to the end of its headers, seconds."""
MAX_HEADERS_BYTES: Final = 32 << 10
"""What a client may send without completing its headers."""
MAX_CONNECTIONS: Final = 1_000
MAX_PORT: Final = 65_535
_BACKLOG: Final = 256


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at a host's port; 0 is any free port.

    Raises ConfigError if the host is unknown or another process has the port.
    """
    if not 0 <= port <= MAX_PORT:
        raise ConfigError(f"{port} is no port. Pass a number from 0 to {MAX_PORT}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host.strip("[]"), port), family=family, backlog=_BACKLOG
        )
    except OSError as error:
        raise ConfigError(
            f"{host}:{port}: cannot be listened at: {error.strerror}. Pass another port, or 0 for "
            "any free one."
        ) from error


def url_of(sock: socket.socket) -> str:
    """Return the address of a listening socket, such as `http://127.0.0.1:8000`."""
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if sock.family == socket.AF_INET6 else host
    return f"http://{shown}:{port}"


def run_server(
    app: FastAPI, sock: socket.socket, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serve `app` at a socket until SIGINT or SIGTERM, then return.

    `on_ready` is called once requests are answered. Raises StoreError if the app does
    not start.
    """
    WebServer(app, sock, on_ready).run()


class WebServer:
    """A server that a signal, or `stop()` from any thread, ends."""

    def __init__(
        self,
        app: FastAPI,
        sock: socket.socket,
        on_ready: Callable[[], None] = lambda: None,
        headers_s: float = HEADERS_S,
    ) -> None:
        self.url = url_of(sock)
        self._app = app
        self._sock = sock
        self._on_ready = on_ready
        self._headers_s = headers_s
        self._server: _Server | None = None

    def run(self) -> None:
        """Serve until told to stop. Raises StoreError if the app does not start."""
        try:
            asyncio.run(self._serve())
        finally:
            self._sock.close()

    def stop(self) -> None:
        """Have `run` return: requests under way have `SHUTDOWN_S` to end."""
        if self._server is not None:
            self._server.stop()

    def _protocol(self) -> type[H11Protocol]:
        return type("Protocol", (_ImpatientProtocol,), {"headers_s": self._headers_s})

    async def _serve(self) -> None:
        self._app.state.stopping = asyncio.Event()
        config = uvicorn.Config(
            self._app,
            http=self._protocol(),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=SHUTDOWN_S,
            h11_max_incomplete_event_size=MAX_HEADERS_BYTES,
        )
        self._server = _Server(config, self._app.state.stopping, self._on_ready)
        with _log_to_console():
            try:
                await self._server.serve(sockets=[self._sock])
            except SystemExit:
                raise StoreError(
                    "the server did not start. The lines above say why."
                ) from None


class _Server(uvicorn.Server):
    """Sets an event when it is to stop, and leaves it to the caller how to exit."""

    def __init__(
        self,
        config: uvicorn.Config,
        stopping: asyncio.Event,
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._on_ready = on_ready
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def stop(self) -> None:
        self.should_exit = True
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stopping.set)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and sig == signal.SIGINT
        del frame
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal. uvicorn's own would raise the signal again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _ImpatientProtocol(H11Protocol):
    """Closes a connection whose headers do not become complete.

    uvicorn waits for them without end, so a few hundred idle clients would take all
    connections.
    """

    headers_s = HEADERS_S
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.headers_s, transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_waiting = self.conn.their_state is h11.IDLE
        has_begun = bool(self.conn.trailing_data[0])
        if not is_waiting:
            self._stop_timer()
        elif has_begun and self._timer is None:
            self._timer = self.loop.call_later(self.headers_s, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _ConsoleHandler(logging.Handler):
    """Prints log records line by line, with hidden characters escaped."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            print_message(line)


@contextlib.contextmanager
def _log_to_console() -> Iterator[None]:
    """Print what uvicorn warns of; its notes about starting and stopping are left out."""
    logger = logging.getLogger("uvicorn")
    handler = _ConsoleHandler(logging.WARNING)
    level = logger.level
    propagate = logger.propagate
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
