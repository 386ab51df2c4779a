"""What is asked of a server beside completions: its models, tokenizer and load."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from cotbuild.builder.teachers.http.bodies import MAX_LIST_BYTES, MAX_SMALL_BYTES
from cotbuild.builder.teachers.http.images import ImageUrl, refuse_image
from cotbuild.builder.teachers.http.refusals import NOT_READY_STATUS, is_transient
from cotbuild.builder.teachers.http.request_body import encode_messages
from cotbuild.builder.teachers.http.served_models import ServedModels, parse_models
from cotbuild.builder.teachers.http.session import EndpointSession
from cotbuild.builder.teachers.http.wire import ServerLoad, one_line, parse_load
from cotbuild.schemas.completion import Request
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.fingerprint import digest

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


REFUSED_STATUS = frozenset({401, 402, 403})
"""Of /models: no completion would be answered either."""


class Tokens(BaseModel):
    """vLLM's answer to /tokenize."""

    count: int = Field(ge=1)
    max_model_len: int
    tokens: list[int] = Field(min_length=1)


class _Version(BaseModel):
    version: str


async def check_model(session: EndpointSession) -> tuple[int | None, str | None]:
    """Make sure that the model is served.

    Returns the model's longest sequence in tokens, if the server reports it, and a
    warning, on one line, if the server does not say whether it serves the model.

    Raises:
        Unreachable: The server cannot be reached or is not ready.
        TeacherError: It does not serve the model, or refuses access.
    """
    models, warning = await _fetch_models(session)
    limit = _find_length(session, models) if models is not None else None
    return limit, warning


async def _fetch_models(
    session: EndpointSession,
) -> tuple[ServedModels | None, str | None]:
    """Return the models that the server names, or a warning if it does not."""
    url = session.base / "models"
    reply = await session.call("GET", url, MAX_LIST_BYTES)
    is_redirect = 300 <= reply.status < 400
    is_not_ready = is_transient(reply.status) and reply.status != 501
    if reply.status in REFUSED_STATUS or is_redirect or is_not_ready:
        raise session.refusal_error(reply.response, session.parse_error(reply.raw))
    models = parse_models(reply.raw) if reply.status == 200 else None
    if models is None:
        found = "no list" if reply.status == 200 else f"HTTP {reply.status}"
    elif models.may_serve(session.model):
        found = f"the wildcard in {session.secret.redact(models.describe())}"
    else:
        return models, None
    return None, (
        f"{url}: {found}, so it is not confirmed that {session.model!r} is served. "
        "Requests are sent all the same."
    )


def _find_length(session: EndpointSession, models: ServedModels) -> int | None:
    """Return the model's max_model_len; raises TeacherError if it is not served."""
    if not models.lists(session.model):
        raise TeacherError(
            f"{session.base}: does not serve {session.model!r}. It serves "
            f"{session.secret.redact(models.describe())}. Name one of them."
        )
    return models.max_model_len.get(session.model)


async def check_fit(
    session: EndpointSession,
    sample: Request,
    max_model_len: int | None,
    image_url: ImageUrl = refuse_image,
) -> str | None:
    """Return a warning, on one line, if the sample does not fit the server's context.

    That is known as far as max_model_len and /tokenize tell. Raises TeacherError if the
    server cannot be reached or is not ready.
    """
    tokens = await tokenize_request(session, sample, image_url)
    prompt_tokens = tokens.count if tokens else 0
    limit = tokens.max_model_len if tokens else max_model_len
    max_tokens = sample.max_tokens_sent or 1
    # Without /tokenize the prompt is not counted, but it has at least one token.
    if limit is None or max(prompt_tokens, 1) + max_tokens <= limit:
        return None
    prompt = f"of {prompt_tokens} tokens " if tokens else ""
    return (
        f"the longest prompt {prompt}and {max_tokens} more do not fit the server's "
        f"{limit}. Lower --max-tokens or raise the server's --max-model-len."
    )


async def tokenize_request(
    session: EndpointSession, request: Request, image_url: ImageUrl
) -> Tokens | None:
    """Return the tokens of a request's prompt; None without vLLM's /tokenize.

    Raises TeacherError if the server cannot be reached or is not ready.
    """
    messages = encode_messages(request, image_url)
    return await _tokenize(
        session,
        messages,
        request.chat_template_kwargs,
        continues=request.continue_final_message,
    )


async def tokenize_digest(session: EndpointSession) -> str | None:
    """Return the digest of the token ids of the fixed conversations in PROBES.

    None if the server has no /tokenize of vLLM's form. Raises TeacherError if it cannot
    be reached or is not ready.
    """
    # Without it Llama's chat templates insert today's date.
    kwargs: dict[str, Any] = {"date_string": "01 Jan 2026"}
    token_ids = []
    for system_turn, *turns in PROBES:
        tokens = await _tokenize(session, [system_turn, *turns], kwargs)
        if tokens is None:
            # Some chat templates (Gemma, Mistral 7B) refuse a system turn.
            tokens = await _tokenize(session, turns, kwargs)
        token_ids.append(tokens.tokens if tokens else None)
    return digest("tokenize/1", token_ids) if any(token_ids) else None


async def _tokenize(
    session: EndpointSession,
    messages: Sequence[Mapping[str, Any]],
    kwargs: dict[str, Any] | None,
    *,
    continues: bool = False,
) -> Tokens | None:
    body: dict[str, Any] = {
        "model": session.model,
        "messages": messages,
        "add_generation_prompt": not continues,
    }
    if continues:
        body["continue_final_message"] = True
    if kwargs is not None:
        body["chat_template_kwargs"] = kwargs
    data = json.dumps(body).encode()
    url = session.root / "tokenize"
    reply = await session.call("POST", url, MAX_LIST_BYTES, data)
    if reply.status in NOT_READY_STATUS:
        # Read as "no /tokenize", it would enter the endpoint's identity.
        raise session.refusal_error(reply.response, session.parse_error(reply.raw))
    if reply.status != 200:
        return None
    # llama.cpp has a /tokenize of another form.
    with contextlib.suppress(ValidationError):
        return Tokens.model_validate_json(reply.raw)
    return None


async def fetch_load(session: EndpointSession) -> ServerLoad | None:
    """Return the server's load, or None if it has no /metrics of vLLM's form.

    Raises TeacherError if it cannot be reached or its body is too long.
    """
    reply = await session.call("GET", session.root / "metrics", MAX_LIST_BYTES)
    if reply.status in NOT_READY_STATUS:
        raise session.refusal_error(reply.response, session.parse_error(reply.raw))
    return parse_load(reply.raw) if reply.status == 200 else None


async def read_version(session: EndpointSession) -> str | None:
    """Return the version that the engine reports; None if it reports none.

    Errors are left to `check_model`, since the version is for provenance only.
    """
    with contextlib.suppress(TeacherError, ValidationError):
        reply = await session.call("GET", session.root / "version", MAX_SMALL_BYTES)
        if reply.status == 200:
            version = _Version.model_validate_json(reply.raw).version
            return session.secret.redact(one_line(version))
    return None
