"""One endpoint as every kind of call sees it: connections, bounds, errors, the key."""

from pathlib import Path
from typing import NamedTuple

import aiohttp
from yarl import URL

from cotbuild.builder.teachers.http.bodies import (
    MAX_ERROR_BYTES,
    BodyTooLong,
    read_body,
    read_body_start,
)
from cotbuild.builder.teachers.http.connection import (
    CONNECT_TIMEOUT_S,
    Connections,
    parse_base_url,
    parse_key,
)
from cotbuild.builder.teachers.http.connection_faults import (
    advise_on_fault,
    describe_fault,
)
from cotbuild.builder.teachers.http.refusals import explain_refusal, is_transient
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.server_errors import ServerError, parse_error
from cotbuild.schemas.errors import TeacherError

CALL_TIMEOUT_S = 60.0
"""Time limit of the small calls."""


class Unreachable(TeacherError):
    """The server cannot be reached or is not ready, but may be later.

    Any other TeacherError is a wrong setting.
    """


class Reply(NamedTuple):
    """The response to a small call, read."""

    response: aiohttp.ClientResponse
    raw: bytes

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status


class EndpointSession:
    """The connections to one endpoint, and what all calls on them share.

    Args:
        base_url: The URL that ends in /v1.
        model: The name under which the server serves the model.
        api_key: Sent as a bearer token; never part of an error, a log, provenance or a
            repr.
        uds: A Unix socket to connect through; `base_url` then only gives the path.
        call_timeout_s: Time limit in seconds of every call but a completion.
        max_answer_s: Time limit in seconds of a completion; None for none.

    Raises:
        ConfigError: The URL or the key is malformed.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None,
        uds: Path | None,
        call_timeout_s: float,
        max_answer_s: float | None,
    ) -> None:
        self.base = parse_base_url(base_url)
        self.model = model
        # vLLM serves /tokenize, /version and /metrics beside /v1, not under it.
        self.root = self.base.parent if self.base.name == "v1" else self.base
        self.max_answer_s = max_answer_s
        self._api_key = parse_key(api_key)
        self.secret = SecretFilter(self._api_key)
        self._uds = uds
        self._call_timeout = aiohttp.ClientTimeout(
            total=call_timeout_s, sock_connect=CONNECT_TIMEOUT_S
        )
        self._connections: Connections | None = None

    def open(self) -> None:
        """Open the connections; needs a running event loop. Raises ConfigError."""
        self._connections = Connections(
            self.base, self._api_key, self._uds, self.max_answer_s
        )

    async def close(self) -> None:
        """Close the connections, if they are open."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    @property
    def connections(self) -> Connections:
        """The open connections; raises TeacherError if they are not open."""
        if self._connections is None:
            raise TeacherError(f"{self.base}: used outside its `async with` block.")
        return self._connections

    async def call(
        self, method: str, url: URL, limit: int, data: bytes | None = None
    ) -> Reply:
        """Make one small call outside the hot path.

        Args:
            limit: Longest body of a 200 in bytes. Of any other status, no more than
                MAX_ERROR_BYTES are read.

        Raises:
            Unreachable: The server cannot be reached.
            TeacherError: The body is longer than `limit`.
        """
        fault: Exception
        try:
            async with await self.connections.send(
                method, url, data=data, timeout=self._call_timeout
            ) as response:
                if response.status == 200:
                    return Reply(response, await read_body(response, limit))
                return Reply(response, await read_body_start(response, MAX_ERROR_BYTES))
        except (aiohttp.ClientError, OSError, BodyTooLong) as caught:
            fault = caught
        # Raised out here, because aiohttp's exceptions hold the headers, with the key.
        raise self._call_error(url, fault)

    def _call_error(self, url: URL, fault: Exception) -> TeacherError:
        if isinstance(fault, TimeoutError):
            reason = f"no answer within {self._call_timeout.total:g} s"
        else:
            reason = describe_fault(fault, self.secret)
        message = f"{url}: {reason}. {advise_on_fault(fault)}"
        if isinstance(fault, BodyTooLong):
            return TeacherError(message)
        return Unreachable(message)

    def parse_error(self, raw: bytes) -> ServerError:
        """Read the body of an error, without the key that a server may quote."""
        return parse_error(raw, self.secret)

    def refusal_error(
        self,
        response: aiohttp.ClientResponse,
        error: ServerError,
        status: int | None = None,
    ) -> TeacherError:
        """Return the exception for a response that makes further requests pointless.

        Args:
            status: The status that the body of a 200 names; None for that of HTTP.
        """
        status = response.status if status is None else status
        message = explain_refusal(
            str(response.url),
            status,
            error,
            response.headers,
            model=self.model,
            sent_key=self._api_key is not None,
        )
        message = self.secret.redact(message)  # the Location may hold it
        return Unreachable(message) if is_transient(status) else TeacherError(message)
