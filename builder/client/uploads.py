"""Files of this machine that a configuration names, and what they become in a request.

A service reads no path, so each file is uploaded under its SHA-256, once, and named by
`upload:SHA256/NAME`. What is no file here is left for the service to understand: a known
dataset, a Hub id, a reference.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import open_regular
from cotbuild.schemas.service.references import UploadRef, is_reference, upload_name

_BLOCK_BYTES = 1 << 20
Upload = Callable[[Path], UploadRef]
"""Uploads a file and returns the reference to it."""


def upload_files_of(config: BuildConfig, upload: Upload) -> BuildConfig:
    """Return a configuration with references in place of the files that it names.

    Raises ConfigError for a folder of this machine, which cannot be uploaded.
    """
    values = config.model_dump(mode="json")
    source, teacher = values["source"], values["teacher"]
    source["name"] = upload_source(source["name"], upload)
    if source.get("images") is not None:
        source["images"] = _refuse_folder("images", source["images"])
    if not teacher["endpoints"]:
        teacher["model"] = check_model(teacher["model"], "teacher")
    values["templates"] = [upload_template(name, upload) for name in config.templates]
    if config.attempts is not None:
        values["attempts"]["file"] = upload_file(config.attempts.file, upload)
    if config.imported is not None:
        imported = values["imported"]
        imported["files"] = [upload_file(name, upload) for name in imported["files"]]
        if imported["order_from"] is not None:
            imported["order_from"] = upload_file(imported["order_from"], upload)
    return BuildConfig.parse(values, "config", ConfigError)


def upload_source(name: str, upload: Upload) -> str:
    """Return the name of a source for a service, files side by side among them."""
    if is_reference(name):
        return name
    pairs = [part.partition("=") for part in name.split(",")]
    are_files = all(equals and Path(text).is_file() for _, equals, text in pairs)
    if not Path(name).exists() and are_files:
        parts = [f"{field}={upload(Path(text))}" for field, _, text in pairs]
        return ",".join(parts)
    return upload_file(name, upload)


def upload_file(name: str, upload: Upload) -> str:
    """Upload a file of this machine; another text is returned as it is."""
    path = Path(name).expanduser()
    if is_reference(name) or not path.exists():
        return name
    if path.is_dir():
        return _refuse_folder("", name)
    return str(upload(path))


def upload_template(name: str, upload: Upload) -> str:
    """Upload the file of a template; the name of one that ships is returned."""
    return upload_file(name, upload) if name.endswith((".yaml", ".yml")) else name


def check_model(name: str, role: str) -> str:
    """Return the name of a model; raises ConfigError for a folder of this machine."""
    if not is_reference(name) and Path(name).expanduser().is_dir():
        raise ConfigError(
            f"{role} {name!r} is a folder of this machine, which the service cannot read. "
            "Name a Hub id, or a folder that the service lists: folder:NAME/PATH."
        )
    return name


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file; raises ConfigError if it cannot be read."""
    digest = hashlib.sha256()
    for block in read_blocks(path):
        digest.update(block)
    return digest.hexdigest()


def read_blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file; raises ConfigError if it cannot be read."""
    try:
        with open_regular(path) as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
    except OSError as fault:
        raise ConfigError(
            f"{path}: cannot be read: {fault.strerror}. Check the path and its permissions."
        ) from fault


def reference_to(path: Path, sha256: str) -> UploadRef:
    """Return the reference to an uploaded file, which keeps its name as far as it can."""
    return UploadRef(sha256, upload_name(path.name))


def file_size(path: Path) -> int:
    """Return the size of a file in bytes; raises ConfigError."""
    try:
        return path.stat().st_size
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}. Check the path.") from fault


def _refuse_folder(field: str, name: str) -> str:
    if is_reference(name):
        return name
    what = f"{field} {name!r}" if field else repr(name)
    raise ConfigError(
        f"{what} is a folder of this machine. Pass a file, which is uploaded; or a folder "
        "that the service lists, as folder:NAME/PATH."
    )
