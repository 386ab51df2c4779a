"""The configuration of a release written by anybody, as it may be used here.

A build.json may come from a stranger. It passes `received_config` before anything here
is read, contacted or started. Paths pass the door in `builder.storage.places`.
"""

from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.release.sanitize import is_path, named_config
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record


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
