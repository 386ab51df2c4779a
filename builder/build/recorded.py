"""What a finished build records of its teacher and its source.

The answer store keeps the same in teacher.json and source.json. Where such a file was
lost, the build says what was resolved at first use, so nothing is resolved otherwise.
"""

from pathlib import Path

from cotbuild.builder.build.directory import find_config, find_manifest
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.teacher_config import TeacherConfig


def recorded_teacher(build_dir: Path, config: TeacherConfig) -> str | None:
    """Return the identity of the teacher of a build.

    None if there is no build, or its teacher is configured with another name, revision
    or way to reach it. Raises DataError if the manifest cannot be read.
    """
    built = find_config(build_dir)
    manifest = find_manifest(build_dir)
    if built is None or manifest is None:
        return None
    is_same = _named(built.teacher) == _named(config)
    return manifest.teacher if is_same else None


def _named(config: TeacherConfig) -> tuple[str, str | None, bool]:
    return config.model, config.revision, bool(config.endpoints)


def recorded_commit(build_dir: Path, config: SourceConfig) -> str | None:
    """Return the commit of the Hub dataset that a build was made of.

    None if there is no build, or it is of another dataset or revision. Raises DataError
    if the manifest cannot be read.
    """
    built = find_config(build_dir)
    manifest = find_manifest(build_dir)
    if built is None or manifest is None or manifest.source.hub_id != config.name:
        return None
    if (built.source.name, built.source.revision) != (config.name, config.revision):
        return None
    checksum = manifest.source.checksums.get(manifest.source.split, "")
    return checksum.rpartition("@")[2] or None
