"""Where a release's files stand on this machine: the one door from a path that anybody
may have written to a file.
"""

import stat
from pathlib import Path, PurePosixPath

from cotbuild.builder.release.names import safe_path
from cotbuild.schemas.errors import PublishError


def safe_place(folder: Path, path: str, where: str) -> Path:
    """Return the place of a release's file in `folder`; the file need not exist.

    Raises PublishError where the path leads out of the folder or to a hidden file, and
    as `plain_place` does.
    """
    return plain_place(folder, safe_path(path, where), where)


def plain_place(folder: Path, path: PurePosixPath, where: str) -> Path:
    """Return `folder`/`path`, for a path whose words are known to be safe; the file
    need not exist.

    Raises PublishError where a part of the path below `folder` is a link, or the file
    is not a regular one: a link leads anywhere, and reading a pipe or a device may
    never end. `folder` itself may be a link.
    """
    *parents, name = path.parts
    place = folder
    for parent in parents:
        place = place / parent
        if not stat.S_ISDIR(_mode(place, missing=stat.S_IFDIR)):
            raise PublishError(
                f"{where}: {place.name!r} on the way to {str(path)!r} is not a folder of the release."
            )
    place = place / name
    if not stat.S_ISREG(_mode(place, missing=stat.S_IFREG)):
        raise PublishError(
            f"{where}: {str(path)!r} is not a regular file. Replace the link, folder or device by one."
        )
    return place


def _mode(place: Path, *, missing: int) -> int:
    """The mode of what stands there, links not followed; `missing` where nothing does."""
    try:
        return place.lstat().st_mode
    except FileNotFoundError:
        return missing
