"""The pictures of a build, each in a file named by its content."""

import hashlib
import os
import stat
from collections import OrderedDict
from pathlib import Path

from cotbuild.builder.media.check import (
    MAX_IMAGE_BYTES,
    identify_image,
    read_image_facts,
)
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import open_regular, write_bytes_atomic, write_error
from cotbuild.schemas.names import MEDIA
from cotbuild.schemas.question import ImageRef

MAX_PREVIEW_BYTES = 64 << 20
"""Bytes of the pictures that a PreviewStore remembers."""

_NOWHERE = Path(os.devnull)
"""A folder without files."""


def media_folder(build_dir: Path) -> Path:
    """Return the folder of a build that holds its pictures."""
    return build_dir / MEDIA


class MediaStore:
    """The pictures in one folder.

    A picture that is in the folder was decoded once, when it was put there. The folder
    is created with the first picture.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> ImageRef:
        """Store a picture as it is and return what names it.

        One that is stored already is neither decoded nor written again.

        Raises:
            BadImage: It is no picture that can be used.
            ConfigError: Pillow is not installed.
            StoreError: It cannot be written.
        """
        image = read_image_facts(data)
        if not self.has(image, len(data)):
            identify_image(data)
            self._write(image, data)
        return image

    def has(self, image: ImageRef, num_bytes: int | None = None) -> bool:
        """Return whether a picture is stored, by its name and, if given, its length."""
        try:
            status = self.path(image).lstat()
        except OSError:
            return False
        is_file = stat.S_ISREG(status.st_mode)
        return is_file and num_bytes in (None, status.st_size)

    def read(self, image: ImageRef) -> bytes:
        """Return the bytes of a picture.

        Raises StoreError if it is not stored, or its file was changed.
        """
        path = self.path(image)
        try:
            with open_regular(path) as file:
                data = file.read(MAX_IMAGE_BYTES + 1)
        except OSError as fault:
            raise StoreError(
                f"{path}: could not be read: {fault.strerror or fault}. Run the command "
                "that wrote the build again, which copies the picture from the source."
            ) from fault
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise StoreError(
                f"{path}: its bytes are not those that its name says. Delete it, and run "
                "the command that wrote the build again."
            )
        return data

    def path(self, image: ImageRef) -> Path:
        """Return where a picture is, or would be."""
        return self.folder / image.file_name

    def _write(self, image: ImageRef, data: bytes) -> None:
        path = self.path(image)
        try:
            write_bytes_atomic(path, data)
        except OSError as fault:
            raise write_error(path, fault) from fault


class PreviewStore(MediaStore):
    """A store that writes nothing, for a dry run.

    It remembers the pictures put last, up to MAX_PREVIEW_BYTES, and that others were
    decoded; pictures that are in the folder are read from there.
    """

    def __init__(self, folder: Path = _NOWHERE) -> None:
        super().__init__(folder)
        self._decoded: set[bytes] = set()
        self._recent: OrderedDict[str, bytes] = OrderedDict()
        self._recent_bytes = 0

    def put(self, data: bytes) -> ImageRef:
        """See MediaStore.put."""
        image = super().put(data)
        self._remember(image, data)
        return image

    def has(self, image: ImageRef, num_bytes: int | None = None) -> bool:
        """See MediaStore.has."""
        is_decoded = bytes.fromhex(image.sha256) in self._decoded
        return is_decoded or super().has(image, num_bytes)

    def read(self, image: ImageRef) -> bytes:
        """See MediaStore.read."""
        recent = self._recent.get(image.sha256)
        return super().read(image) if recent is None else recent

    def _write(self, image: ImageRef, data: bytes) -> None:
        del data
        self._decoded.add(bytes.fromhex(image.sha256))

    def _remember(self, image: ImageRef, data: bytes) -> None:
        if image.sha256 in self._recent:
            self._recent.move_to_end(image.sha256)
            return
        self._recent[image.sha256] = data
        self._recent_bytes += len(data)
        while self._recent_bytes > MAX_PREVIEW_BYTES:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest)
