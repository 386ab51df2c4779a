"""A teacher that a service runs for many jobs, reached through the job's own socket.

The service starts the vLLM server and gives the requests of its jobs their slots; see
builder/service/teachers. What is asked here is what a managed teacher of the same
configuration is asked: the same identity, so the same request keys.
"""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
from pydantic import ValidationError
from yarl import URL

from cotbuild.builder.teachers.base import Servers
from cotbuild.builder.teachers.http.bodies import (
    MAX_LIST_BYTES,
    BodyTooLong,
    read_body,
)
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.connection import Connections
from cotbuild.builder.teachers.http.images import ImageUrl, refuse_image
from cotbuild.builder.teachers.http.wire import RetryableFailure, backoff_s
from cotbuild.schemas.completion import Answer, Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.service.teacher import (
    SOCKET_VARIABLE,
    TeacherOffer,
    TeacherState,
)
from cotbuild.schemas.teacher_config import TeacherConfig

BASE_URL = "http://localhost/v1"
"""Only its path matters on a Unix socket."""
OFFER_URL = URL("http://localhost/teacher")
LOST = "the service's teacher has ended"
WAIT_S = 15.0
OFFER_TIMEOUT_S = 30.0
POLL_S = 0.2
MAX_SILENT_TRIES = 3
"""Times that the socket is tried again where it accepts a connection and is silent."""
ANSWER_TIMEOUT = "HTTP 504: "
"""What the service answers once teacher.max_answer_s is over; vLLM sends no 504."""


class SharedTeacher:
    """A teacher of a service. Entering waits until its server is up.

    Entering and `ask` raise TeacherError once the server has failed for good, or the
    socket is gone: the service then queues the job again.

    Args:
        config: The teacher's model and settings.
        identity: What `teacher_identity` returned for it.
        socket: The job's socket.
        say: Receives lines about starts and restarts.
        image_url: Returns the URL under which a picture is sent.
        max_images: The most pictures of one request.
    """

    def __init__(
        self,
        config: TeacherConfig,
        identity: str,
        socket: Path,
        say: Callable[[str], None],
        *,
        image_url: ImageUrl = refuse_image,
        max_images: int = 0,
    ) -> None:
        self._config = config
        self._identity = identity
        self._socket = socket
        self._say = say
        self._image_url = image_url
        self._max_images = max_images
        self._offer: TeacherOffer | None = None
        self._next_line = 0
        self._connections: Connections | None = None
        self._client: EndpointClient | None = None
        self._waiting = asyncio.Lock()
        self._follower: asyncio.Task[None] | None = None

    @property
    def window(self) -> int:
        """Requests in flight: as many as the engine decodes together.

        The service hands out slots, so that jobs of equal claim get equally many; a
        job that is alone gets all of them.
        """
        return self._config.window or self._entered_offer().slots

    async def __aenter__(self) -> Self:
        self._connections = Connections(OFFER_URL, None, self._socket)
        try:
            self._offer = await self._wait_until_up()
            self._client = EndpointClient(
                BASE_URL,
                self._offer.served_name,
                uds=self._socket,
                # The time in the service's queue is no part of an answer's time, so the
                # service applies teacher.max_answer_s.
                max_answer_s=None,
                image_url=self._image_url,
            )
            await self._client.__aenter__()
            self._follower = asyncio.create_task(self._follow_lines())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.__aexit__()
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check."""
        return await self._entered_client().check(sample)

    def provenance(self) -> dict[str, Any]:
        """Return what a managed teacher returns, and that it was shared."""
        return {
            "kind": "managed",
            "shared": True,
            "model": Path(self._config.model).name,
            **(self._entered_offer().facts or {}),
        }

    def servers(self) -> Servers:
        """Return the one server, without its GPUs: other jobs use them too."""
        return Servers(up=1, total=1)

    async def ask(self, request: Request) -> Answer:
        """See Teacher.ask.

        A request in flight when the server dies is sent again to the next server; that
        counts as an attempt, as for a managed teacher.
        """
        client = self._entered_client()
        num_attempts = 0
        while True:
            outcome = await client.attempt(request)
            if not isinstance(outcome, RetryableFailure):
                return outcome
            num_attempts += 1
            is_last = outcome.last or outcome.message.startswith(ANSWER_TIMEOUT)
            if outcome.lost or outcome.gateway_error:
                # Perhaps there is no teacher any more; then there is no failure either.
                await self._wait_until_up()
            if num_attempts == self._config.max_attempts or is_last:
                return outcome.to_failure(request.request_key)
            await asyncio.sleep(
                backoff_s(num_attempts, outcome.after_s, random.random(), first_s=0.5)
            )

    # -- the service's teacher -------------------------------------------------

    async def _follow_lines(self) -> None:
        """Show what the teacher says while requests are under way.

        What it means for a request, `ask` finds out.
        """
        state = TeacherState.UP
        while True:
            try:
                offer = await self._fetch_offer(state)
                if offer is None:
                    await asyncio.sleep(POLL_S)
                    continue
                self._accept(offer)
            except TeacherError:
                return
            state = offer.state

    async def _wait_until_up(self) -> TeacherOffer:
        """Wait until the server is up; one of many requests asks, the others wait.

        Raises TeacherError once it has failed for good or the socket is gone.
        """
        async with self._waiting:
            num_silent = 0
            state: TeacherState | None = None
            while num_silent < MAX_SILENT_TRIES:
                offer = await self._fetch_offer(state)
                if offer is None:
                    num_silent += 1
                    continue
                num_silent = 0
                self._accept(offer)
                state = offer.state
                if state == TeacherState.UP:
                    if offer.max_images >= self._max_images:
                        return offer
                    await asyncio.sleep(POLL_S)  # it is about to be started again
            raise _lost_error("it does not answer")

    async def _fetch_offer(self, state: TeacherState | None) -> TeacherOffer | None:
        """Ask what the service offers; None if the answer breaks off.

        Args:
            state: The state that is known, for the answer to wait for another one; None
                not to wait.

        Raises:
            TeacherError: Nothing listens on the socket.
        """
        assert self._connections is not None
        query = {"images": str(self._max_images), "since": str(self._next_line)}
        if state is not None:
            query |= {"state": state.value, "wait": str(WAIT_S)}
        timeout = aiohttp.ClientTimeout(total=OFFER_TIMEOUT_S)
        try:
            async with await self._connections.send(
                "GET", OFFER_URL.with_query(query), timeout=timeout
            ) as response:
                raw = await read_body(response, MAX_LIST_BYTES)
                return TeacherOffer.model_validate_json(raw)
        except aiohttp.ClientConnectorError as fault:
            raise _lost_error(fault.strerror or type(fault).__name__) from fault
        except (aiohttp.ClientError, OSError, BodyTooLong):
            return None
        except ValidationError as fault:
            raise TeacherError(
                "teacher: the service's teacher is of another version of cotbuild. "
                "Restart the service."
            ) from fault

    def _accept(self, offer: TeacherOffer) -> None:
        """Show what the teacher said; raises TeacherError if it is not the right one."""
        num_new = max(offer.next_line - self._next_line, 0)
        self._next_line = max(offer.next_line, self._next_line)
        for line in offer.lines[-num_new:] if num_new else ():
            self._say(line)
        if offer.identity != self._identity:
            raise TeacherError(
                f"teacher: the service runs {offer.identity!r}, and this build needs "
                f"{self._identity!r}. Run the job again."
            )
        if offer.state == TeacherState.FAILED:
            raise TeacherError(offer.message or "managed vLLM: failed.")

    def _entered_offer(self) -> TeacherOffer:
        if self._offer is None:
            raise TeacherError("shared teacher: used outside its `async with` block.")
        return self._offer

    def _entered_client(self) -> EndpointClient:
        if self._client is None:
            raise TeacherError("shared teacher: used outside its `async with` block.")
        return self._client


def _lost_error(reason: str) -> TeacherError:
    return TeacherError(
        f"teacher: {LOST} ({reason}). Every answer received is kept; run the job again."
    )


def find_socket() -> Path | None:
    """Return the socket of the service's teacher, if this process was given one."""
    path = os.environ.get(SOCKET_VARIABLE)
    return Path(path) if path else None
