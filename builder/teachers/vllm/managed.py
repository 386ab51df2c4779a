"""A teacher that runs its own vLLM servers and talks to them over Unix sockets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cotbuild.builder.teachers.base import Servers
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.images import ImageUrl, refuse_image
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.builder.teachers.vllm.server import ManagedServer
from cotbuild.builder.teachers.vllm.server_session import BASE_URL
from cotbuild.builder.teachers.vllm.servers import ManagedServers
from cotbuild.schemas.completion import Answer, Completion, Request
from cotbuild.schemas.teacher_config import TeacherConfig


class ManagedTeacher:
    """A teacher on vLLM servers that live as long as the `async with` block.

    Entering raises ConfigError if vLLM is not installed or the GPUs do not hold the
    weights, and TeacherError with the log's last error if no server starts. `ask` raises
    TeacherError once every server has failed after `max_restarts` restarts without a
    completion.

    Args:
        config: The teacher's model and server settings.
        identity: What `teacher_identity` returned for it.
        log_dir: The folder for the servers' logs.
        say: Receives lines about progress and restarts.
        image_url: Returns the URL under which a picture is sent.
        max_images: The most pictures of one request.
    """

    def __init__(
        self,
        config: TeacherConfig,
        identity: str,
        log_dir: Path,
        say: Callable[[str], None],
        *,
        image_url: ImageUrl = refuse_image,
        max_images: int = 0,
    ) -> None:
        self.num_retried = 0
        """Attempts after which a request was sent again."""
        self._config = config
        self._say = say
        self._image_url = image_url
        self._servers = ManagedServers(
            config,
            identity,
            log_dir,
            say,
            self._open_client,
            slots=lambda settings: config.window or settings.max_num_seqs,
            max_images=max_images,
        )

    @property
    def log(self) -> Path:
        """The log of the first server."""
        return self._servers.log

    @property
    def window(self) -> int:
        """Requests in flight: as many as the engines decode together.

        Known once entered.
        """
        return self._servers.num_servers * self._servers.slots_per_server

    async def __aenter__(self) -> Self:
        await self._servers.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._servers.__aexit__(*exc)
        use = self._servers.describe_use()
        if use is not None:
            self._say(use)

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check."""
        session = await self._servers.any_session()
        return await session.client.check(sample)

    def provenance(self) -> dict[str, Any]:
        """Return kind, model, engine and the chosen settings, without local paths."""
        return {
            "kind": "managed",
            "model": Path(self._config.model).name,
            **self._servers.facts(),
        }

    def servers(self) -> Servers:
        """Return the servers, those that are up, and the GPUs that all of them use."""
        servers = self._servers
        return Servers(servers.num_up, servers.num_servers, servers.num_gpus)

    async def ask(self, request: Request) -> Answer:
        """See Teacher.ask.

        A request in flight when a server dies is sent again to another one, or to the
        one that is started in its place.
        """
        num_attempts = 0
        tried: set[ManagedServer[EndpointClient]] = set()
        while True:
            async with self._servers.lease(tried) as (server, session):
                with server.asking(request.sampling.max_tokens):
                    outcome = await session.client.attempt(request)
                session.tokens.restart()
                if isinstance(outcome, Completion):
                    server.record_completion()
                elif isinstance(outcome, RetryableFailure):
                    session.lost_last = outcome.lost
            if not isinstance(outcome, RetryableFailure):
                return outcome
            # The server's death counts as an attempt. A request that kills it each time
            # thus ends as a failure if others are completed in between; if none are,
            # the limit on restarts ends the run.
            num_attempts += 1
            if num_attempts == self._config.max_attempts or outcome.last:
                return outcome.to_failure(request.request_key)
            self.num_retried += 1
            tried.add(server)
            if not self._servers.others_are_up(tried):
                tried.clear()
                await session.wait_before_retry(outcome, num_attempts)

    def _open_client(self, socket: Path) -> EndpointClient:
        return EndpointClient(
            BASE_URL,
            self._config.model,
            uds=socket,
            max_answer_s=self._config.max_answer_s,
            image_url=self._image_url,
        )
