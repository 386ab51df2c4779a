"""What of a build's configuration and manifest may be read by anybody: no path, address or machine of ours. Pure."""

from collections.abc import Collection
from pathlib import PurePath, PureWindowsPath

from cotbuild.builder.kept_variants import BASE_CONFIGS
from cotbuild.builder.shards import config_digests
from cotbuild.builder.sources.registry import KNOWN
from cotbuild.schemas.config import BuildConfig, ServerConfig, SourceConfig, TeacherConfig
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.recipe import ImportConfig

NO_ADDRESS = "http://endpoint.invalid/v1"
"""Stands for the endpoints that were asked. RFC 2606 keeps .invalid from ever being anybody's address."""


def public_config(config: BuildConfig, manifest: Manifest) -> BuildConfig:
    """The configuration with names in place of paths, and commits in place of branches.

    It names every template that was used, so that a default which changes later changes nothing here.
    """
    changes = {
        "source": _source(config.source, manifest),
        "teacher": _teacher(config.teacher, manifest.teacher),
        "imported": None if config.imported is None else _imported(config.imported),
        "templates": tuple(entry.template for entry in manifest.templates),
    }
    return config.model_copy(update=changes)


def _source(source: SourceConfig, manifest: Manifest) -> SourceConfig:
    if source.name in ("bundled", *KNOWN):
        return source
    found = manifest.source
    if found.hub_id is None:
        return source.model_copy(update={"name": found.dataset})
    return source.model_copy(update={"revision": found.checksums[found.split].rpartition("@")[2]})


def _teacher(teacher: TeacherConfig, identity: str) -> TeacherConfig:
    # How a server was set for its machine is no business of readers, and may hold paths.
    changes: dict[str, object] = {"server": ServerConfig()}
    if teacher.endpoints:
        changes["endpoints"] = (NO_ADDRESS,)
    elif identity.startswith("local:"):
        changes["model"] = last_part(teacher.model)
    elif identity.startswith("hub:"):
        changes["revision"] = identity.rpartition("@")[2]
    return teacher.model_copy(update=changes)


def _imported(imported: ImportConfig) -> ImportConfig:
    order = imported.order_from
    names = {"files": tuple(map(last_part, imported.files)), "order_from": None if order is None else last_part(order)}
    return imported.model_copy(update=names)


def last_part(path: str) -> str:
    """The last part of a path, of whatever system."""
    return PureWindowsPath(PurePath(path).name).name or path


def refuse_path_as_name(manifest: Manifest) -> None:
    """Raise PublishError where the teacher was served under a path: it stands in every row and every request_key."""
    served = manifest.teacher.removeprefix("endpoint:")
    if served != manifest.teacher and (served.startswith(("/", "~", ".")) or "\\" in served or "://" in served):
        raise PublishError(
            f"teacher {served.partition('@')[0]!r}: a path of the machine that served it, which stands in every row. "
            "Expected a name. Serve it under one (--served-model-name) and build again."
        )


def public_manifest(manifest: Manifest, configs: Collection[str] | None) -> Manifest:
    """The manifest without its `run`, and with only some of the variants; None: all.

    `rationales` and `questions` always stay: without them nobody could check a row of the others, or bring the build
    back. What was made stays whole, since the aligned variants hold the rows that all of them can have, also those that
    are left out here. Raises ConfigError on a name that is no config of the build.
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
    changes: dict[str, object] = {"files": files, "digests": digests, "fingerprint": digest("build/1", digests)}
    if manifest.variants is not None:
        there = tuple(entry for entry in manifest.variants.variants if entry.name in kept)
        changes["variants"] = manifest.variants.model_copy(update={"variants": there}) if there else None
    return manifest.model_copy(update=changes)
