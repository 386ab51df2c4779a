"""Pictures on their way to a server, and whether it takes them."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from cotbuild.builder.media import MediaStore
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.images import (
    ImageUrl,
    read_data_uri,
    shorten_data_uri,
)
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.builder.teachers.http.vision import PROBE_URI
from cotbuild.builder.teachers.served_tokens import TokenCount, count_served_tokens
from cotbuild.schemas.completion import (
    Completion,
    Content,
    ImagePart,
    Message,
    Request,
    Sampling,
    TextPart,
)
from cotbuild.schemas.errors import StoreError, TeacherError
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.asking import use_client
from tests.support.http_teacher import Server, free_port
from tests.support.pictures import GREEN, RED, draw_picture


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media")


def request(*images: ImageRef, text: str = "What colour?") -> Request:
    parts = [ImagePart(image=image) for image in images]
    content: Content = (*parts, TextPart(text=text)) if parts else text
    return Request(
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content=content),
        ),
        teacher="t",
        sampling=Sampling(max_tokens=8),
        seed=1,
    )


def test_a_picture_is_sent_as_its_bytes(media: MediaStore) -> None:
    red, green = draw_picture(RED), draw_picture(GREEN, format="JPEG")
    asked = request(media.put(red), media.put(green))
    body = build_request_body(asked, "m", read_data_uri(media))
    urls = [
        f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        for kind, data in (("png", red), ("jpeg", green))
    ]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": urls[0]}},
                {"type": "image_url", "image_url": {"url": urls[1]}},
                {"type": "text", "text": "What colour?"},
            ],
        },
    ]


def test_people_are_shown_a_short_form(media: MediaStore) -> None:
    image = media.put(draw_picture(size=(40, 30)))
    body = build_request_body(request(image), "m", shorten_data_uri)
    assert f"data:image/png;base64,(40 x 30 pixels, sha256 {image.sha256[:12]})" in (
        json.dumps(body)
    )


def test_what_cannot_be_read_is_not_sent(media: MediaStore) -> None:
    image = media.put(draw_picture())
    with pytest.raises(TeacherError, match="without a folder of pictures"):
        build_request_body(request(image), "m")
    media.path(image).unlink()
    with pytest.raises(StoreError, match=image.sha256):
        build_request_body(request(image), "m", read_data_uri(media))


def test_a_server_that_takes_pictures_answers_about_them(
    server: Server, media: MediaStore
) -> None:
    server.reset(image_tokens=5)
    image = media.put(draw_picture())
    options: dict[str, ImageUrl] = {"image_url": read_data_uri(media)}

    async def act(client: EndpointClient) -> tuple[str | None, int | None, int | None]:
        warning = await client.check(request(image))
        counted = await client.count_prompt_tokens(request(image))
        answer = await client.attempt(request(image))
        assert isinstance(answer, Completion)
        return warning, counted, answer.prompt_tokens

    warning, counted, used = use_client(server, act, **options)
    assert warning is None
    # The stand-in's /tokenize counts the role of each turn as a token.
    assert (counted, used) == (11, 9)
    assert len(server.counts()) == 2


def test_a_server_without_vision_is_refused_before_the_first_row(
    server: Server, media: MediaStore
) -> None:
    server.reset()
    asked = request(media.put(draw_picture()))
    with pytest.raises(
        TeacherError,
        match=r"'fake' takes no pictures: HTTP 400: fake is not a multimodal model.* "
        r"Pass a vision model as --teacher\.",
    ):
        use_client(server, lambda client: client.check(asked))


@pytest.mark.parametrize("fault", ["http_400", "http_429", "http_503", "http_500"])
def test_a_server_that_refuses_all_is_not_said_to_lack_vision(
    fault: str, server: Server, media: MediaStore
) -> None:
    server.reset(image_tokens=5, faults={fault: 1.0}, times=0)
    asked = request(media.put(draw_picture()))
    options: dict[str, ImageUrl] = {"image_url": read_data_uri(media)}
    assert use_client(server, lambda client: client.check(asked), **options) is None


def test_without_pictures_no_server_is_asked_about_them(server: Server) -> None:
    server.reset()
    assert use_client(server, lambda client: client.check(request())) is None
    assert server.counts() == {}


def test_the_probe_is_a_picture(media: MediaStore) -> None:
    image = media.put(base64.b64decode(PROBE_URI.partition(",")[2]))
    assert (image.media_type, image.width, image.height) == ("image/png", 64, 64)


def test_tokens_are_counted_where_a_server_stands(
    server: Server, media: MediaStore
) -> None:
    image = media.put(draw_picture())

    def count(url: str) -> TokenCount | None:
        config = TeacherConfig(model="fake", endpoints=(url,))
        requests = [request(image), request(image, image), request()]
        return asyncio.run(count_served_tokens(config, requests, read_data_uri(media)))

    server.reset(image_tokens=5)
    assert count(server.url) == TokenCount(11 + 16 + 6, 3)
    server.reset(image_tokens=5, max_model_len=None)
    assert count(server.url) is None
    assert count(f"http://127.0.0.1:{free_port()}/v1") is None


@pytest.mark.parametrize(
    ("counted", "total", "text"),
    [((3300, 3), 3, "3,300"), ((3300, 3), 300, "about 330,000")],
)
def test_a_count_is_exact_or_says_that_it_is_not(
    counted: tuple[int, int], total: int, text: str
) -> None:
    assert TokenCount(*counted).estimate(total).describe() == text
