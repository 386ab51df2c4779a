"""Folders for temporary files."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotbuild.schemas.errors import CotbuildError, StoreError


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder, which is deleted afterwards.

    Raises StoreError in one line if there is no usable place for it, or it fills up.
    """
    folder = tempfile.gettempprefix()
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryDirectory(prefix="cotbuild-") as name:
            yield Path(name)
    except CotbuildError:
        raise
    except OSError as error:
        raise StoreError(
            f"temporary files in {folder!r}: {error.strerror or error}. Set TMPDIR to a "
            "folder with free space that you may write to."
        ) from error
