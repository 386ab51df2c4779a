"""Names of releases as users write them: ORG/NAME[@REVISION] on the Hub,
file:PATH[@REVISION], s3://BUCKET/PATH[@REVISION] or az://CONTAINER/PATH[@REVISION].
"""

from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.cloud.urls import find_store_url, split_store_revision
from cotbuild.builder.hub.names import FILE_PREFIX, HUB_ID
from cotbuild.builder.hub.repo import HubRepo
from cotbuild.builder.hub.target import ReleaseTarget
from cotbuild.builder.release.folder import FolderTarget
from cotbuild.schemas.errors import ConfigError


def open_release(
    text: str, say: Callable[[str], None] = lambda _: None
) -> tuple[ReleaseTarget, str | None]:
    """Return the target and the revision of a release that is there to be read.

    ORG/NAME alone may also be a mistyped folder, of which errors speak too. `say` and
    what is raised are those of `open_target` and `split_revision`.
    """
    name, revision = split_revision(text)
    or_folder = revision is None and not Path(name).exists()
    return open_target(name, say, or_folder=or_folder), revision


def open_target(
    name: str, say: Callable[[str], None] = lambda _: None, *, or_folder: bool = False
) -> ReleaseTarget:
    """Return the target that a name without revision refers to.

    `say` receives a line whenever the Hub asks to wait, and `or_folder` is that of
    `HubRepo`. Raises ConfigError if the name is none of ORG/NAME, file:PATH and the URL
    of a store.
    """
    url = find_store_url(name)
    if url is not None:
        from cotbuild.builder.release.store import StoreTarget

        return StoreTarget(url)
    if not name.startswith(FILE_PREFIX):
        return HubRepo(name, say=say, or_folder=or_folder)
    path = name.removeprefix(FILE_PREFIX)
    if not path:
        raise ConfigError(
            f"target {name!r} has no path. Write file:PATH, such as file:releases/demo."
        )
    return FolderTarget(Path(path))


def split_revision(text: str) -> tuple[str, str | None]:
    """Split NAME@REVISION into name and revision; the revision is None if not given.

    A file:PATH that exists is taken as a whole, even if it contains an @. Raises
    ConfigError if nothing follows the @.
    """
    on_store = split_store_revision(text)
    if on_store is not None:
        return on_store
    name, at, revision = text.rpartition("@")
    if not at or "/" in revision or _is_existing_folder(text):
        return text, None
    if not revision:
        raise ConfigError(
            f"{text!r} ends with an @. Add a tag or a commit, or leave out the @."
        )
    return name, revision


def is_release_name(text: str) -> bool:
    """Whether a text refers to a release rather than to a build directory.

    A local path that exists is a build directory, even if it looks like ORG/NAME.
    """
    if text.startswith(FILE_PREFIX) or split_store_revision(text) is not None:
        return True
    if Path(text).exists():
        return False
    name, _ = split_revision(text)
    return HUB_ID.fullmatch(name) is not None


def _is_existing_folder(text: str) -> bool:
    path = text.removeprefix(FILE_PREFIX)
    return text.startswith(FILE_PREFIX) and Path(path).is_dir()
