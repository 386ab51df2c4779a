"""The one place where a release written by anybody meets this machine.

Manifests, release.json and build.json may come from a stranger. Every path that one of
them names passes `safe_path` or `safe_place`, and every configuration passes
`received_config`, before anything here is read, written, deleted or started.
"""

import stat
from pathlib import Path, PurePosixPath

from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.release.sanitize import is_path, last_part, public_config
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import PublishError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record

# -- paths -----------------------------------------------------------------------------


def safe_path(path: str, release: str) -> PurePosixPath:
    """Return a path inside a release, after checking that it stays there.

    `release` names it in the error. Raises PublishError if the path is absolute, not in
    its plain form, or has a part that begins with a dot.
    """
    plain = PurePosixPath(path)
    is_hidden = any(part.startswith(".") for part in plain.parts)
    is_plain = bool(plain.parts) and plain.as_posix() == path
    if plain.is_absolute() or is_hidden or not is_plain or "\\" in path or "\0" in path:
        raise PublishError(
            f"{release}: unsafe file name {path!r}. The names in a release must be plain "
            "relative paths. Do not use this release."
        )
    return plain


def safe_place(folder: Path, path: str, release: str) -> Path:
    """Return where a file of a release is in `folder`; it need not exist.

    Raises PublishError as `safe_path` and `plain_place` do.
    """
    return plain_place(folder, safe_path(path, release), release)


def plain_place(folder: Path, path: PurePosixPath, release: str) -> Path:
    """Return `folder`/`path` after checking that no link leads elsewhere.

    The file need not exist, and `folder` itself may be a link. Raises PublishError if a
    parent below `folder` is not a directory or the file is not a regular one: a link
    may lead anywhere, and reading a pipe or a device may never end.
    """
    *parents, name = path.parts
    place = folder
    for parent in parents:
        place = place / parent
        if not stat.S_ISDIR(_mode(place, missing=stat.S_IFDIR)):
            raise PublishError(
                f"{release}: {place.name!r} in {str(path)!r} is not a directory. "
                "Replace the link or file by a directory."
            )
    place = place / name
    if not stat.S_ISREG(_mode(place, missing=stat.S_IFREG)):
        raise PublishError(
            f"{release}: {str(path)!r} is not a regular file. "
            "Replace the link, directory or device by a file."
        )
    return place


def _mode(place: Path, *, missing: int) -> int:
    """Return the file mode without following links, `missing` if nothing is there."""
    try:
        return place.lstat().st_mode
    except FileNotFoundError:
        return missing


# -- configuration ---------------------------------------------------------------------


def received_config(
    config: BuildConfig, manifest: Manifest
) -> tuple[BuildConfig, list[str]]:
    """Return the configuration of a release as it may be used here.

    The teacher keeps its name and, as `recorded`, the identity that enters the request
    keys, but no means of reaching it: users name a teacher of their own to request
    more. Paths are cut to names. The second value lists the settings that were changed.
    """
    public = public_config(config, manifest)
    teacher = public.teacher.model_copy(
        update={
            "endpoints": (),
            "recorded": manifest.teacher,
            "model": _plain_model_name(public.teacher.model),
        }
    )
    source = public.source.model_copy(
        update={"name": _plain_source_name(public.source.name)}
    )
    received = public.model_copy(update={"source": source, "teacher": teacher})
    changed = [
        *_changed_fields("source", config.source, source),
        *_changed_fields("teacher", config.teacher, teacher),
        *_changed_fields("imported", config.imported, received.imported),
    ]
    return received, [name for name in changed if name != "teacher.recorded"]


def _changed_fields(
    section: str, before: Record | None, after: Record | None
) -> list[str]:
    """Return the names of the fields that differ, as SECTION.FIELD."""
    if before is None:
        return []
    return [
        f"{section}.{name}"
        for name in type(before).model_fields
        if getattr(before, name) != getattr(after, name)
    ]


def _plain_model_name(model: str) -> str:
    return last_part(model) if is_path(model) else model


def _plain_source_name(name: str) -> str:
    is_dataset = (
        name in ("bundled", *KNOWN_DATASETS) or HUB_ID.fullmatch(name) is not None
    )
    return name if is_dataset else last_part(name)
