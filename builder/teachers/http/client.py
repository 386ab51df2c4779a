"""A client of one OpenAI-compatible endpoint, over TCP or a Unix socket.

It makes single attempts; retries and balancing are its callers' task.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Self

import aiohttp

from cotbuild.builder.teachers.http import checks
from cotbuild.builder.teachers.http.bodies import (
    MAX_ERROR_BYTES,
    BodyTooLong,
    completion_limit,
    read_body,
    read_body_start,
)
from cotbuild.builder.teachers.http.connection_faults import to_retryable
from cotbuild.builder.teachers.http.images import ImageUrl, refuse_image
from cotbuild.builder.teachers.http.refusals import classify_error
from cotbuild.builder.teachers.http.replies import parse_reply, to_answer
from cotbuild.builder.teachers.http.request_body import encode_request_body
from cotbuild.builder.teachers.http.server_errors import ServerError
from cotbuild.builder.teachers.http.session import (
    CALL_TIMEOUT_S,
    EndpointSession,
    Unreachable,
)
from cotbuild.builder.teachers.http.vision import check_vision
from cotbuild.builder.teachers.http.wire import (
    RetryableFailure,
    ServerLoad,
)
from cotbuild.schemas.completion import Answer, Failure, FailureKind, Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.record import short_repr

__all__ = ["CALL_TIMEOUT_S", "EndpointClient", "Unreachable"]


class EndpointClient:
    """Sends requests to `model` at one endpoint.

    Args:
        base_url: The URL that ends in /v1.
        model: The name under which the server serves the model.
        api_key: Sent as a bearer token; never part of an answer, an error, a log,
            provenance or a repr.
        uds: A Unix socket to connect through; `base_url` then only gives the path.
        call_timeout_s: Time limit in seconds of every call but a completion.
        max_answer_s: Time limit in seconds of a completion; None for none.
        image_url: Returns the URL under which a picture is sent; it is called for each
            attempt, so that only the pictures on their way are in memory.

    Raises:
        ConfigError: The URL or the key is malformed.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        uds: Path | None = None,
        call_timeout_s: float = CALL_TIMEOUT_S,
        max_answer_s: float | None = None,
        image_url: ImageUrl = refuse_image,
    ) -> None:
        self._session = EndpointSession(
            base_url,
            model,
            api_key=api_key,
            uds=uds,
            call_timeout_s=call_timeout_s,
            max_answer_s=max_answer_s,
        )
        self.base = self._session.base
        self.model = model
        self.version: str | None = None
        """The engine's version, if it reported one when the client was entered."""
        self.model_warning: str | None = None
        """Why the last `check` could not confirm that the model is served, if so."""
        self._chat = self.base / "chat/completions"
        self._answered_as: str | None = None
        self._image_url = image_url

    async def __aenter__(self) -> Self:
        self._session.open()
        try:
            self.version = await checks.read_version(self._session)
        except BaseException:  # Ctrl-C while a server does not answer
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    # -- completions -----------------------------------------------------------

    async def attempt(self, request: Request) -> Answer | RetryableFailure:
        """Send the request once.

        `RetryableFailure.lost` reports a broken connection: the server may be gone.

        Raises TeacherError if no request can succeed here: 401, 402, 403 unless a
        content policy refused this one request, 404, a redirect, or an answer from
        another model than before; and StoreError if a picture cannot be read.
        """
        connections = self._session.connections
        limit = completion_limit(request.max_tokens_sent)
        fault: aiohttp.ClientError | OSError | BodyTooLong
        try:
            async with await connections.send(
                "POST",
                self._chat,
                data=encode_request_body(request, self.model, self._image_url),
            ) as response:
                # Some gateways answer 201.
                if 200 <= response.status < 300:
                    raw = await read_body(response, limit)
                else:
                    raw = await read_body_start(response, MAX_ERROR_BYTES)
        except (aiohttp.ClientError, OSError, BodyTooLong) as caught:
            fault = caught
        else:
            return self._read_response(response, raw, request.request_key)
        return to_retryable(fault, self._session.secret, self._session.max_answer_s)

    def _read_response(
        self, response: aiohttp.ClientResponse, raw: bytes, request_key: str
    ) -> Answer | RetryableFailure:
        if not 200 <= response.status < 300:
            error = self._session.parse_error(raw)
            return self._classify(response, response.status, error, request_key)
        reply = parse_reply(raw, self._session.secret)
        if isinstance(reply, ServerError):
            return self._classify_error_in_200(response, reply, request_key)
        if isinstance(reply, RetryableFailure):
            return reply
        if reply.model is not None and reply.model != self._answered_as:
            self._check_model_name(reply.model)
        return to_answer(reply, request_key)

    def _classify(
        self,
        response: aiohttp.ClientResponse,
        status: int,
        error: ServerError,
        request_key: str,
    ) -> Failure | RetryableFailure:
        """Classify an error; raises TeacherError as `attempt` does."""
        outcome = classify_error(status, error, response.headers, request_key)
        if outcome is None:
            raise self._session.refusal_error(response, error, status)
        return outcome

    def _classify_error_in_200(
        self, response: aiohttp.ClientResponse, error: ServerError, request_key: str
    ) -> Failure | RetryableFailure:
        if error.status is not None or error.is_out_of_credit:
            status = error.status or HTTPStatus.PAYMENT_REQUIRED.value
            return self._classify(response, status, error, request_key)
        return RetryableFailure(
            FailureKind.BAD_BODY, f"an error in place of a completion: {error.text}"
        )

    def _check_model_name(self, name: str) -> None:
        # Servers answer an alias with the full name, so the first answer's name counts;
        # a different one later means a different teacher.
        if self._answered_as is not None:
            raise TeacherError(
                f"{self._chat}: answered as {short_repr(name)}, before as "
                f"{short_repr(self._answered_as)}. A run needs one model: check what "
                "serves the URL, or request the model by its full name."
            )
        self._answered_as = name

    # -- checks and metrics ----------------------------------------------------

    async def check(self, sample: Request | None) -> str | None:
        """Make sure that the model is served and that `sample` fits its context.

        Where the sample has pictures, also that the model takes them. Returns a warning
        if the sample does not fit; sets `model_warning`. Raises TeacherError as
        checks.check_model and check_vision do. Without a sample only the model is
        checked.
        """
        limit, self.model_warning = await checks.check_model(self._session)
        if sample is None:
            return None
        if sample.num_images:
            await check_vision(self._session, sample)
        return await checks.check_fit(self._session, sample, limit, self._image_url)

    async def count_prompt_tokens(self, request: Request) -> int | None:
        """Return the tokens of a prompt with its pictures; None without /tokenize.

        Raises TeacherError if the server cannot be reached, and StoreError if a picture
        cannot be read.
        """
        tokens = await checks.tokenize_request(self._session, request, self._image_url)
        return None if tokens is None else tokens.count

    async def tokenize_digest(self) -> str | None:
        """Return the digest of some token ids, a part of an endpoint's identity.

        See checks.tokenize_digest.
        """
        return await checks.tokenize_digest(self._session)

    async def fetch_load(self) -> ServerLoad | None:
        """Return the server's load, or None if it has no /metrics of vLLM's form.

        See checks.fetch_load.
        """
        return await checks.fetch_load(self._session)
