"""Pictures as inputs of questions: the bytes are kept, the question gets their digest."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from cotbuild.builder.media import BadImage
from cotbuild.builder.sources.base import (
    BadRow,
    BadRowReason,
    Row,
    RowParser,
    ToImages,
)
from cotbuild.builder.sources.make import derive_content_id
from cotbuild.schemas.question import ImageRef, Input, Question

PREFETCH_ROWS = 64
"""Rows whose pictures are asked for together, so that several are fetched at once."""


class LoadsImages(Protocol):
    """Keeps the bytes of pictures."""

    def load(self, value: object) -> ImageRef:
        """Return the picture of a raw value: bytes, a path, a URL, …; raises BadImage."""

    def prefetch(self, values: Iterable[object]) -> None:
        """Fetch those of the values that are URLs."""


def add_images(
    question: Question,
    values: Mapping[str, object],
    loader: LoadsImages,
    parser: RowParser,
) -> Question:
    """Return a question with its pictures, among its inputs in the parser's order.

    An id that is derived from the content covers them. Raises BadRow for a picture that
    cannot be used.
    """
    inputs = {one.name: one for one in question.inputs}
    for name, value in values.items():
        inputs[name] = Input(name=name, image=_load(name, value, loader))
    ordered = [inputs[name] for name in parser.input_names if name in inputs]
    question_id = question.id
    if not parser.has_id:
        pairs = [(choice.label, choice.text) for choice in question.choices]
        question_id = derive_content_id(question.text, pairs, ordered)
    return question.model_copy(update={"id": question_id, "inputs": tuple(ordered)})


def _load(name: str, value: object, loader: LoadsImages) -> ImageRef:
    try:
        return loader.load(value)
    except BadImage as fault:
        raise BadRow(BadRowReason.BAD_IMAGE, f"input {name!r}: {fault}.") from fault


def prefetch_images(
    rows: Iterable[Row | BadRow], to_images: ToImages, loader: LoadsImages
) -> Iterator[Row | BadRow]:
    """Yield rows as they come, with the pictures of PREFETCH_ROWS of them asked for."""
    rows = iter(rows)
    while chunk := list(islice(rows, PREFETCH_ROWS)):
        readable = [row for row in chunk if not isinstance(row, BadRow)]
        loader.prefetch(value for row in readable for value in to_images(row).values())
        yield from chunk
