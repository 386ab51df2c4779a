"""Encodes requests to OpenAI-compatible servers and parses what they answer. No IO.

Also decides which answers are worth another attempt, and when.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
    Request,
)
from cotbuild.schemas.record import explain_validation_error

MAX_ERROR_CHARS = 300
"""Longest excerpt of a server's error text kept in a message."""
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 300.0
"""Longest pause that a server's Retry-After is granted; the next run retries the rest."""

REJECTED_STATUS = frozenset({400, 413, 422})
"""The request itself is at fault: the same bytes would be refused again."""
RETRY_STATUS = frozenset({408, 409, 425, 429})
"""Transient errors, as every 5xx is."""
GATEWAY_STATUS = frozenset({502, 503, 504})
"""Often sent by a proxy with no server behind it."""
NOT_READY_STATUS = GATEWAY_STATUS | {429}
"""Tells nothing about whether a route exists."""

_LOAD_LINE = re.compile(
    rb"^vllm:(generation_tokens_total|num_requests_running|num_requests_waiting)"
    rb"(?:\{[^}]*\})? (\S+)$",
    re.MULTILINE,
)


# -- requests and completions --------------------------------------------------


@dataclass(frozen=True, slots=True)
class RetryableFailure:
    """An attempt that brought no answer and is worth repeating."""

    kind: FailureKind
    message: str
    after_s: float | None = None
    """The server's Retry-After, in seconds."""
    lost: bool = False
    """The connection broke or was refused: the server itself may be gone."""
    gateway_error: bool = False
    """GATEWAY_STATUS: the server itself may be gone, behind a proxy."""
    pushed_back: bool = False
    """A 429 or a broken connection: too many requests may be in flight."""

    def to_failure(self, request_key: str) -> Failure:
        """Return the Failure to record once no attempt is left."""
        return Failure(request_key=request_key, kind=self.kind, message=self.message)


def build_request_body(request: Request, model: str) -> dict[str, Any]:
    """Return the JSON body of a chat completion request.

    Every sampling field is explicit; vLLM reads top_k 0 as off.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        **request.sampling.model_dump(),
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if request.response_format is not None:
        body["response_format"] = request.response_format
    if request.chat_template_kwargs is not None:
        body["chat_template_kwargs"] = request.chat_template_kwargs
    return body


class _Message(BaseModel):
    content: str | None = None
    reasoning: str | None = None
    # vLLM's older name for `reasoning`; SGLang and DeepSeek still use it.
    reasoning_content: str | None = None


class _Choice(BaseModel):
    finish_reason: str = Field(min_length=1)
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)


class ChatBody(BaseModel):
    """The fields of a chat completion that are read; servers add others."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None
    model: str | None = None


def parse_body(raw: bytes) -> ChatBody | RetryableFailure:
    """Validate the body of a 200 response.

    Anything but a whole completion is worth another attempt.
    """
    try:
        return ChatBody.model_validate_json(raw)
    except ValidationError as fault:
        return RetryableFailure(
            FailureKind.BAD_BODY,
            one_line(f"not a chat completion: {explain_validation_error(fault)}"),
        )


def to_answer(body: ChatBody, request_key: str) -> Answer | RetryableFailure:
    """Convert the first choice to a Completion.

    vLLM sends finish_reason `abort` while it shuts down, so that is retried. Any other
    reason except `stop` and `length` (content_filter, tool_calls, repetition) is the
    server's refusal to finish the text: as final as a 400.
    """
    choice = body.choices[0]
    reason = choice.finish_reason
    if reason == "abort":
        return RetryableFailure(
            FailureKind.BAD_BODY, "finish_reason is 'abort'. Expected stop or length."
        )
    if reason != "stop" and reason != "length":
        message = one_line(f"finish_reason is {reason!r}. Expected stop or length.")
        return Failure(
            request_key=request_key, kind=FailureKind.REJECTED, message=message
        )
    reasoning = choice.message.reasoning
    if reasoning is None:
        reasoning = choice.message.reasoning_content
    usage = body.usage or _Usage()
    return Completion(
        request_key=request_key,
        text=choice.message.content or "",
        reasoning=reasoning,
        finish_reason="stop" if reason == "stop" else "length",
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )


# -- errors --------------------------------------------------------------------


class _ErrorObject(BaseModel):
    message: str


class _ErrorBody(BaseModel):
    """`{"error": {"message": …}}`, or the older flat form."""

    error: _ErrorObject | str | None = None
    message: str | None = None
    detail: str | None = None


def read_error_text(raw: bytes) -> str:
    """Return the message in an error body, on one line of at most MAX_ERROR_CHARS."""
    try:
        body = _ErrorBody.model_validate_json(raw)
    except ValidationError:
        return one_line(raw[: 4 * MAX_ERROR_CHARS].decode("utf-8", "replace"))
    error = body.error.message if isinstance(body.error, _ErrorObject) else body.error
    message = error or body.message or body.detail
    return one_line(message or raw.decode("utf-8", "replace"))


def explain_refusal(
    url: str, status: int, text: str, model: str, sent_key: bool, location: str | None
) -> str:
    """Describe a status that makes further requests pointless, and its remedy.

    For 401, 403, 404 and redirects, and for transient errors before the first request.

    Args:
        text: The server's message, as `read_error_text` returns it.
        sent_key: Whether the request carried an API key.
        location: The Location header of a redirect.
    """
    if status in (401, 403):
        reason = (
            "the key in OPENAI_API_KEY was refused" if sent_key else "no key was sent"
        )
        advice = (
            f"Access denied: {reason}. Set OPENAI_API_KEY to a key for this server."
        )
    elif 300 <= status < 400:
        advice = f"Redirects are not followed. Pass the final URL, {location!r}."
    elif status in RETRY_STATUS or status >= 500:
        advice = "The server is not ready. Wait, then run again."
    else:
        advice = (
            "Pass the URL, ending in /v1, of an OpenAI-compatible server with the model "
            f"{model!r}."
        )
    return f"{url}: HTTP {status}: {text or 'no words'}. {advice}"


def one_line(text: str) -> str:
    """Return `text` on one line, without control characters, cut at MAX_ERROR_CHARS."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    folded = " ".join(printable.split())
    if len(folded) <= MAX_ERROR_CHARS:
        return folded
    return folded[: MAX_ERROR_CHARS - 1] + "…"


def backoff_s(
    attempt: int, after_s: float | None, jitter: float, first_s: float = 1.0
) -> float:
    """Return the seconds to wait after a failed attempt.

    The wait doubles with each attempt, up to MAX_BACKOFF_S, and comes on top of a
    Retry-After.

    Args:
        attempt: The number of the failed attempt, from 1.
        after_s: The server's Retry-After in seconds; None if it sent none.
        jitter: In [0, 1); scales the wait by 0.5 to 1, so that a window of requests is
            not repeated all at once.
        first_s: The wait after the first attempt, before jitter.
    """
    full_wait_s = min(first_s * 2.0 ** min(attempt - 1, 30), MAX_BACKOFF_S)
    wait_s = full_wait_s * (0.5 + jitter / 2)
    return wait_s if after_s is None else after_s + wait_s * 0.5


# -- vLLM's /metrics -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """The load of all engines of a server together, from every client."""

    generated_tokens: float
    """Tokens generated since the server started."""
    running: float
    waiting: float


def parse_load(raw: bytes) -> ServerLoad | None:
    """Parse the body of /metrics; return None if it is not vLLM's."""
    sums: dict[bytes, float] = {}
    for name, value in _LOAD_LINE.findall(raw):
        sums[name] = sums.get(name, 0.0) + float(value)
    if b"generation_tokens_total" not in sums:
        return None
    return ServerLoad(
        generated_tokens=sums[b"generation_tokens_total"],
        running=sums.get(b"num_requests_running", 0.0),
        waiting=sums.get(b"num_requests_waiting", 0.0),
    )
