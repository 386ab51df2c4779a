"""What of a configuration and manifest may leave this machine, and what of anybody's
configuration may come in. Pure.

Out: no path, address or machine of ours. In: nothing that reaches, starts or reads
anything here.
"""

from collections.abc import Collection
from pathlib import PurePath, PureWindowsPath

from cotbuild.builder.build.kept_variants import BASE_CONFIGS
from cotbuild.builder.hub.names import HUB_ID
from cotbuild.builder.sources.registry import KNOWN
from cotbuild.builder.storage.parquet import config_digests
from cotbuild.schemas.config import (
    BuildConfig,
    ServerConfig,
    SourceConfig,
    TeacherConfig,
)
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.record import Record

NO_ADDRESS = "http://endpoint.invalid/v1"
"""Stands for the endpoints that were asked.

RFC 2606 keeps .invalid from ever being anybody's address.
"""


def public_config(config: BuildConfig, manifest: Manifest) -> BuildConfig:
    """The configuration with names in place of paths, and commits in place of branches.

    It names every template that was used, so that a default which changes later changes
    nothing here.
    """
    changes = {
        "source": _source(config.source, manifest),
        "teacher": _teacher(config.teacher, manifest.teacher),
        "imported": None if config.imported is None else _imported(config.imported),
        "templates": tuple(entry.template for entry in manifest.templates),
    }
    return config.model_copy(update=changes)


def received_config(
    config: BuildConfig, manifest: Manifest
) -> tuple[BuildConfig, list[str]]:
    """The configuration of somebody's release as it may be used here, and the names of
    the settings that were cut.

    The teacher keeps its name and, as recorded, the identity that enters the request
    keys, but no means of asking it: whoever wants more asked names a teacher. Paths are
    cut to names, as in `public_config`.
    """
    public = public_config(config, manifest)
    teacher = {
        "endpoints": (),
        "recorded": manifest.teacher,
        "model": _name_of_model(public.teacher.model),
    }
    source = {"name": _name_of_source(public.source.name)}
    received = public.model_copy(
        update={
            "source": public.source.model_copy(update=source),
            "teacher": public.teacher.model_copy(update=teacher),
        }
    )
    cut = [f"source.{name}" for name in _differing(config.source, received.source)]
    cut += [
        f"teacher.{name}"
        for name in _differing(config.teacher, received.teacher)
        if name != "recorded"
    ]
    if config.imported is not None and received.imported is not None:
        cut += [
            f"imported.{name}"
            for name in _differing(config.imported, received.imported)
        ]
    return received, cut


def _differing(one: Record, other: Record) -> list[str]:
    return [
        name
        for name in type(one).model_fields
        if getattr(one, name) != getattr(other, name)
    ]


def _name_of_model(model: str) -> str:
    return last_part(model) if _is_path(model) else model


def _name_of_source(name: str) -> str:
    is_known = name in ("bundled", *KNOWN) or HUB_ID.fullmatch(name) is not None
    return name if is_known else last_part(name)


def _source(source: SourceConfig, manifest: Manifest) -> SourceConfig:
    if source.name in ("bundled", *KNOWN):
        return source
    found = manifest.source
    if found.hub_id is None:
        return source.model_copy(update={"name": found.dataset})
    commit = found.checksums.get(found.split, "").rpartition("@")[2]
    return source.model_copy(update={"revision": commit or source.revision})


def _teacher(teacher: TeacherConfig, identity: str) -> TeacherConfig:
    # How a server was set for its machine is no business of readers, and may hold
    # paths.
    changes: dict[str, object] = {"server": ServerConfig(), "recorded": None}
    if teacher.endpoints or identity.startswith(
        "endpoint:"
    ):  # a pulled build's teacher has none
        changes["endpoints"] = (NO_ADDRESS,)
    elif identity.startswith("local:"):
        changes["model"] = last_part(teacher.model)
    elif identity.startswith("hub:"):
        changes["revision"] = identity.rpartition("@")[2]
    return teacher.model_copy(update=changes)


def _imported(imported: ImportConfig) -> ImportConfig:
    order = imported.order_from
    names = {
        "files": tuple(map(last_part, imported.files)),
        "order_from": None if order is None else last_part(order),
    }
    return imported.model_copy(update=names)


def last_part(path: str) -> str:
    """The last part of a path, of whatever system."""
    return PureWindowsPath(PurePath(path).name).name or path


def _is_path(name: str) -> bool:
    """Whether a model's name is a path or address, and no name in a hub's or server's
    form.
    """
    return name.startswith(("/", "~", ".")) or "\\" in name or "://" in name


def refuse_path_as_name(manifest: Manifest) -> None:
    """Raise PublishError where the teacher was served under a path: it stands in every
    row and every request_key.
    """
    served = manifest.teacher.removeprefix("endpoint:")
    if served != manifest.teacher and _is_path(served):
        raise PublishError(
            f"teacher {served.partition('@')[0]!r}: a path of the machine that served it, which stands in every row. "
            "Expected a name. Serve it under one (--served-model-name) and build again."
        )


def public_manifest(manifest: Manifest, configs: Collection[str] | None) -> Manifest:
    """The manifest without its `run`, and with only some of the variants; None: all.

    `rationales` and `questions` always stay: without them nobody could check a row of
    the others, or bring the build back. What was made stays whole, since the aligned
    variants hold the rows that all of them can have, also those that are left out here.
    Raises ConfigError on a name that is no config of the build.
    """
    manifest = manifest.model_copy(update={"run": None})
    if configs is None:
        return manifest
    if unknown := sorted(set(configs) - manifest.digests.keys()):
        raise ConfigError(
            f"--configs {','.join(unknown)}: no such config. Expected some of {', '.join(manifest.digests)}."
        )
    kept = {*BASE_CONFIGS, *configs}
    files = [entry for entry in manifest.files if entry.config_name in kept]
    digests = config_digests(files)
    changes: dict[str, object] = {
        "files": files,
        "digests": digests,
        "fingerprint": digest("build/1", digests),
    }
    if manifest.variants is not None:
        there = tuple(
            entry for entry in manifest.variants.variants if entry.name in kept
        )
        changes["variants"] = (
            manifest.variants.model_copy(update={"variants": there}) if there else None
        )
    return manifest.model_copy(update=changes)
