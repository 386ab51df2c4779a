"""The OpenAI chat wire form: a Request to JSON, an HTTP answer to a Completion, and
when to ask again. Pure.
"""

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

MAX_WORDS_CHARS = 300
"""Longest piece of a server's own words kept in a message."""
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 300.0
"""A server that asks for a longer pause is asked again after this one: the next run is
there for the rest.
"""

REJECTED_STATUS = frozenset({400, 413, 422})
"""This request's own fault: the same bytes would be refused again."""
RETRY_STATUS = frozenset({408, 409, 425, 429})
"""Passing trouble; so is every 5xx."""
AWAY_STATUS = frozenset({502, 503, 504})
"""Often a proxy's word that there is nobody behind it."""
NOT_READY_STATUS = AWAY_STATUS | {429}
"""Says nothing about whether a route exists."""


@dataclass(frozen=True, slots=True)
class RetryableFailure:
    """One attempt that brought nothing and is worth another."""

    kind: FailureKind
    message: str
    after_s: float | None = None  # the server's Retry-After
    lost: bool = (
        False  # the connection broke or was refused: the server itself may be gone
    )
    away: bool = False  # AWAY_STATUS: the server itself may be gone, behind a proxy
    pushed_back: bool = (
        False  # a 429, or a connection broken off: there may be too much in flight
    )

    def failure(self, request_key: str) -> Failure:
        """What it comes to when no attempt is left."""
        return Failure(request_key=request_key, kind=self.kind, message=self.message)


def wire(request: Request, model: str) -> dict[str, Any]:
    """The JSON body of one chat completion, every sampling field explicit (vLLM takes
    top_k 0 as off).
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
    reasoning_content: str | None = (
        None  # vLLM's older name, still SGLang's and DeepSeek's
    )


class _Choice(BaseModel):
    finish_reason: str = Field(min_length=1)
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)


class ChatBody(BaseModel):
    """What we read of a chat completion; servers add fields as they like."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None
    model: str | None = None


def read_body(raw: bytes) -> ChatBody | RetryableFailure:
    """Validate the body of a 200; anything but a whole completion is worth another
    attempt.
    """
    try:
        return ChatBody.model_validate_json(raw)
    except ValidationError as fault:
        return RetryableFailure(
            FailureKind.BAD_BODY,
            one_line(f"not a chat completion: {explain_validation_error(fault)}"),
        )


def to_answer(body: ChatBody, request_key: str) -> Answer | RetryableFailure:
    """The first choice as a Completion.

    finish_reason abort (vLLM, shutting down) is asked again. Any other than stop and
    length (content_filter, tool_calls, repetition) is the server's refusal to finish
    this text: final, like a 400, and not a verdict.
    """
    choice, usage = body.choices[0], body.usage
    reason = choice.finish_reason
    if reason == "abort":
        return RetryableFailure(
            FailureKind.BAD_BODY, "finish_reason is 'abort'. Expected stop or length."
        )
    if reason != "stop" and reason != "length":
        words = one_line(f"finish_reason is {reason!r}. Expected stop or length.")
        return Failure(
            request_key=request_key, kind=FailureKind.REJECTED, message=words
        )
    message = choice.message
    return Completion(
        request_key=request_key,
        text=message.content or "",
        reasoning=message.reasoning
        if message.reasoning is not None
        else message.reasoning_content,
        finish_reason="stop" if reason == "stop" else "length",
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
    )


class _ErrorObject(BaseModel):
    message: str


class _ErrorBody(BaseModel):
    """`{"error": {"message": …}}`, or the older flat form."""

    error: _ErrorObject | str | None = None
    message: str | None = None
    detail: str | None = None


def server_words(raw: bytes) -> str:
    """The server's own words in an error body, on one line of at most MAX_WORDS_CHARS."""
    try:
        body = _ErrorBody.model_validate_json(raw)
    except ValidationError:
        return one_line(raw[: 4 * MAX_WORDS_CHARS].decode("utf-8", "replace"))
    error = body.error.message if isinstance(body.error, _ErrorObject) else body.error
    return one_line(
        error or body.message or body.detail or raw.decode("utf-8", "replace")
    )


def refusal(
    url: str, status: int, words: str, model: str, sent_key: bool, location: str | None
) -> str:
    """The line for a status after which asking makes no sense: 401, 403, 404,
    redirects; trouble before the start.
    """
    if status in (401, 403):
        sent = (
            "the key in OPENAI_API_KEY was refused" if sent_key else "no key was sent"
        )
        todo = f"Access denied: {sent}. Set OPENAI_API_KEY to a key for this server."
    elif 300 <= status < 400:
        todo = f"Redirects are not followed. Pass the final URL, {location!r}."
    elif status in RETRY_STATUS or status >= 500:
        todo = "The server is not ready. Wait, then run again."
    else:
        todo = f"Pass the URL, ending in /v1, of an OpenAI-compatible server with the model {model!r}."
    return f"{url}: HTTP {status}: {words or 'no words'}. {todo}"


def one_line(text: str) -> str:
    """White space folded, control characters out, cut at MAX_WORDS_CHARS."""
    folded = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return (
        folded
        if len(folded) <= MAX_WORDS_CHARS
        else folded[: MAX_WORDS_CHARS - 1] + "…"
    )


def backoff_s(
    attempt: int, after_s: float | None, jitter: float, first_s: float = 1.0
) -> float:
    """Seconds to wait after the attempt-th (from 1) failed: first_s, doubled each time
    up to MAX_BACKOFF_S.

    Times 0.5 to 1 by `jitter` in [0, 1), so that a window of requests does not come
    back at once; on top of a Retry-After where there is one.
    """
    wait_s = min(first_s * 2.0 ** min(attempt - 1, 30), MAX_BACKOFF_S) * (
        0.5 + jitter / 2
    )
    return wait_s if after_s is None else after_s + wait_s * 0.5
