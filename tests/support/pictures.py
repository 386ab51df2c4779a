"""Small pictures that tests draw."""

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

Colour = tuple[int, int, int]
RED: Colour = (220, 30, 30)
GREEN: Colour = (30, 160, 60)
BLUE: Colour = (40, 60, 200)


def draw_picture(
    colour: Colour = RED,
    size: tuple[int, int] = (32, 24),
    format: str = "PNG",
    **options: Any,
) -> bytes:
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, format, **options)
    return file.getvalue()


def draw_animation(
    format: str = "GIF", colours: Sequence[Colour] = (RED, GREEN)
) -> bytes:
    """Return a picture with a frame of each colour."""
    first, *others = [Image.new("RGB", (8, 8), colour) for colour in colours]
    file = io.BytesIO()
    first.save(file, format, save_all=True, append_images=others, duration=100)
    return file.getvalue()
