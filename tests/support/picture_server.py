"""A server of pictures, and a network in which its address is the only public one."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from aiohttp.abc import ResolveResult

from cotbuild.builder.media.addresses import Network

Route = Callable[[BaseHTTPRequestHandler], None]
HERE = "127.0.0.1"
PRIVATE = "127.0.0.2"


class LocalNetwork(Network):
    """Names lead to loopback addresses, of which HERE alone counts as public.

    `inside.test` is at PRIVATE; `both.test` is at HERE and at PRIVATE; `gone.test` is
    nowhere; every other name is at HERE. `lookups` has the names that were looked up.
    """

    def __init__(self) -> None:
        self.lookups: list[str] = []

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[ResolveResult]:
        del family
        self.lookups.append(host)
        places = {
            "inside.test": [PRIVATE],
            "both.test": [HERE, PRIVATE],
            "gone.test": [],
        }
        addresses = places.get(host, [HERE])
        if not addresses:
            raise OSError("Name or service not known")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    def is_public(self, address: str) -> bool:
        return address == HERE


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


class PictureServer:
    """Serves `routes` by path; a context manager.

    `requests` has the paths that were asked for, `headers` those of the last request.
    """

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.requests: list[str] = []
        self.headers: dict[str, str] = {}
        self.network = LocalNetwork()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.headers = dict(self.headers)
                server.routes.get(self.path, send_status(404))(self)

            def log_message(self, *_: object) -> None:
                """Write no log."""

        self._http = _Server((HERE, 0), Handler)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.01,), daemon=True
        )

    def url(self, path: str, host: str = "pictures.test") -> str:
        """The URL of a path on the server."""
        return f"http://{host}:{self._http.server_port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def send_bytes(data: bytes, **headers: str) -> Route:
    """A route that sends a body."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return route


def send_status(status: int) -> Route:
    """A route that sends an error."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_error(status)

    return route


def send_redirect(location: str) -> Route:
    """A route that leads elsewhere."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.send_header("Set-Cookie", "seen=1")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return route


def send_without_end(chunk: bytes) -> Route:
    """A route that sends until the client hangs up."""

    def route(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(chunk)
        except OSError:
            handler.close_connection = True

    return route
