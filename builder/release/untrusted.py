"""The configuration of a release written by anybody, as it may be used here.

A build.json may come from a stranger. It passes `received_config` before anything here
is read, contacted or started. Paths pass the door in `builder.storage.places`.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from cotbuild.builder.build.directory import MANIFEST, find_manifest
from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.release.folder import HIDDEN
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.release.sanitize import is_path, named_config
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.storage.answer_store import ANSWERS
from cotbuild.builder.storage.places import plain_place
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record


def receive_settings(
    file: Path, values: dict[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """Return the settings in a file as they may be used here, and what was left out.

    They are as they were unless the file is in a folder with a release, as it came from
    the Hub or from `cotbuild pull`. The second value is None where nothing was left
    out. Raises ConfigError if the file does not hold a configuration or the release is
    incomplete, DataError if its manifest cannot be read.
    """
    folder = file.parent
    manifest = find_manifest(folder)
    if manifest is None and (folder / HIDDEN).is_dir():
        raise ConfigError(
            f"{file}: comes with a release that has no whole {MANIFEST}. Get the release "
            "with `cotbuild pull`."
        )
    if manifest is None or manifest.run is not None:
        return values, None
    config = BuildConfig.parse(values, str(file), ConfigError)
    received, changed = received_config(config, manifest)
    templates = tuple(_local_template(folder, ref) for ref in received.templates)
    received = received.model_copy(update={"templates": templates})
    note = None
    if changed or config.teacher.recorded != manifest.teacher:
        note = left_out_line(file, changed)
    return received.model_dump(mode="json"), note


def _local_template(folder: Path, ref: str) -> str:
    """Return the file that `cotbuild pull` wrote for a template, if there is one."""
    path = PurePosixPath(ANSWERS, "templates", f"{ref}.yaml")
    place = plain_place(folder.resolve(), path, str(folder))
    return str(place) if place.is_file() else ref


def left_out_line(file: Path, changed: Sequence[str]) -> str:
    """Return the line that says which settings of a release are not used here."""
    names = "".join(f", {name}" for name in changed)
    return (
        f"{file}: settings of the publisher's machine were left out: how to reach the "
        f"teacher{names}"
    )


def received_config(
    config: BuildConfig, manifest: Manifest
) -> tuple[BuildConfig, list[str]]:
    """Return the configuration of a release as it may be used here.

    The teacher keeps its name and, as `recorded`, the identity that enters the request
    keys, but no means of reaching it: users name a teacher of their own to request
    more. Paths are cut to names. The second value lists the settings that were changed.
    """
    public = named_config(config, manifest)
    teacher = public.teacher.model_copy(
        update={
            "endpoints": (),
            "recorded": manifest.teacher,
            "model": _plain_model_name(public.teacher.model),
        }
    )
    # Who uses the release decides whether addresses in its source are contacted.
    source = public.source.model_copy(
        update={"name": _plain_source_name(public.source.name), "fetch_images": False}
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
