"""From a build directory to the tree that goes up.

`.answers/` never does, nor anything the manifest does not name.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.build.build import RATIONALES, Build
from cotbuild.builder.build.directory import CARD, CONFIG, MANIFEST
from cotbuild.builder.card import (
    Licence,
    ReleaseFacts,
    card,
    licence_of,
    pictures,
    word_lengths,
)
from cotbuild.builder.hub.names import FILE_PREFIX
from cotbuild.builder.release.rebuild import rebuild_commands
from cotbuild.builder.release.sanitize import (
    last_part,
    public_config,
    public_manifest,
    refuse_path_as_name,
)
from cotbuild.builder.sources.registry import KNOWN
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import write_text_atomic
from cotbuild.schemas.manifest import Manifest

FIGURES = "figures"
PICTURES = frozenset(
    f"{FIGURES}/{name}.png" for name in ("verdicts", "lengths", "variants")
)
GENERATED = frozenset({MANIFEST, CONFIG, CARD, *PICTURES})
"""What a release may hold besides parquet files."""


class ReleaseSpec(NamedTuple):
    """What the publisher decides."""

    target: str
    tag: str | None = None
    configs: tuple[str, ...] | None = None
    """None: all."""
    licence: str | None = None
    languages: tuple[str, ...] | None = None
    """ISO 639 codes; None: English where the source is known to be, else not said."""
    partial: str | None = None
    """Why the card is marked as partial; None: it is not."""


class ReleaseTree(NamedTuple):
    """A release before it goes anywhere."""

    manifest: Manifest
    licence: Licence
    files: Mapping[str, Path]
    """Path in the release to the local file: parquet files stand where they were built.
    """

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {path: local.stat().st_size for path, local in self.files.items()}


def compose(build: Build, wish: ReleaseSpec, made: Path) -> ReleaseTree:
    """Write what is to be generated into the folder `made`. The same build and wish
    give the same bytes.

    Raises ConfigError on an unknown config or licence, PublishError where the build
    holds a path in its rows.
    """
    manifest = build.manifest
    refuse_path_as_name(manifest)
    public = public_manifest(manifest, wish.configs)
    config = public_config(build.config, manifest)
    published = Build(build.folder, public)
    drawn = {name: f"{FIGURES}/{name}.png" for name in _draw(published, made)}
    run = manifest.run
    release = ReleaseFacts(
        repo=_repo(wish.target),
        licence=licence_of(_parts(manifest), wish.licence),
        rebuild=rebuild_commands(config, public),
        tag=wish.tag,
        languages=_languages(manifest) if wish.languages is None else wish.languages,
        examples=dict(_examples(published)),
        pictures=drawn,
        partial=wish.partial,
        published=None if run is None else run.finished_at[:10],
    )
    texts = {
        MANIFEST: public.model_dump_json(indent=2) + "\n",
        CONFIG: config.model_dump_json(indent=2) + "\n",
        CARD: card(public, release),
    }
    for name, text in texts.items():
        write_text_atomic(made / name, text)
    files = {entry.path: build.folder / entry.path for entry in public.files}
    files |= {path: made / path for path in (*texts, *drawn.values())}
    return ReleaseTree(public, release.licence, dict(sorted(files.items())))


def _repo(target: str) -> str:
    """What `load_dataset` is given: org/name, or the last part of a folder's path."""
    if target.startswith(FILE_PREFIX):
        return last_part(target.removeprefix(FILE_PREFIX))
    return target


def _languages(manifest: Manifest) -> tuple[str, ...]:
    known = {"bundled", *(known.hub_id for known in KNOWN.values())}
    return ("en",) if known & {manifest.source.dataset, manifest.source.hub_id} else ()


def _draw(build: Build, made: Path) -> list[str]:
    texts = (row["rationale"] for row in build.read(RATIONALES, columns=["rationale"]))
    found = pictures(build.manifest, word_lengths(texts))
    try:
        for name, data in found.items():
            place = made / FIGURES / f"{name}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    except OSError as error:
        raise StoreError(
            f"{made}: {error}. Expected room for the release's pictures."
        ) from error
    return list(found)


def _parts(manifest: Manifest) -> dict[str, str | None]:
    parts = {f"the questions ({manifest.source.dataset})": manifest.source.licence}
    if manifest.imported is not None:
        parts[f"the rationales ({manifest.imported.made_by})"] = (
            manifest.imported.licence
        )
    return parts


def _examples(build: Build) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the first row of each config, from the training split where it has one."""
    for name in build.manifest.digests:
        entries = [entry for entry in build.files(name) if entry.num_rows]
        splits = [entry.split for entry in entries]
        if splits:
            split = build.split if build.split in splits else splits[0]
            yield name, next(build.read(name, split))
