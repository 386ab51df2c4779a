"""Names: of targets, as people write them, and of files, as anybody may have written
them into a manifest.
"""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.hub.target import ReleaseTarget
from cotbuild.schemas.errors import ConfigError, PublishError

FILE = "file:"


def open_target(
    name: str, say: Callable[[str], None] = lambda _: None
) -> ReleaseTarget:
    """org/name, or file:PATH. Raises ConfigError on another form."""
    if name.startswith(FILE):
        from cotbuild.builder.release.folder import FolderTarget

        if not (path := name.removeprefix(FILE)):
            raise ConfigError(
                f"target {name!r}: no path. Expected file:PATH, such as file:releases/demo."
            )
        return FolderTarget(Path(path))
    from cotbuild.builder.hub.repo import HubRepo

    return HubRepo(name, say=say)


def at_revision(text: str) -> tuple[str, str | None]:
    """ORG/NAME@REVISION or file:PATH@REVISION in two; None: the newest. A path that has
    an @ of its own wins.
    """
    name, at, revision = text.rpartition("@")
    if (
        not at
        or "/" in revision
        or (text.startswith(FILE) and Path(text.removeprefix(FILE)).is_dir())
    ):
        return text, None
    if not revision:
        raise ConfigError(
            f"{text!r}: nothing behind the @. Expected a tag or a commit, or no @."
        )
    return name, revision


def is_release_name(text: str) -> bool:
    """Whether `text` names a release elsewhere, and no folder here."""
    return text.startswith(FILE) or (
        not Path(text).exists() and HUB_ID.fullmatch(at_revision(text)[0]) is not None
    )


def safe_path(path: str, where: str) -> PurePosixPath:
    """A path inside a release.

    Raises PublishError on one that leads out of it, or to a hidden file.
    """
    plain = PurePosixPath(path)
    leads_out = plain.is_absolute() or any(part.startswith(".") for part in plain.parts)
    is_odd = not plain.parts or plain.as_posix() != path or "\\" in path or "\0" in path
    if leads_out or is_odd:
        raise PublishError(
            f"{where}: a file is called {path!r}. Expected a plain path inside the release."
        )
    return plain
