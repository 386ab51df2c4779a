"""The Unix socket of one job: what reaches the teacher through it is the job's.

The socket is the job's identity; nothing in a request says whose it is.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from cotbuild.builder.service.teachers.hosted_server import HostedServer
from cotbuild.builder.service.teachers.upstream import Reply, UpstreamLost
from cotbuild.builder.teachers.http.bodies import MAX_COMPLETION_BYTES, MAX_LIST_BYTES
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.service.teacher import HostedJob, TeacherJob

MAX_BODY_BYTES = 256 << 20
"""Longest request: a window's worth of pictures for one question stays below it."""
MAX_QUEUED = 4096
"""Requests of one job that wait for a slot; a job has no more than its window."""
MAX_PARSED_BYTES = 1 << 20
"""Longest request that is parsed for its max_tokens; one with pictures is longer."""
MAX_SMALL_CALLS = 8
"""Calls beside completions that one job has under way."""
MAX_WAIT_S = 20.0
"""Longest wait for a change of the offer, below the client's time limit."""
SHUTDOWN_S = 0.1
"""From the end of a job to the end of its requests."""
CHECK_S = 0.5
"""How often a state is looked at that no line has told of."""
OFFER_PATH = "/teacher"

PLAIN_GETS = ("/v1/models", "/version", "/health", "/metrics")


class JobSite:
    """Serves one job on its own socket.

    Args:
        job: Whose socket it is.
        server: The teacher.
        socket: Path of the socket, in a folder that only this user can enter.
    """

    def __init__(self, job: HostedJob, server: HostedServer, socket: Path) -> None:
        self.job = job
        self.socket = socket
        self.num_finished = 0
        self.last_request_s = 0.0
        """Of the event loop's clock."""
        self._server = server
        self._small_calls = asyncio.Semaphore(MAX_SMALL_CALLS)
        self._runner = web.AppRunner(
            self._create_app(),
            # A child that is killed or stopped leaves its slots at once.
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=SHUTDOWN_S,
        )

    async def start(self) -> None:
        """Listen; raises OSError if the socket cannot be made."""
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()
        self.socket.chmod(0o600)

    async def close(self) -> None:
        """Break off the job's requests and remove the socket."""
        await self._runner.cleanup()
        self.socket.unlink(missing_ok=True)
        self._server.gate.slots.forget(self.job.id)

    def status(self) -> TeacherJob:
        """Return the job's load."""
        in_flight, queued = self._server.gate.slots.load_of(self.job.id)
        return TeacherJob(
            id=self.job.id,
            owner=self.job.owner,
            in_flight=in_flight,
            queued=queued,
            finished=self.num_finished,
        )

    def _create_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get(OFFER_PATH, self._offer)
        for path in PLAIN_GETS:
            app.router.add_get(path, self._call)
        app.router.add_post("/tokenize", self._call)
        app.router.add_post("/v1/chat/completions", self._complete)
        return app

    # -- handlers --------------------------------------------------------------

    async def _offer(self, request: web.Request) -> web.Response:
        """Start the teacher if it is not, and describe it.

        Where `wait` seconds are given, it is not answered before there is a line from
        number `since` on, or a state that differs from `state`.
        """
        query = request.query
        try:
            max_images = int(query.get("images", "0"))
            since = int(query.get("since", "0"))
            wait_s = min(float(query.get("wait", "0")), MAX_WAIT_S)
        except ValueError:
            return refuse(400, "images, since and wait are numbers")
        self._touch()
        self._server.require(max_images)
        known_state = query.get("state")
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        offer = self._server.offer(since)
        while not offer.lines and offer.state == known_state and loop.time() < end_s:
            await self._server.lines.wait_for_next(CHECK_S)
            offer = self._server.offer(since)
        return web.json_response(text=offer.model_dump_json())

    async def _call(self, request: web.Request) -> web.StreamResponse:
        """Forward a small call, which takes no slot."""
        self._touch()
        async with self._small_calls:
            try:
                session = await self._server.session()
                body = await request.read()
                path = request.path.removeprefix("/")
                async with session.client.send(request.method, path, body) as reply:
                    return await relay(request, reply, MAX_LIST_BYTES)
            except TeacherError as fault:
                return refuse(503, str(fault))
            except UpstreamLost as fault:
                return refuse(502, f"vLLM is gone: {fault}")

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        """Forward a request for a completion once it has a slot.

        Its body is read only then, so that what waits takes no memory.
        """
        self._touch()
        _, num_queued = self._server.gate.slots.load_of(self.job.id)
        if num_queued >= MAX_QUEUED:
            return refuse(429, f"{num_queued} requests of this job wait already")
        async with self._server.gate.slot(self.job.owner, self.job.id):
            try:
                async with asyncio.timeout(self.job.max_answer_s) as limit:
                    return await self._forward(request)
            except TeacherError as fault:
                return refuse(503, str(fault))
            except UpstreamLost as fault:
                return refuse(502, f"vLLM is gone: {fault}")
            except TimeoutError:
                if not limit.expired():
                    raise
                return refuse(
                    504,
                    f"no whole answer within {self.job.max_answer_s:g} s "
                    "(teacher.max_answer_s)",
                )
            finally:
                self._touch()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        async with self._server.lease() as (server, session):
            body = await request.read()
            with server.asking(read_max_tokens(body)):
                try:
                    async with session.client.send(
                        "POST", "v1/chat/completions", body
                    ) as reply:
                        response = await relay(request, reply, MAX_COMPLETION_BYTES)
                except UpstreamLost:
                    session.lost_last = True
                    raise
                finally:
                    session.tokens.restart()
            if reply.status == 200:
                server.record_completion()
        if reply.status < 500:
            self.num_finished += 1
        return response

    def _touch(self) -> None:
        self.last_request_s = asyncio.get_running_loop().time()


async def relay(request: web.Request, reply: Reply, limit: int) -> web.StreamResponse:
    """Send a response on, as it comes.

    Raises UpstreamLost if it breaks off before the first byte. After that only a broken
    connection can tell: it is closed.
    """
    chunks = reply.chunks(limit)
    first = await anext(chunks, b"")
    response = web.StreamResponse(status=reply.status)
    response.content_type = reply.content_type.partition(";")[0].strip()
    if reply.retry_after is not None:
        response.headers["Retry-After"] = reply.retry_after
    await response.prepare(request)
    try:
        await _write_all(response, first, chunks)
    except UpstreamLost:
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


async def _write_all(
    response: web.StreamResponse, first: bytes, chunks: AsyncIterator[bytes]
) -> None:
    await response.write(first)
    async for chunk in chunks:
        await response.write(chunk)


def refuse(status: int, message: str) -> web.Response:
    """Return an error in the form of OpenAI's API."""
    return web.json_response({"error": {"message": message}}, status=status)


def read_max_tokens(body: bytes) -> int:
    """Return the most tokens that a request may generate; 0 where it is not known.

    It only bounds for how long new tokens count as progress.
    """
    if len(body) > MAX_PARSED_BYTES:
        return 0
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return 0
    limit = value.get("max_tokens") if isinstance(value, dict) else None
    return limit if type(limit) is int and 0 < limit < 1 << 31 else 0
