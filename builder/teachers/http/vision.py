"""Whether a server's model takes pictures, by one request with a tiny one."""

import contextlib
import json
import re
from http import HTTPStatus

from cotbuild.builder.teachers.http.bodies import completion_limit
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.builder.teachers.http.session import EndpointSession, Reply, Unreachable
from cotbuild.schemas.completion import ImagePart, Message, Request, TextPart
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.question import ImageRef

PROBE_URI = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAATUlEQVR42u3P"
    "QQ0AAAgEILV/5zOFDzdoQCepz6aeExAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"
    "EBAQELi3cqoDfaKuZM4AAAAASUVORK5CYII="
)
"""A white square of 64 x 64 pixels; some models refuse smaller ones."""
_PROBE = ImageRef(sha256="0" * 64, media_type="image/png", width=64, height=64)
_QUESTION = "What is this?"
_OTHER_REASONS = frozenset({401, 402, 403, 404, 408, 409, 425, 429})
"""Statuses that say nothing about pictures; the requests meet them too."""
_ABOUT_PICTURES = re.compile(r"image|picture|vision|multi-?modal|mmproj", re.IGNORECASE)


async def check_vision(session: EndpointSession, sample: Request) -> None:
    """Make sure that the model takes pictures.

    Asks for one token about a tiny picture, with the settings of `sample`. What keeps
    the server from answering for another reason is left to the requests themselves.

    Raises TeacherError if the server refuses the picture, and takes the same request
    without it.
    """
    with contextlib.suppress(Unreachable):
        reply = await _ask(session, _probe_request(sample, with_picture=True))
        if not _may_refuse_pictures(session, reply):
            return
        plain = await _ask(session, _probe_request(sample, with_picture=False))
        if plain.status == HTTPStatus.OK:
            words = session.parse_error(reply.raw).text
            raise TeacherError(
                f"{session.base}: {session.model!r} takes no pictures: HTTP "
                f"{reply.status}: {words} Pass a vision model as --teacher."
            )


def _may_refuse_pictures(session: EndpointSession, reply: Reply) -> bool:
    if 400 <= reply.status < 500:
        return reply.status not in _OTHER_REASONS
    # llama.cpp's server answers 500 where it has no vision encoder.
    words = session.parse_error(reply.raw).text if reply.status >= 500 else ""
    return _ABOUT_PICTURES.search(words) is not None


def _probe_request(sample: Request, *, with_picture: bool) -> Request:
    text = TextPart(text=_QUESTION)
    content = (ImagePart(image=_PROBE), text) if with_picture else (text,)
    return sample.model_copy(
        update={
            "messages": (Message(role="user", content=content),),
            "sampling": sample.sampling.model_copy(update={"max_tokens": 1}),
            "response_format": None,
            "continue_final_message": False,
        }
    )


async def _ask(session: EndpointSession, request: Request) -> Reply:
    body = build_request_body(request, session.model, lambda _: PROBE_URI)
    url = session.base / "chat/completions"
    data = json.dumps(body).encode()
    return await session.call("POST", url, completion_limit(1), data)
