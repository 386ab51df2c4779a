"""The configuration and manifest of a build as they may be published.

Pure. No path, address or machine of the publisher is left in them.
"""

from collections.abc import Collection

from cotbuild.builder.build.directory import CONFIG, MANIFEST
from cotbuild.builder.card import CARD_VERSION
from cotbuild.builder.release.file_names import public_file_name
from cotbuild.builder.release.local_paths import last_part, without_local_paths
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.storage.parquet import config_digests
from cotbuild.schemas.attempts import AttemptsConfig
from cotbuild.schemas.config import BuildConfig, SourceConfig
from cotbuild.schemas.errors import ConfigError, PublishError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.names import BASE_CONFIGS
from cotbuild.schemas.teacher_config import ServerConfig, TeacherConfig

NO_ADDRESS = "http://endpoint.invalid/v1"
"""Replaces the URLs of endpoints; RFC 2606 reserves .invalid, so nobody can own it."""


# -- build.json ------------------------------------------------------------------------


def public_config(config: BuildConfig, manifest: Manifest) -> BuildConfig:
    """Return the configuration as it may be published: `named_config`, with no path left.

    Raises PublishError if a path cannot be cut.
    """
    return without_local_paths(named_config(config, manifest), CONFIG)


def named_config(config: BuildConfig, manifest: Manifest) -> BuildConfig:
    """Return the configuration with names for paths and commits for branches.

    It lists every template that was used, so that it means the same when the default
    templates change.
    """
    imported, attempts = config.imported, config.attempts
    changes = {
        "source": _public_source(config.source, manifest),
        "teacher": _public_teacher(config.teacher, manifest.teacher),
        "imported": None if imported is None else _public_import(imported),
        "attempts": None if attempts is None else _public_attempts(attempts),
        "templates": tuple(entry.template for entry in manifest.templates),
    }
    return config.model_copy(update=changes)


def _public_source(source: SourceConfig, manifest: Manifest) -> SourceConfig:
    # The folder of the pictures is one of this machine; the rows hold the pictures.
    source = source.model_copy(update={"images": None})
    if source.name in ("bundled", *KNOWN_DATASETS):
        return source
    if manifest.source.hub_id is None:
        return source.model_copy(update={"name": manifest.source.dataset})
    # The checksum of a split read from the Hub is ID@COMMIT.
    checksum = manifest.source.checksums.get(manifest.source.split, "")
    commit = checksum.rpartition("@")[2]
    return source.model_copy(update={"revision": commit or source.revision})


def _public_teacher(teacher: TeacherConfig, identity: str) -> TeacherConfig:
    """Return the teacher without the settings of its server, which may hold paths."""
    changes: dict[str, object] = {"server": ServerConfig(), "recorded": None}
    # The teacher of a pulled build has no endpoints; its identity says it had.
    if teacher.endpoints or identity.startswith("endpoint:"):
        changes["endpoints"] = (NO_ADDRESS,)
    elif identity.startswith("local:"):
        changes["model"] = last_part(teacher.model)
    elif identity.startswith("hub:"):
        changes["revision"] = identity.rpartition("@")[2]
    return teacher.model_copy(update=changes)


def _public_attempts(attempts: AttemptsConfig) -> AttemptsConfig:
    return attempts.model_copy(update={"file": public_file_name(attempts.file)})


def _public_import(imported: ImportConfig) -> ImportConfig:
    order_from = imported.order_from
    changes = {
        "files": tuple(public_file_name(file) for file in imported.files),
        "order_from": None if order_from is None else last_part(order_from),
    }
    return imported.model_copy(update=changes)


def is_path(model: str) -> bool:
    """Whether the name of a model is a path or an address, not a name on a hub."""
    return model.startswith(("/", "~", ".")) or "\\" in model or "://" in model


# -- manifest.json ---------------------------------------------------------------------


def refuse_path_as_name(manifest: Manifest) -> None:
    """Raise PublishError if the teacher was served under a path as its name.

    The name is in every row and in every request_key, so it cannot be cut out.
    """
    served = manifest.teacher.removeprefix("endpoint:")
    if served != manifest.teacher and is_path(served):
        raise PublishError(
            f"teacher {served.partition('@')[0]!r} is named by a path on the machine that "
            "served it, and the name is in every row. Serve it under another name "
            "(vLLM: --served-model-name) and build again."
        )


def public_manifest(manifest: Manifest, configs: Collection[str] | None) -> Manifest:
    """Return the manifest without its `run`, and with only some of the variants.

    `configs` None keeps all of them. `rationales` and `questions` always stay: without
    them the rows of a variant could not be checked, nor the build restored. So does the
    set the variants were derived in, since aligned variants hold only the rows that all
    of the set can have. Raises ConfigError on a name that is no config of the build,
    PublishError if a text is a path that cannot be cut.
    """
    manifest = without_local_paths(manifest.model_copy(update={"run": None}), MANIFEST)
    # Its card is written anew, too.
    manifest = manifest.model_copy(update={"card_version": CARD_VERSION})
    if configs is None:
        return manifest
    unknown = sorted(set(configs) - manifest.digests.keys())
    if unknown:
        raise ConfigError(
            f"--configs: no config {unknown[0]!r}. Choose from {list(manifest.digests)}."
        )
    return _restrict_manifest(manifest, {*BASE_CONFIGS, *configs})


def _restrict_manifest(manifest: Manifest, kept: Collection[str]) -> Manifest:
    files = [entry for entry in manifest.files if entry.config_name in kept]
    digests = config_digests(files)
    changes: dict[str, object] = {
        "files": files,
        "digests": digests,
        "fingerprint": digest("build/1", digests),
    }
    variants = manifest.variants
    if variants is not None:
        entries = tuple(entry for entry in variants.variants if entry.name in kept)
        remaining = variants.model_copy(update={"variants": entries})
        changes["variants"] = remaining if entries else None
    return manifest.model_copy(update=changes)
