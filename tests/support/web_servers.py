"""A real server in a thread, at a free port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from cotbuild.builder.web.server import HEADERS_S, WebServer, bind
from tests.support.waiting import HANG_S


@contextmanager
def serving(
    app: FastAPI, host: str = "127.0.0.1", *, headers_s: float = HEADERS_S
) -> Iterator[WebServer]:
    """Serve `app` while the block runs; the value has the address as `url`."""
    ready = threading.Event()
    server = WebServer(app, bind(host, 0), ready.set, headers_s)
    thread = threading.Thread(target=server.run, name="web server")
    thread.start()
    try:
        assert ready.wait(HANG_S), "the server did not start"
        yield server
    finally:
        server.stop()
        thread.join(HANG_S)
        assert not thread.is_alive(), "the server did not stop"
