"""A client of one OpenAI-compatible endpoint, over TCP or a Unix socket.

It makes single attempts; retries and balancing are its callers' task.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
from pydantic import BaseModel, Field, ValidationError
from yarl import URL

from cotbuild.builder.retry_after import parse_retry_after
from cotbuild.builder.teachers.http.connection import (
    CONNECT_TIMEOUT_S,
    open_session,
    parse_base_url,
    parse_key,
)
from cotbuild.builder.teachers.http.wire import (
    GATEWAY_STATUS,
    MAX_RETRY_AFTER_S,
    NOT_READY_STATUS,
    REJECTED_STATUS,
    RETRY_STATUS,
    RetryableFailure,
    ServerLoad,
    build_request_body,
    explain_refusal,
    one_line,
    parse_body,
    parse_load,
    read_error_text,
    to_answer,
)
from cotbuild.schemas.completion import Answer, Failure, FailureKind, Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import explain_validation_error

CALL_TIMEOUT_S = 60.0
"""Time limit of the small GET and /tokenize calls.

A completion has none: a queued request that is abandoned and sent again runs twice on
the server.
"""
MIN_SECRET_CHARS = 8
"""Shorter API keys ("EMPTY") are no secret and may be any word of a text."""

PROBES: tuple[tuple[dict[str, str], ...], ...] = (
    (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Is 12,345.67 > -8? Naïve café, 東京 🙂"},
    ),
    (
        {"role": "system", "content": "Answer.\n\n  1) so"},
        {"role": "user", "content": "def f(x):\n\treturn x**2  # ½"},
    ),
    (
        {"role": "system", "content": "You teach."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because it is so."},
        {"role": "user", "content": "(A) yes (B) no"},
    ),
)
"""The fixed conversations of `tokenize_digest`.

Never edit them: every endpoint's identity would change. All have a system turn, because
some chat templates insert today's date if there is none.
"""


class _Model(BaseModel):
    id: str
    max_model_len: int | None = None  # reported by vLLM and SGLang


class _Models(BaseModel):
    data: list[_Model]


class _Tokens(BaseModel):
    """vLLM's answer to /tokenize."""

    count: int = Field(ge=1)
    max_model_len: int
    tokens: list[int] = Field(min_length=1)


class _Version(BaseModel):
    version: str


class Unreachable(TeacherError):
    """The server cannot be reached or is not ready, but may be later.

    Any other TeacherError is a wrong setting.
    """


class EndpointClient:
    """Sends requests to `model` at one endpoint.

    Args:
        base_url: The URL that ends in /v1.
        model: The name under which the server serves the model.
        api_key: Sent as a bearer token; never part of an error, a log, provenance or a
            repr.
        uds: A Unix socket to connect through; `base_url` then only gives the path.
        call_timeout_s: Time limit in seconds of every call but a completion.

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
    ) -> None:
        self.base = parse_base_url(base_url)
        self.model = model
        self.version: str | None = None
        """The engine's version, if it reported one when the client was entered."""
        self._api_key = parse_key(api_key)
        self._uds = uds
        self._call_timeout_s = call_timeout_s
        self._chat = self.base / "chat/completions"
        # vLLM serves /tokenize, /version and /metrics beside /v1, not under it.
        self._root = self.base.parent if self.base.name == "v1" else self.base
        self._answered_as: str | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self.base, self._api_key, self._uds)
        try:
            self.version = await self._read_version()
        except BaseException:  # Ctrl-C while a server does not answer
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- completions -----------------------------------------------------------

    async def attempt(self, request: Request) -> Answer | RetryableFailure:
        """Send the request once.

        `RetryableFailure.lost` reports a broken connection: the server may be gone.

        Raises TeacherError if no request can succeed here: 401, 403, 404, a redirect,
        or an answer from another model than before.
        """
        try:
            async with self._http.post(
                self._chat, data=self._encode_request(request), allow_redirects=False
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, OSError) as fault:
            return _connection_failure(fault)
        if response.status != 200:
            return self._classify_refusal(response, raw, request.request_key)
        body = parse_body(raw)
        if isinstance(body, RetryableFailure):
            # Parsed again for its message alone, which may quote the key.
            body = parse_body(self._redact(raw))
        if isinstance(body, RetryableFailure):
            return body
        if body.model is not None and body.model != self._answered_as:
            self._check_model_name(body.model)
        return to_answer(body, request.request_key)

    def _encode_request(self, request: Request) -> bytes:
        body = build_request_body(request, self.model)
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def _classify_refusal(
        self, response: aiohttp.ClientResponse, raw: bytes, request_key: str
    ) -> Failure | RetryableFailure:
        """Classify an answer that is no 200; raises TeacherError as `attempt` does."""
        status = response.status
        message = f"HTTP {status}: {read_error_text(self._redact(raw))}"
        if status in REJECTED_STATUS:
            return Failure(
                request_key=request_key, kind=FailureKind.REJECTED, message=message
            )
        if status in RETRY_STATUS or status >= 500:
            header = response.headers.get("Retry-After")
            return RetryableFailure(
                FailureKind.UNAVAILABLE,
                message,
                after_s=parse_retry_after(header, max_s=MAX_RETRY_AFTER_S),
                gateway_error=status in GATEWAY_STATUS,
                pushed_back=status == 429,
            )
        raise self._refusal_error(response, raw)

    def _check_model_name(self, name: str) -> None:
        # Servers answer an alias with the full name, so the first answer's name counts;
        # a different one later means a different teacher.
        if self._answered_as is not None:
            raise TeacherError(
                f"{self._chat}: answered as {name!r}, before as {self._answered_as!r}. "
                "A run needs one model: check what serves the URL, or request the model "
                "by its full name."
            )
        self._answered_as = name

    # -- checks and metrics ----------------------------------------------------

    async def check(self, sample: Request | None) -> str | None:
        """Make sure that the model is served and that `sample` fits its context.

        Returns a warning if the sample does not fit, as far as the server's
        max_model_len and /tokenize tell. Without a sample only the model is checked.

        Raises:
            Unreachable: The server cannot be reached or is not ready.
            TeacherError: It does not serve the model.
        """
        async with self._call_server("GET", self.base / "models") as (response, raw):
            if response.status != 200:
                raise self._refusal_error(response, raw)
            try:
                models = _Models.model_validate_json(raw).data
            except ValidationError as fault:
                raise TeacherError(
                    f"{self.base}/models: {explain_validation_error(fault)} "
                    "Give the URL that ends in /v1."
                ) from fault
        limits = {model.id: model.max_model_len for model in models}
        if self.model not in limits:
            served = ", ".join(map(repr, limits)) or "nothing"
            raise TeacherError(
                f"{self.base}: does not serve {self.model!r}. It serves {served}. "
                "Name one of them."
            )
        if sample is None:
            return None
        return await self._check_fit(sample, limits[self.model])

    async def _check_fit(
        self, sample: Request, max_model_len: int | None
    ) -> str | None:
        messages = [message.model_dump() for message in sample.messages]
        tokens = await self._tokenize(messages, sample.chat_template_kwargs)
        prompt_tokens = tokens.count if tokens else 0
        limit = tokens.max_model_len if tokens else max_model_len
        max_tokens = sample.sampling.max_tokens
        # Without /tokenize the prompt is not counted, but it has at least one token.
        if limit is None or max(prompt_tokens, 1) + max_tokens <= limit:
            return None
        prompt = f"of {prompt_tokens} tokens " if tokens else ""
        return (
            f"the longest prompt {prompt}and {max_tokens} more do not fit the server's "
            f"{limit}. Lower --max-tokens or raise the server's --max-model-len."
        )

    async def tokenize_digest(self) -> str | None:
        """Return the digest of the token ids of the fixed conversations in PROBES.

        It is part of an endpoint's identity. None if the server has no /tokenize of
        vLLM's form. Raises TeacherError if it cannot be reached or is not ready.
        """
        # Without it Llama's chat templates insert today's date.
        kwargs: dict[str, Any] = {"date_string": "01 Jan 2026"}
        token_ids = []
        for system_turn, *turns in PROBES:
            tokens = await self._tokenize([system_turn, *turns], kwargs)
            if tokens is None:
                # Some chat templates (Gemma, Mistral 7B) refuse a system turn.
                tokens = await self._tokenize(turns, kwargs)
            token_ids.append(tokens.tokens if tokens else None)
        return digest("tokenize/1", token_ids) if any(token_ids) else None

    async def _tokenize(
        self, messages: list[dict[str, str]], kwargs: dict[str, Any] | None
    ) -> _Tokens | None:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "add_generation_prompt": True,
        }
        if kwargs is not None:
            body["chat_template_kwargs"] = kwargs
        data = json.dumps(body).encode()
        async with self._call_server("POST", self._root / "tokenize", data) as (
            response,
            raw,
        ):
            if response.status in NOT_READY_STATUS:
                # Read as "no /tokenize", it would enter the endpoint's identity.
                raise self._refusal_error(response, raw)
            if response.status != 200:
                return None
            # llama.cpp has a /tokenize of another form.
            with contextlib.suppress(ValidationError):
                return _Tokens.model_validate_json(raw)
            return None

    async def fetch_load(self) -> ServerLoad | None:
        """Return the server's load, or None if it has no /metrics of vLLM's form.

        Raises Unreachable.
        """
        async with self._call_server("GET", self._root / "metrics") as (response, raw):
            if response.status in NOT_READY_STATUS:
                raise self._refusal_error(response, raw)
            return parse_load(raw) if response.status == 200 else None

    async def _read_version(self) -> str | None:
        # Errors are left to `check`, since the version is for provenance only.
        with contextlib.suppress(TeacherError, ValidationError):
            async with self._call_server("GET", self._root / "version") as (
                response,
                raw,
            ):
                if response.status == 200:
                    return _Version.model_validate_json(raw).version
        return None

    # -- HTTP ------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _call_server(
        self, method: str, url: URL, data: bytes | None = None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, bytes]]:
        """Make one small call outside the hot path.

        Raises Unreachable if the server cannot be reached.
        """
        timeout = aiohttp.ClientTimeout(
            total=self._call_timeout_s, sock_connect=CONNECT_TIMEOUT_S
        )
        try:
            async with self._http.request(
                method, url, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, OSError) as fault:
            if isinstance(fault, TimeoutError):
                reason = f"no answer within {self._call_timeout_s:g} s"
            else:
                reason = one_line(f"{type(fault).__name__}: {fault}")
            raise Unreachable(
                f"{url}: {reason}. Start the server, or correct --endpoint."
            ) from fault
        yield response, raw

    def _refusal_error(
        self, response: aiohttp.ClientResponse, raw: bytes
    ) -> TeacherError:
        status = response.status
        message = explain_refusal(
            url=str(response.url),
            status=status,
            text=read_error_text(self._redact(raw)),
            model=self.model,
            sent_key=self._api_key is not None,
            location=response.headers.get("Location"),
        )
        is_transient = status in RETRY_STATUS or status >= 500
        return Unreachable(message) if is_transient else TeacherError(message)

    def _redact(self, raw: bytes) -> bytes:
        # A server may quote the key that it was sent.
        key = (self._api_key or "").encode()
        return raw.replace(key, b"[key]") if len(key) >= MIN_SECRET_CHARS else raw

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise TeacherError(f"{self.base}: used outside its `async with` block.")
        return self._session


def _connection_failure(fault: aiohttp.ClientError | OSError) -> RetryableFailure:
    """Classify an exception of an attempt."""
    if isinstance(fault, aiohttp.ClientPayloadError):
        return RetryableFailure(
            FailureKind.BAD_BODY,
            one_line(f"body broken off: {fault}"),
            lost=True,
            pushed_back=True,
        )
    if isinstance(fault, aiohttp.ClientResponseError):
        return RetryableFailure(
            FailureKind.BAD_BODY, one_line(f"not HTTP: {fault.message}")
        )
    refused = isinstance(fault, aiohttp.ClientConnectorError)
    return RetryableFailure(
        FailureKind.UNAVAILABLE,
        one_line(f"{type(fault).__name__}: {fault}"),
        lost=True,
        pushed_back=not refused,
    )
