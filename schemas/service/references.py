"""References: how a request to the service names a file, since it may name no path.

- `upload:SHA256` or `upload:SHA256/NAME`: a file that was uploaded. The name says what
  it is called where its name matters, such as for its format.
- `folder:NAME/PATH`: a file or folder below one that the service was started with.
- `target:NAME`: a build, run or evaluation under the root of the service.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from cotbuild.schemas.names import is_plain_path

UPLOAD, FOLDER, TARGET = "upload:", "folder:", "target:"
_UPLOAD = re.compile(r"upload:([0-9a-f]{64})(?:/(.*))?", re.DOTALL)
_FOLDER = re.compile(r"folder:([^/]+)(?:/(.*))?", re.DOTALL)
_TARGET = re.compile(r"target:([A-Za-z0-9][A-Za-z0-9._-]{0,95})")
_NOT_IN_A_NAME = frozenset("/,=")
"""Characters that file names of uploads cannot have: a source of text files side by side
is written `question=FILE,target=FILE`."""


@dataclass(frozen=True)
class UploadRef:
    """A file that was uploaded."""

    sha256: str
    name: str | None
    """What it is called; None for no name of its own."""

    def __str__(self) -> str:
        return f"{UPLOAD}{self.sha256}" + (f"/{self.name}" if self.name else "")


@dataclass(frozen=True)
class FolderRef:
    """A file or folder below one that the service lists."""

    folder: str
    """Name of the listed folder."""
    path: str
    """Plain relative path below it; empty for the folder itself."""

    def __str__(self) -> str:
        return f"{FOLDER}{self.folder}" + (f"/{self.path}" if self.path else "")


@dataclass(frozen=True)
class TargetRef:
    """A build, run or evaluation under the root."""

    name: str

    def __str__(self) -> str:
        return f"{TARGET}{self.name}"


Reference = UploadRef | FolderRef | TargetRef


def is_reference(text: str) -> bool:
    """Whether a text begins as a reference does."""
    return text.startswith((UPLOAD, FOLDER, TARGET))


def parse_reference(text: str) -> Reference | None:
    """Return the reference that a text is; None if it does not begin as one.

    Raises ValueError if it begins as one and is malformed, or its path could leave the
    folder.
    """
    if not is_reference(text):
        return None
    if found := _UPLOAD.fullmatch(text):
        sha256, name = found.groups()
        if name is None or is_upload_name(name):
            return UploadRef(sha256, name)
    elif found := _FOLDER.fullmatch(text):
        folder, path = found.groups()
        if _is_plain_name(folder) and (not path or is_plain_path(path)):
            return FolderRef(folder, path or "")
    elif found := _TARGET.fullmatch(text):
        return TargetRef(found[1])
    raise ValueError(
        "expected upload:SHA256/NAME with 64 hex digits and a file name without "
        "'/', ',' and '=', folder:NAME/PATH with a plain relative path, or target:NAME"
    )


def is_upload_name(name: str) -> bool:
    """Whether a file name can be that of an upload."""
    return _is_plain_name(name) and not _NOT_IN_A_NAME & set(name)


def _is_plain_name(name: str) -> bool:
    return is_plain_path(name) and "/" not in name


def upload_name(name: str) -> str:
    """Return a file name as an upload may have it, its ending kept.

    Characters that it cannot have become `_`; `data` is the name if nothing is left.
    """
    cleaned = re.sub(r"[\x00-\x1f\x7f\\/,=\ud800-\udfff]", "_", name).lstrip(".")
    while cleaned and not is_upload_name(cleaned):
        cleaned = cleaned[1:].lstrip(".")  # longer than a file name may be
    return cleaned or "data"


def _check_file(text: str) -> str:
    try:
        reference = parse_reference(text)
    except ValueError as fault:
        message = f"E{str(fault)[1:]}"
        raise PydanticCustomError(
            "file_reference", "{message}", {"message": message}
        ) from fault
    if reference is None:
        raise PydanticCustomError(
            "file_reference",
            "Paths cannot be named. Expected upload:SHA256/NAME, folder:NAME/PATH or "
            "target:NAME",
        )
    return text


FileReference = Annotated[
    str,
    Field(max_length=2_000, description="upload:SHA256/NAME or folder:NAME/PATH."),
    AfterValidator(_check_file),
]
"""A text that is a reference."""
