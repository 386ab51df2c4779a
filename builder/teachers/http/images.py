"""Chat turns as a server receives them: a picture is sent as a data: URI. Pure but for
the reading of pictures.

A part never has vLLM's `uuid`: with it a server may answer from its cache, and what it
saw would not be what the request says.
"""

import base64
from collections.abc import Callable
from typing import Any

from cotbuild.builder.media.store import MediaStore
from cotbuild.schemas.completion import Content, TextPart
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.question import ImageRef

ImageUrl = Callable[[ImageRef], str]
"""Returns the URL under which a picture is sent."""


def read_data_uri(media: MediaStore) -> ImageUrl:
    """Return a function that makes the data: URI of a stored picture.

    It reads the picture anew each time, so that only those on their way are in memory,
    and raises StoreError if it cannot.
    """

    def data_uri(image: ImageRef) -> str:
        encoded = base64.b64encode(media.read(image)).decode("ascii")
        return f"data:{image.media_type};base64,{encoded}"

    return data_uri


def shorten_data_uri(image: ImageRef) -> str:
    """Return what stands for the data: URI of a picture where people read it."""
    return (
        f"data:{image.media_type};base64,({image.width} x {image.height} pixels, "
        f"sha256 {image.sha256[:12]})"
    )


def refuse_image(image: ImageRef) -> str:
    """Raise TeacherError; for clients that were given no pictures."""
    raise TeacherError(
        f"the request has the picture {image.file_name!r}, and the teacher was opened "
        "without a folder of pictures. Pass one to open_teacher."
    )


def encode_content(content: Content, image_url: ImageUrl) -> str | list[dict[str, Any]]:
    """Return what a turn says in the form of a chat completion request."""
    if isinstance(content, str):
        return content
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": image_url(part.image)}}
        for part in content
    ]
