"""The client of one OpenAI-compatible endpoint, over TCP or a Unix socket: single
attempts, no policy.
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
from cotbuild.builder.teachers.http.metrics import ServerLoad, read_load
from cotbuild.builder.teachers.http.wire import (
    AWAY_STATUS,
    MAX_RETRY_AFTER_S,
    NOT_READY_STATUS,
    REJECTED_STATUS,
    RETRY_STATUS,
    RetryableFailure,
    one_line,
    read_body,
    refusal,
    server_words,
    to_answer,
    wire,
)
from cotbuild.schemas.completion import Answer, Failure, FailureKind, Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import explain_validation_error

LOOK_TIMEOUT_S = 60.0
"""For the small GET and /tokenize calls. A completion has no time limit: a queued
request that is given up and sent again runs twice on the server.
"""

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
"""The three fixed conversations of `tokenize_digest`. Never edit: every endpoint's
identity would change. All have a system turn, because some chat templates put today's
date where it is missing.
"""


class _Model(BaseModel):
    id: str
    max_model_len: int | None = None  # vLLM and SGLang say it


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
    """The server cannot be reached or is not ready: it may be so later.

    Any other TeacherError is a wrong setting.
    """


class EndpointClient:
    """Asks `model` at `base_url` (the URL that ends in /v1).

    `uds`: connect through this Unix socket instead; `base_url` then only names the
    path. `api_key` is sent as a bearer token and stands in no error, log, provenance or
    repr. `look_timeout_s` limits every call but a completion. Raises ConfigError on a
    URL or key that is none.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        uds: Path | None = None,
        look_timeout_s: float = LOOK_TIMEOUT_S,
    ) -> None:
        self.base = parse_base_url(base_url)
        self.model = model
        self.version: str | None = None
        """The engine's, where it said one when it was entered."""
        self._api_key = parse_key(api_key)
        self._uds = uds
        self._look_timeout_s = look_timeout_s
        self._chat = self.base / "chat/completions"
        # vLLM serves /tokenize, /version and /metrics beside /v1, not under it.
        self._root = self.base.parent if self.base.name == "v1" else self.base
        self._answered_as: str | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self.base, self._api_key, self._uds)
        try:
            self.version = await self._look_version()
        except BaseException:  # Ctrl-C while a server does not answer
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- asking ----------------------------------------------------------------------------------------------------

    async def attempt(self, request: Request) -> Answer | RetryableFailure:
        """One try, without waiting. `Retry.lost` says that the connection broke: the
        server itself may be gone.

        Raises TeacherError where no request can succeed here: 401, 403, 404, a
        redirect, another model than before.
        """
        try:
            async with self._http.post(
                self._chat, data=self._encode(request), allow_redirects=False
            ) as response:
                raw = await response.read()
        except aiohttp.ClientPayloadError as fault:
            return RetryableFailure(
                FailureKind.BAD_BODY,
                one_line(f"body broken off: {fault}"),
                lost=True,
                pushed_back=True,
            )
        except aiohttp.ClientResponseError as fault:
            return RetryableFailure(
                FailureKind.BAD_BODY, one_line(f"not HTTP: {fault.message}")
            )
        except (aiohttp.ClientError, OSError) as fault:
            refused = isinstance(fault, aiohttp.ClientConnectorError)
            words = one_line(f"{type(fault).__name__}: {fault}")
            return RetryableFailure(
                FailureKind.UNAVAILABLE, words, lost=True, pushed_back=not refused
            )
        if response.status != 200:
            return self._refused(response, raw, request.request_key)
        body = read_body(raw)
        if isinstance(body, RetryableFailure):
            body = read_body(self._redacted(raw))
        if isinstance(body, RetryableFailure):
            return body
        if body.model is not None and body.model != self._answered_as:
            self._note_model(body.model)
        return to_answer(body, request.request_key)

    def _encode(self, request: Request) -> bytes:
        return json.dumps(
            wire(request, self.model), ensure_ascii=False, separators=(",", ":")
        ).encode()

    def _refused(
        self, response: aiohttp.ClientResponse, raw: bytes, request_key: str
    ) -> Failure | RetryableFailure:
        status = response.status
        words = f"HTTP {status}: {server_words(self._redacted(raw))}"
        if status in REJECTED_STATUS:
            return Failure(
                request_key=request_key, kind=FailureKind.REJECTED, message=words
            )
        if status in RETRY_STATUS or status >= 500:
            header = response.headers.get("Retry-After")
            after_s = parse_retry_after(header, max_s=MAX_RETRY_AFTER_S)
            away = status in AWAY_STATUS
            return RetryableFailure(
                FailureKind.UNAVAILABLE,
                words,
                after_s,
                away=away,
                pushed_back=status == 429,
            )
        raise self._stopped(response, raw)

    def _note_model(self, name: str) -> None:
        # Servers answer an alias under its full name, so the first name counts; another
        # one later is another teacher.
        if self._answered_as is not None:
            raise TeacherError(
                f"{self._chat}: answered as {name!r}, before as {self._answered_as!r}. A run needs one "
                "model: check what serves the URL, or request the model by its full name."
            )
        self._answered_as = name

    # -- looking before asking -------------------------------------------------------------------------------------

    async def check(self, sample: Request | None) -> str | None:
        """Raise TeacherError where the model is not served. Returns one line where
        `sample` will not fit.

        max_model_len and /tokenize say whether it does, where the server has them.
        None: only look for the model.
        """
        async with self._call("GET", self.base / "models") as (response, raw):
            if response.status != 200:
                raise self._stopped(response, raw)
            try:
                served = _Models.model_validate_json(raw).data
            except ValidationError as fault:
                raise TeacherError(
                    f"{self.base}/models: {explain_validation_error(fault)} "
                    "Give the URL that ends in /v1."
                ) from fault
        limits = {model.id: model.max_model_len for model in served}
        if self.model not in limits:
            raise TeacherError(
                f"{self.base}: does not serve {self.model!r}. It serves {', '.join(map(repr, limits)) or 'nothing'}. "
                "Name one of them."
            )
        return await self._fit(sample, limits[self.model]) if sample else None

    async def _fit(self, sample: Request, max_model_len: int | None) -> str | None:
        tokens = await self._tokenize(
            [m.model_dump() for m in sample.messages], sample.chat_template_kwargs
        )
        prompt_tokens = tokens.count if tokens else 0
        limit = tokens.max_model_len if tokens else max_model_len
        max_tokens = sample.sampling.max_tokens
        # Without /tokenize the prompt is not counted; it has one token at least.
        if limit is None or max(prompt_tokens, 1) + max_tokens <= limit:
            return None
        prompt = f"of {prompt_tokens} tokens " if tokens else ""
        return (
            f"the longest prompt {prompt}and {max_tokens} more do not fit the server's {limit}. "
            "Lower --max-tokens or raise the server's --max-model-len."
        )

    async def tokenize_digest(self) -> str | None:
        """Digest of the token ids of three fixed conversations, part of an endpoint's
        identity.

        None where the server has no /tokenize of vLLM's form. Raises TeacherError where
        it cannot be reached or is not ready.
        """
        ids = []
        for probe in PROBES:
            kwargs: dict[str, Any] = {
                "date_string": "01 Jan 2026"
            }  # Llama's templates say today's date without it
            # Some chat templates (Gemma, Mistral 7B) refuse a system turn.
            tokens = await self._tokenize([*probe], kwargs) or await self._tokenize(
                [*probe[1:]], kwargs
            )
            ids.append(tokens.tokens if tokens else None)
        return digest("tokenize/1", ids) if any(ids) else None

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
        async with self._call(
            "POST", self._root / "tokenize", json.dumps(body).encode()
        ) as (response, raw):
            if response.status in NOT_READY_STATUS:
                raise self._stopped(
                    response, raw
                )  # taken for "has none", it would become the endpoint's identity
            if response.status != 200:
                return None
            with contextlib.suppress(
                ValidationError
            ):  # llama.cpp has a /tokenize of another form
                return _Tokens.model_validate_json(raw)
            return None

    async def load(self) -> ServerLoad | None:
        """The server's work by its /metrics; None where it has none of vLLM's. Raises
        Unreachable.
        """
        async with self._call("GET", self._root / "metrics") as (response, raw):
            if response.status in NOT_READY_STATUS:
                raise self._stopped(response, raw)
            return read_load(raw) if response.status == 200 else None

    async def _look_version(self) -> str | None:
        with contextlib.suppress(
            TeacherError, ValidationError
        ):  # for provenance only; `check` says what is wrong
            async with self._call("GET", self._root / "version") as (response, raw):
                return (
                    _Version.model_validate_json(raw).version
                    if response.status == 200
                    else None
                )
        return None

    # -- HTTP ------------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _call(
        self, method: str, url: URL, data: bytes | None = None
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, bytes]]:
        """One small call outside the hot path; raises Unreachable where the server
        cannot be reached.
        """
        timeout = aiohttp.ClientTimeout(
            total=self._look_timeout_s, sock_connect=CONNECT_TIMEOUT_S
        )
        try:
            async with self._http.request(
                method, url, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, OSError) as fault:
            silent = f"no answer within {self._look_timeout_s:g} s"
            words = (
                silent
                if isinstance(fault, TimeoutError)
                else one_line(f"{type(fault).__name__}: {fault}")
            )
            raise Unreachable(
                f"{url}: {words}. Start the server, or correct --endpoint."
            ) from fault
        yield response, raw

    def _stopped(self, response: aiohttp.ClientResponse, raw: bytes) -> TeacherError:
        location = response.headers.get("Location")
        words = server_words(self._redacted(raw))
        line = refusal(
            str(response.url),
            response.status,
            words,
            self.model,
            self._api_key is not None,
            location,
        )
        passing = response.status in RETRY_STATUS or response.status >= 500
        return Unreachable(line) if passing else TeacherError(line)

    def _redacted(self, raw: bytes) -> bytes:
        # A server may quote the key it was sent. A short one is no secret ("EMPTY") and
        # may be any word.
        key = (self._api_key or "").encode()
        return raw.replace(key, b"[key]") if len(key) >= 8 else raw

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise TeacherError(f"{self.base}: used outside its `async with` block.")
        return self._session
