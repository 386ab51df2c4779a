"""The pictures of a build: files named by the digest of their bytes."""

import os
from pathlib import Path

from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.question import ImageRef

MEDIA = "media"
"""The folder of a build that holds its pictures."""


class MediaStore:
    """A folder of pictures, each a file named by its digest. It need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, image: ImageRef) -> Path:
        """Return where the bytes of a picture are."""
        return self.folder / image.file_name

    def put(self, image: ImageRef, data: bytes) -> None:
        """Keep the bytes of a picture; raises StoreError.

        They are written beside the file and renamed, so that it is whole or absent.
        """
        path = self.path(image)
        if path.exists():
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}. Make room, then run again."
            ) from error

    def read(self, image: ImageRef) -> bytes:
        """Return the bytes of a picture; raises StoreError if they are not there."""
        path = self.path(image)
        try:
            return path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"{path}: {error.strerror}. Run the same command again to read the "
                "pictures of the source."
            ) from error
