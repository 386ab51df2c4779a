"""Check a finished build from its own files: bytes, schema, digests, counts,
duplicates, order.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cotbuild.builder.build.build import Build
from cotbuild.builder.build.directory import CARD
from cotbuild.builder.card import build_front_matter, parse_front_matter, record_model
from cotbuild.builder.storage.keys import KEY_DTYPE, count_distinct
from cotbuild.builder.storage.parquet import RowsDigest, config_digests, read_rows
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import FileEntry, Manifest
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import TrainingRow


def verify_build(build: Build) -> None:
    """Check every file of a build; raises DataError at the first fault."""
    build_dir, manifest = build.folder, build.manifest
    _ = build.config  # raises DataError if it is missing or broken
    seen = SeenRows()
    for entry in manifest.files:
        _check_bytes(build_dir, entry)
        _check_rows(build_dir, manifest, entry, seen)
    _equal(
        build_dir,
        "digests of its configs",
        config_digests(manifest.files),
        manifest.digests,
    )
    _equal(
        build_dir,
        "fingerprint",
        digest("build/1", manifest.digests),
        manifest.fingerprint,
    )
    _equal(
        build_dir,
        "verdicts",
        dict(seen.verdicts),
        {v: n for v, n in manifest.verdicts.items() if n},
    )
    seen.refuse_repeats(build_dir)
    _check_strays(build_dir, manifest)
    _check_card(build_dir, manifest)


class SeenRows:
    """What passed by while the rows were read: 16 bytes a row."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self._last: dict[tuple[str, str], tuple[int, int]] = {}
        self._ids = bytearray()

    def add(self, entry: FileEntry, record: Record, where: str) -> None:
        """Count a row and check that it stands after the one before it."""
        if isinstance(record, Rationale):
            self.verdicts[record.verdict.value] += 1
            split, name, place = (
                record.split,
                [record.question_id, record.sample_index],
                (record.row, record.sample_index),
            )
        elif isinstance(record, Question):
            split, name, place = (
                record.source.split,
                [record.id, 0],
                (record.source.row, 0),
            )
        elif isinstance(
            record, TrainingRow
        ):  # its order is checked where variants are derived again
            self._ids += _id_key(
                entry, [record.question_id, record.sample_index, record.task]
            )
            return
        else:
            raise TypeError(f"no order for a {type(record).__name__}")
        if split != entry.split:
            raise DataError(f"{where}: split is {split!r}. Expected {entry.split!r}.")
        series = (entry.config_name, entry.split)
        if place <= self._last.get(series, (-1, -1)):
            raise DataError(
                f"{where}: row {place[0]}, sample {place[1]}. Expected the order of the source, each once."
            )
        self._last[series] = place
        self._ids += _id_key(entry, name)

    def refuse_repeats(self, build_dir: Path) -> None:
        """Raise DataError where two rows of a split have one question id and sample
        index.
        """
        num_distinct, _ = count_distinct(self._ids)
        if repeats := len(self._ids) // KEY_DTYPE.itemsize - num_distinct:
            raise DataError(
                f"{build_dir}: {repeats} rows repeat a question id and sample index. Expected each once."
            )


def _id_key(entry: FileEntry, name: list[object]) -> bytes:
    return hashlib.sha256(
        repr((entry.config_name, entry.split, *name)).encode()
    ).digest()[:16]


def _check_bytes(build_dir: Path, entry: FileEntry) -> None:
    path = build_dir / entry.path
    if not path.is_file():
        raise DataError(
            f"{path}: missing. Expected the {entry.num_rows} rows that manifest.json names."
        )
    _equal(path, "size in bytes", path.stat().st_size, entry.num_bytes)
    _equal(path, "sha256", file_sha256(path), entry.sha256)


def _check_rows(
    build_dir: Path, manifest: Manifest, entry: FileEntry, seen: SeenRows
) -> None:
    path, rows_digest, count = build_dir / entry.path, RowsDigest(), 0
    model = record_model(manifest, entry.config_name)
    if model is None:
        raise DataError(
            f"{path}: config {entry.config_name!r}. Expected rationales, questions or a variant."
        )
    for number, row in enumerate(read_rows(path)):
        where = f"{path} row {number}"
        seen.add(entry, model.parse(row, where), where)
        rows_digest.add(row)
        count += 1
    _equal(path, "number of rows", count, entry.num_rows)
    _equal(path, "digest of its rows", rows_digest.hexdigest(), entry.digest)


def _check_strays(build_dir: Path, manifest: Manifest) -> None:
    named = {entry.path for entry in manifest.files}
    for config_name in manifest.digests:
        for path in sorted((build_dir / config_name).iterdir()):
            if path.relative_to(build_dir).as_posix() not in named:
                raise DataError(
                    f"{path}: not named in manifest.json. Expected only the build's own files. Remove it."
                )


def _check_card(build_dir: Path, manifest: Manifest) -> None:
    path = build_dir / CARD
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: {error}. Expected a card with front matter."
        ) from error
    found, expected = parse_front_matter(text, str(path)), build_front_matter(manifest)
    for name in (
        "configs",
        "dataset_info",
    ):  # what `datasets` reads; how the rest is worded another cotbuild may say
        for fault in _differing(_unworded(found.get(name)), _unworded(expected[name])):
            raise DataError(
                f"{path}: front matter {name}{fault}. Expected what manifest.json says. Run generate again."
            )


def _unworded(entries: Any) -> Any:
    """Entries whose descriptions are cut down to the digest in them."""
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) for entry in entries
    ):
        return entries
    return [
        {
            name: str(value).rpartition(" ")[2] if name == "description" else value
            for name, value in entry.items()
        }
        for entry in entries
    ]


def _differing(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    if (
        isinstance(found, dict)
        and isinstance(expected, dict)
        and found.keys() == expected.keys()
    ):
        for key in expected:
            yield from _differing(found[key], expected[key], f"{path}.{key}")
    elif (
        isinstance(found, list)
        and isinstance(expected, list)
        and len(found) == len(expected)
    ):
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from _differing(one, other, f"{path}[{i}]")
    elif found != expected:
        yield f"{path} is {found!r}"


def _equal(where: Path, what: str, found: object, expected: object) -> None:
    if found != expected:
        raise DataError(
            f"{where}: {what} is {found!r}. Expected {expected!r}, as manifest.json says."
        )
