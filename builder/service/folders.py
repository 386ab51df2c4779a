"""The folder of the service itself, ROOT/.service, which its user alone can read."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import write_error

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600


def make_service_folders(settings: ServiceSettings) -> None:
    """Create the root and the folders of the service where they are missing.

    Raises ConfigError if one of them is something else, or a link: what is written
    there would go elsewhere.
    """
    try:
        settings.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(settings.root, error.strerror or str(error)) from error
    for folder in (settings.folder, settings.files_folder, settings.jobs_folder):
        make_private_folder(folder)


def job_table_url(settings: ServiceSettings) -> str:
    """Return the URL of the table of jobs: SQLite under the root by default."""
    return settings.database or f"sqlite:///{settings.folder / 'jobs.sqlite'}"


def make_private_folder(folder: Path) -> None:
    """Create a folder for this user alone; its parent exists. Raises ConfigError."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=_PRIVATE_FOLDER)
        mode = folder.lstat().st_mode
        if not stat.S_ISDIR(mode):
            raise _unusable(folder, "Not a directory")
        if stat.S_IMODE(mode) != _PRIVATE_FOLDER:
            folder.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        if isinstance(error, ConfigError):
            raise
        raise _unusable(folder, error.strerror or str(error)) from error


def write_private_text(path: Path, text: str) -> None:
    """Replace a file as a whole; only this user can read it. Raises StoreError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, _PRIVATE_FILE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def _unusable(folder: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"{folder}: cannot be used for the service: {reason}. Pass another --root, or "
        "make it a folder of your own that you can write to."
    )
