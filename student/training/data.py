"""Rows of a variant out of the folder of a build or release: manifest and parquet
files, checked as they are read.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.variant import TrainingRow, VariantSpec

MANIFEST = "manifest.json"


class VariantRows(NamedTuple):
    """One split of one variant, in the order of its files."""

    manifest: Manifest
    spec: VariantSpec
    split: str
    rows: list[TrainingRow]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a build or release; raises DataError where there is none or it
    cannot be read.
    """
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: no {MANIFEST}. Expected the folder of a finished build or of a release."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: {error}. Expected a manifest. Build or fetch it again."
        ) from error
    return Manifest.of_json(value, str(path))


def read_variant(folder: Path, variant: str, split: str | None = None) -> VariantRows:
    """The rows of a variant; `split` None: the one that the teacher was asked about.

    Raises ConfigError where there is no such variant or split, DataError where a file
    is not what the manifest says.
    """
    manifest = read_manifest(folder)
    spec = _spec(folder, manifest, variant)
    split = split or manifest.source.split
    of_variant = [entry for entry in manifest.files if entry.config_name == variant]
    entries = [entry for entry in of_variant if entry.split == split]
    if of_variant and not entries:
        splits = sorted({entry.split for entry in of_variant})
        raise ConfigError(
            f"{folder}: variant {variant!r} has no split {split!r}. Expected one of {splits}."
        )
    rows = [row for entry in entries for row in _read(folder, entry)]
    if not rows:
        raise DataError(
            f"{folder}: variant {variant!r} has no rows in {split!r}. Expected some to train on."
        )
    return VariantRows(manifest, spec, split, rows)


def _spec(folder: Path, manifest: Manifest, variant: str) -> VariantSpec:
    specs = manifest.variants.made.specs if manifest.variants else ()
    if not specs:
        raise ConfigError(
            f"{folder}: no variants yet. Expected some. Run `cotbuild variants {folder}`."
        )
    for spec in specs:
        if spec.name == variant:
            return spec
    raise ConfigError(
        f"{folder}: no variant {variant!r}. Expected one of {sorted(spec.name for spec in specs)}."
    )


def _read(folder: Path, entry: FileEntry) -> list[TrainingRow]:
    path = folder / entry.path
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != entry.sha256:
                raise DataError(
                    f"{path}: checksum {found[:12]!r}, the manifest says {entry.sha256[:12]!r}. Expected the file as "
                    "it was built. Derive or fetch it again."
                )
            file.seek(0)
            values = pq.read_table(file).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path}: {error}. Expected a parquet file of this build."
        ) from error
    return [
        TrainingRow.parse(value, f"{path} row {number}")
        for number, value in enumerate(values)
    ]


def choose_rationales(
    rows: Iterable[TrainingRow], number: int | None
) -> list[list[TrainingRow]]:
    """The rows of the first `number` rationales by a digest of their ids, None: of all.

    The digest hangs on nothing else, so that every variant gets the same rationales,
    and more hold fewer. The rows of two tasks stay together.
    """
    found: dict[str, list[TrainingRow]] = {}
    for row in rows:
        found.setdefault(
            digest("rationale", [row.question_id, row.sample_index]), []
        ).append(row)
    return [found[key] for key in sorted(found)[:number]]


def rows_fingerprint(rows: Iterable[TrainingRow]) -> str:
    """Digest of rows in order, 64 hex digits."""
    return digest(
        "student rows/1", [digest("row", row.model_dump(mode="json")) for row in rows]
    )
