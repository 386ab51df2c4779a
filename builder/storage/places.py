"""The one door for paths that a file names, and for the files that are found there.

Manifests, release.json and pending.json may come from a stranger, with the folder
around them. Every path that one of them names passes `safe_place` before anything there
is read, written or deleted: it stays in its folder, no link leads elsewhere, and what
is there is a plain file.
"""

import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cotbuild.schemas.errors import CotbuildError, DataError
from cotbuild.schemas.names import is_plain_path
from cotbuild.schemas.record import short_repr

Fault = type[CotbuildError]


def safe_path(path: str, owner: str, error: Fault = DataError) -> PurePosixPath:
    """Return a path inside a build or release, after checking that it stays there.

    `owner` names that build or release in the error. Raises `error` if the path is
    absolute, not in its plain form, too long, or has a part that begins with a dot.
    """
    if not is_plain_path(path):
        raise error(
            f"{owner}: unsafe file name {short_repr(path)}. Its files must have plain "
            "relative names. Do not use it."
        )
    return PurePosixPath(path)


def safe_place(
    folder: Path, path: str, owner: str | None = None, error: Fault = DataError
) -> Path:
    """Return where a file of a build or release is in `folder`; it need not exist.

    `owner` is the folder itself by default. Raises `error` as `safe_path` and
    `plain_place` do.
    """
    owner = str(folder) if owner is None else owner
    return plain_place(folder, safe_path(path, owner, error), owner, error)


def plain_place(
    folder: Path, path: PurePosixPath, owner: str, error: Fault = DataError
) -> Path:
    """Return `folder`/`path` after checking that no link leads elsewhere.

    The file need not exist, and `folder` itself may be a link. Raises `error` if a
    parent below `folder` is not a directory or the file is not a regular one: a link
    may lead anywhere, and reading a pipe or a device may never end.
    """
    *parents, name = path.parts
    place = _plain_folders(folder, parents, path, owner, error) / name
    if not stat.S_ISREG(_mode(place, stat.S_IFREG, error)):
        raise error(
            f"{owner}: {str(path)!r} is not a regular file but {_kind(place)}. Replace it "
            "by the file; `cp -rL` copies a folder so."
        )
    return place


def plain_folder(
    folder: Path, path: PurePosixPath, owner: str, error: Fault = DataError
) -> Path:
    """Return the directory `folder`/`path`, which need not exist.

    Raises `error` if it or a parent below `folder` is a link or another kind of file.
    """
    return _plain_folders(folder, path.parts, path, owner, error)


def _plain_folders(
    folder: Path,
    parts: Sequence[str],
    path: PurePosixPath,
    owner: str,
    error: Fault,
) -> Path:
    """Return the directory of these parts below `folder`; `path` is for the error."""
    place = folder
    for part in parts:
        place = place / part
        if not stat.S_ISDIR(_mode(place, stat.S_IFDIR, error)):
            raise error(
                f"{owner}: {place.name!r} in {str(path)!r} is not a directory but "
                f"{_kind(place)}. Replace it by a directory; `cp -rL` copies a folder so."
            )
    return place


def _mode(place: Path, missing: int, error: Fault) -> int:
    """Return the file mode without following links, `missing` if nothing is there."""
    try:
        return place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return missing
    except OSError as fault:
        reason = fault.strerror or fault
        raise error(
            f"{place}: {reason}. Check the path and its permissions."
        ) from fault


_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
    stat.S_IFSOCK: "a socket",
}


def _kind(place: Path) -> str:
    """Say what is at a place, without following links."""
    return _KINDS.get(stat.S_IFMT(place.lstat().st_mode), "a device")
