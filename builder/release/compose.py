"""Compose the files of a release from a build directory.

`.answers/` is never part of it, nor anything that the manifest does not name.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.build.directory import CARD, CONFIG, MANIFEST
from cotbuild.builder.build.images import image_path
from cotbuild.builder.card import (
    Licence,
    ReleaseFacts,
    combine_licences,
    draw_pictures,
    render_card,
    word_lengths,
)
from cotbuild.builder.hub.names import FILE_PREFIX
from cotbuild.builder.release.local_paths import last_part
from cotbuild.builder.release.rebuild import rebuild_commands
from cotbuild.builder.release.sanitize import (
    public_config,
    public_manifest,
    refuse_path_as_name,
)
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.storage.places import safe_place
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.files import write_bytes_atomic, write_error, write_text_atomic
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.names import FIGURES, PICTURES


def picture_path(name: str) -> str:
    """Return the path of a picture in a release."""
    return f"{FIGURES}/{name}.png"


def example_paths(manifest: Manifest) -> list[str]:
    """Return the path of the picture that the card shows, if there is one.

    The other pictures of a release are only in its rows.
    """
    media = manifest.media
    if media is None or media.example is None:
        return []
    return [image_path(media.example)]


GENERATED = frozenset({MANIFEST, CONFIG, CARD, *PICTURES})
"""The files that a release may hold besides parquet files."""


class ReleaseSpec(NamedTuple):
    """The parts of a release that the publisher decides."""

    tag: str | None = None
    configs: tuple[str, ...] | None = None
    """Variants to include; None: all."""
    licence: str | None = None
    """The Hub's identifier; None: what the licences of the sources allow."""
    languages: tuple[str, ...] | None = None
    """ISO 639 codes; None: English if the source is known to be, else not stated."""


class ReleaseTree(NamedTuple):
    """The files of a release before it is published."""

    manifest: Manifest
    licence: Licence
    files: Mapping[str, Path]
    """From path in the release to local file. Parquet files stay in the build."""

    def file_sizes(self) -> dict[str, int]:
        """Return the size of each file in bytes."""
        return {path: local.stat().st_size for path, local in self.files.items()}


def compose_release(
    build: StoredBuild,
    spec: ReleaseSpec,
    target: str,
    folder: Path,
    *,
    partial: str | None,
) -> ReleaseTree:
    """Write the generated files of a release into `folder`.

    `target` is the name of where it will be published; `partial` says why the card
    marks the build as partial. The same arguments give the same bytes. Raises
    ConfigError on an unknown config or licence, PublishError if rows hold a path.
    """
    refuse_path_as_name(build.manifest)
    manifest = public_manifest(build.manifest, spec.configs)
    config = public_config(build.config, build.manifest)
    published = StoredBuild(build.folder, manifest)
    licence = combine_licences(stated_licences(build.manifest), spec.licence)
    picture_paths = _write_pictures(published, folder)
    run = build.manifest.run
    languages = _default_languages(build.manifest)
    release = ReleaseFacts(
        repo=_dataset_name(target),
        licence=licence,
        rebuild=rebuild_commands(config, manifest),
        tag=spec.tag,
        languages=languages if spec.languages is None else spec.languages,
        examples=dict(first_rows(published)),
        pictures=picture_paths,
        partial=partial,
        published=None if run is None else run.finished_at[:10],
    )
    texts = {
        MANIFEST: manifest.model_dump_json(indent=2) + "\n",
        CONFIG: config.model_dump_json(indent=2) + "\n",
        CARD: render_card(manifest, release),
    }
    for name, text in texts.items():
        write_text_atomic(folder / name, text)
    files = {entry.path: build.place(entry) for entry in manifest.files}
    for path in (*texts, *picture_paths.values()):
        files[path] = folder / path
    for path in example_paths(manifest):
        files[path] = safe_place(build.folder, path)
    return ReleaseTree(manifest, licence, dict(sorted(files.items())))


def _dataset_name(target: str) -> str:
    """Return what `load_dataset` is given: OWNER/NAME, or the name of a folder."""
    if target.startswith(FILE_PREFIX):
        return last_part(target.removeprefix(FILE_PREFIX))
    return target


def _default_languages(manifest: Manifest) -> tuple[str, ...]:
    english_datasets = {
        "bundled",
        *(dataset.hub_id for dataset in KNOWN_DATASETS.values() if dataset.hub_id),
    }
    is_english = not english_datasets.isdisjoint(
        {manifest.source.dataset, manifest.source.hub_id}
    )
    return ("en",) if is_english else ()


def _write_pictures(build: StoredBuild, folder: Path) -> dict[str, str]:
    """Write the plots of a release, and return their paths in it by name."""
    rows = build.read(RATIONALES, columns=["rationale"])
    lengths = word_lengths(row["rationale"] for row in rows)
    paths = {}
    try:
        for name, data in draw_pictures(build.manifest, lengths).items():
            paths[name] = picture_path(name)
            write_bytes_atomic(folder / paths[name], data)
    except OSError as error:
        raise write_error(folder, error) from error
    return paths


def partial_reason(manifest: Manifest) -> str | None:
    """Say why a build is partial; None if no request is left that could be retried."""
    retryable = [kind for kind in FailureKind if kind is not FailureKind.REJECTED]
    num_left = sum(manifest.failures.get(kind, 0) for kind in retryable)
    if num_left == 0:
        return None
    return (
        f"{num_left} of {manifest.num_planned} rationales failed with errors that can be "
        "retried"
    )


def stated_licences(manifest: Manifest) -> dict[str, str | None]:
    """Return the licence that each part of the release states."""
    licences = {f"the questions ({manifest.source.dataset})": manifest.source.licence}
    imported = manifest.imported
    if imported is not None:
        licences[f"the rationales ({imported.made_by})"] = imported.licence
    return licences


def first_rows(build: StoredBuild) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the first row of each config, of the training split if it has one.

    Of the rationales it is the first with the picture that the card shows, if there is one.
    """
    for name in build.manifest.digests:
        splits = [entry.split for entry in build.files(name) if entry.num_rows]
        if splits:
            split = build.split if build.split in splits else splits[0]
            first = next(build.read(name, split))
            yield name, _row_of_example(build) or first if name == RATIONALES else first


def _row_of_example(build: StoredBuild) -> dict[str, Any] | None:
    """Return the first rationale with the picture that the card shows, if there is one."""
    media = build.manifest.media
    if media is None or media.example is None:
        return None
    sha256 = media.example.sha256
    for row in build.read(RATIONALES):
        images = (one["image"] for one in row["inputs"])
        if any(image is not None and image["sha256"] == sha256 for image in images):
            return row
    return None
