"""Where the files that requests refer to are on this machine.

The server keeps an upload under its digest, `.service/files/SHA256`. A job reads it
under its own name, at `.service/named/SHA256/NAME`: a second name of the same file, the
same for every job, so that a repeated request finds its build up to date. Deleting an
upload takes its names away; a job that has opened one reads on.
"""

import os
import secrets
import shutil
from pathlib import Path, PurePosixPath

from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.storage.places import plain_folder, plain_place
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import write_error
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.references import (
    FolderRef,
    Reference,
    TargetRef,
    UploadRef,
    parse_reference,
)

NAMED = "named"
DEFAULT_NAME = "data"
"""Name of an upload whose reference has none."""


def listed_folders(settings: ServiceSettings) -> dict[str, Path]:
    """Return the folders that requests may read, by the names that requests use.

    A folder goes by its last part. Raises ConfigError if two have the same one.
    """
    folders: dict[str, Path] = {}
    for folder in settings.allow_sources:
        if folder.name in folders:
            raise ConfigError(
                f"--allow-source {folder}: {folders[folder.name]} has the same name "
                f"{folder.name!r}, by which requests name it. Rename one of them."
            )
        folders[folder.name] = folder
    return folders


def read_reference(text: str, place: str) -> Reference | None:
    """Return the reference that a field of a request holds; None for another text.

    `place` names the field. Raises ConfigError if it is malformed.
    """
    try:
        return parse_reference(text)
    except ValueError as fault:
        raise ConfigError(f"{place} is {short_repr(text)}: {fault}.") from fault


def find_reference(
    reference: Reference, settings: ServiceSettings, place: str
) -> PurePosixPath | Path:
    """Return where the file of a reference is, relative to the root where it is below.

    `place` names the field of the request. Raises ConfigError if there is no such file
    or folder, or if a link there leads elsewhere.
    """
    if isinstance(reference, UploadRef):
        return _find_upload(reference, settings, place)
    if isinstance(reference, TargetRef):
        name = PurePosixPath(reference.name)
        plain_folder(settings.root, name, place, ConfigError)
        if not (settings.root / name).is_dir():
            raise ConfigError(
                f"{place}: there is no {reference.name!r} on the server. `cotbuild jobs "
                "list` shows what is being made."
            )
        return name
    return _find_listed(reference, settings, place)


def name_upload(reference: UploadRef, settings: ServiceSettings) -> PurePosixPath:
    """Give an upload the name by which a job reads it, and return that path.

    It is relative to the root. Raises ConfigError if there is no such upload, StoreError
    if the name cannot be made.
    """
    stored = settings.files_folder / reference.sha256
    name = reference.name or DEFAULT_NAME
    named = settings.folder / NAMED / reference.sha256 / name
    if not named.is_file():
        if not stored.is_file():
            raise _no_upload(reference)
        try:
            _link(stored, named)
        except OSError as fault:
            raise write_error(named, fault) from fault
    return PurePosixPath(named.relative_to(settings.root))


def forget_upload(sha256: str, settings: ServiceSettings) -> None:
    """Delete the names of an upload; the file itself is its caller's. Raises StoreError."""
    folder = settings.folder / NAMED / sha256
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as fault:
        raise StoreError(
            f"{folder}: {fault.strerror}. Check its permissions."
        ) from fault


def _find_upload(
    reference: UploadRef, settings: ServiceSettings, place: str
) -> PurePosixPath:
    try:
        return name_upload(reference, settings)
    except ConfigError as fault:
        raise ConfigError(f"{place}: {fault}") from fault


def _no_upload(reference: UploadRef) -> ConfigError:
    return ConfigError(
        f"no file with SHA-256 {reference.sha256[:16]}… was uploaded. Upload it with "
        "PUT /v1/files/SHA256, as the client does."
    )


def _find_listed(reference: FolderRef, settings: ServiceSettings, place: str) -> Path:
    folders = listed_folders(settings)
    folder = folders.get(reference.folder)
    if folder is None:
        names = ", ".join(folders) or "none"
        raise ConfigError(
            f"{place}: {reference.folder!r} is no folder that the server lists. It lists: "
            f"{names}. Upload the file in its place."
        )
    if not reference.path:
        return folder
    path = PurePosixPath(reference.path)
    found = folder / path
    if found.is_dir():
        plain_folder(folder, path, str(reference), ConfigError)
        return found
    found = plain_place(folder, path, str(reference), ConfigError)
    if not found.exists():
        raise ConfigError(f"{place}: {str(reference)!r} does not exist on the server.")
    return found


def _link(stored: Path, named: Path) -> None:
    """Make `named` a second name of a file, or a copy where there can be none."""
    named.parent.mkdir(parents=True, exist_ok=True)
    temporary = named.with_name(f".{secrets.token_hex(8)}")
    try:
        try:
            os.link(stored, temporary)
        except OSError:  # a file system without hard links
            shutil.copyfile(stored, temporary)
        temporary.replace(named)
    finally:
        temporary.unlink(missing_ok=True)
