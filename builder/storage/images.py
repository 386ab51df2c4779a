"""The pictures of rows: a column of bytes beside the columns of a record.

A record holds only the digests of its pictures. In a parquet file their bytes are in a
last column, `images`, which Hugging Face `datasets` reads as a list of `Image`. It is
part of no digest of rows, and rows are read without it unless it is asked for.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import ImageRef

IMAGE_COLUMN = "images"
IMAGE_TYPE = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
IMAGE_FEATURE = {"list": "image"}
"""The type of the column in the front matter of a card."""

GROUP_BYTES = 32 << 20
"""A row group ends after the row with which its pictures reach this size."""
FILE_BYTES = 256 << 20
"""A file ends after the row group with which its pictures reach this size, each counted
once a row group.
"""
MAX_ROW_IMAGE_BYTES = 48 << 20
"""Most that the pictures of a row may take: rows of more than 64 MiB are not read."""

_FEATURES = {IMAGE_COLUMN: {"feature": {"_type": "Image"}, "_type": "List"}}
HUGGING_FACE_METADATA = {
    "huggingface": json.dumps({"info": {"features": _FEATURES}}, separators=(",", ":"))
}
"""Metadata of a parquet file by which `datasets` knows the column without a card."""

ReadImage = Callable[[ImageRef], bytes]
"""Returns the bytes of an image."""


def images_of(row: object) -> tuple[ImageRef, ...]:
    """Return the pictures of a record; none if its kind of record has none."""
    images: tuple[ImageRef, ...] = getattr(row, "images", ())
    return images


class ImageBatch:
    """The pictures of the rows of one row group, read as the rows are added."""

    def __init__(self, read_image: ReadImage) -> None:
        self._read = read_image
        self._data: dict[str, bytes] = {}
        self.num_bytes = 0
        """Bytes of the pictures of all rows."""

    @property
    def num_distinct_bytes(self) -> int:
        """Bytes of the pictures, each counted once."""
        return sum(map(len, self._data.values()))

    def add(self, images: Sequence[ImageRef]) -> list[dict[str, Any]]:
        """Take the pictures of the next row; return the value of its column.

        Raises DataError if they take more than MAX_ROW_IMAGE_BYTES together, and whatever the
        reading function raises.
        """
        row_bytes = 0
        cell = []
        for image in images:
            data = self._data.get(image.sha256)
            if data is None:
                data = self._data[image.sha256] = self._read(image)
            row_bytes += len(data)
            cell.append({"bytes": data, "path": image.file_name})
        if row_bytes > MAX_ROW_IMAGE_BYTES:
            raise DataError(
                f"picture {images[0].file_name!r} and those beside it in one row take "
                f"{row_bytes:,} bytes, more than {MAX_ROW_IMAGE_BYTES >> 20} MiB. Make them "
                "smaller, or leave the question out."
            )
        self.num_bytes += row_bytes
        return cell

    def clear(self) -> None:
        """Forget the pictures: the row group is written."""
        self._data.clear()
        self.num_bytes = 0


def is_image_column(field: pa.Field) -> bool:
    """Whether a column of a parquet file is the one of pictures, by name and type."""
    return bool(field.name == IMAGE_COLUMN and field.type == IMAGE_TYPE)


def columns_without_images(schema: pa.Schema) -> list[str] | None:
    """Return the columns of a file but that of its pictures; None if it has none."""
    if IMAGE_COLUMN not in schema.names:
        return None
    return [name for name in schema.names if name != IMAGE_COLUMN]


class StoredImage(NamedTuple):
    """A picture as a row holds it. Anybody may have written it."""

    data: bytes
    path: str
    """Its file name, by its digest."""


def parse_images(value: Any, where: str) -> Iterator[StoredImage]:
    """Yield the pictures in a value of the column.

    `where` names the row in the error. Raises DataError if one has no bytes or no name.
    """
    for number, image in enumerate(value or ()):
        data = image.get("bytes") if isinstance(image, dict) else None
        path = image.get("path") if isinstance(image, dict) else None
        if not isinstance(data, bytes) or not isinstance(path, str):
            raise DataError(
                f"{where}: picture {number} has no bytes or no path. Build or download "
                "it again."
            )
        yield StoredImage(data, path)
