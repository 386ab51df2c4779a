"""Keep the variants of a build when a rebuild does not change what they derive from."""

from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.build.install import read_last_manifest
from cotbuild.builder.card import CARD_VERSION
from cotbuild.builder.storage.parquet import config_digests
from cotbuild.builder.storage.places import safe_place
from cotbuild.builder.ui import pluralize
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.names import BASE_CONFIGS
from cotbuild.schemas.variant_set import (
    VariantsEntry,
)


def keep_variants(
    build_dir: Path, rebuilt: Manifest, say: Callable[[str], None]
) -> Manifest:
    """Return `rebuilt` with the variants of the build it replaces, if they are valid.

    If not, `say` is called with a line that says why, and `rebuilt` is returned as it
    is. Call it before the rebuilt files are installed, which deletes what the returned
    manifest does not name. If the last replacement was killed, the manifest from before
    it counts.
    """
    replaced = read_last_manifest(build_dir)
    if replaced is None or replaced.variants is None:
        return rebuilt
    files = [entry for entry in replaced.files if entry.config_name not in BASE_CONFIGS]
    reason = _reason_to_delete(build_dir, files, replaced, rebuilt)
    if reason is not None:
        variants = pluralize(len(replaced.variants.variants), "variant")
        say(
            f"{build_dir}: this deletes {variants}: {reason}. "
            f"`cotbuild variants {shell_quote(build_dir)}` derives new ones"
        )
        return rebuilt
    return with_variants(rebuilt, replaced.variants, [*rebuilt.files, *files])


def with_variants(
    manifest: Manifest, variants: VariantsEntry, files: list[FileEntry]
) -> Manifest:
    """Return the manifest with these variants, for which a new card is written.

    `files` are all files of the build, including those of the base configs.
    """
    digests = config_digests(files)
    changes = {
        "variants": variants,
        "files": files,
        "digests": digests,
        "fingerprint": digest("build/1", digests),
        "card_version": CARD_VERSION,
    }
    return manifest.model_copy(update=changes)


def _reason_to_delete(
    build_dir: Path, files: list[FileEntry], replaced: Manifest, rebuilt: Manifest
) -> str | None:
    for name in sorted(BASE_CONFIGS, reverse=True):  # rationales first
        if replaced.digests.get(name) != rebuilt.digests.get(name):
            return f"the {name} they were derived from changed"
    for entry in files:
        if not _is_intact(build_dir, entry):
            return f"{entry.path} is missing or damaged"
    return None


def _is_intact(build_dir: Path, entry: FileEntry) -> bool:
    # By checksum, because a kill while variants are replaced leaves files that their
    # manifest does not describe.
    try:
        return file_sha256(safe_place(build_dir, entry.path)) == entry.sha256
    except (OSError, DataError):
        return False
