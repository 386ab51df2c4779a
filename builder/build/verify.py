"""Verify a finished build from its own files alone."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import CARD
from cotbuild.builder.card import build_front_matter, parse_front_matter, record_model
from cotbuild.builder.storage.columns import check_columns
from cotbuild.builder.storage.keys import KEY_DTYPE, count_distinct
from cotbuild.builder.storage.parquet import RowsDigest, config_digests, read_rows
from cotbuild.builder.storage.places import plain_folder, safe_place
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import TrainingRow


def verify_build(build: StoredBuild) -> None:
    """Check the files of a build against its manifest.

    These are checksums, column types, the schema, order and uniqueness of rows, digests,
    counts and the front matter of the card. The rows of variants are not derived again. Raises
    DataError at the first fault.
    """
    folder, manifest = build.folder, build.manifest
    _ = build.config  # raises DataError if it is missing or damaged
    seen = SeenRows()
    for entry in manifest.files:
        _check_bytes(build.place(entry), entry)
        _check_rows(build, entry, seen)
    digests = config_digests(manifest.files)
    fingerprint = digest("build/1", manifest.digests)
    verdicts = {name: count for name, count in manifest.verdicts.items() if count}
    _check_equal(folder, "digests of its configs", digests, manifest.digests)
    _check_equal(folder, "fingerprint", fingerprint, manifest.fingerprint)
    _check_equal(folder, "verdicts", dict(seen.verdicts), verdicts)
    seen.check_unique(folder)
    _check_unnamed_files(build)
    _check_card(build)


# -- files -------------------------------------------------------------------------------


def _check_bytes(path: Path, entry: FileEntry) -> None:
    if not path.is_file():
        raise DataError(
            f"{path}: missing; manifest.json says that it holds {entry.num_rows} rows. "
            "Build or download it again."
        )
    _check_equal(path, "size in bytes", path.stat().st_size, entry.num_bytes)
    _check_equal(path, "sha256", file_sha256(path), entry.sha256)


def _check_unnamed_files(build: StoredBuild) -> None:
    named = {entry.path for entry in build.manifest.files}
    for config_name in build.manifest.digests:
        folder = plain_folder(
            build.folder, PurePosixPath(config_name), str(build.folder)
        )
        if not folder.is_dir():
            raise DataError(
                f"{folder}: missing; manifest.json says that it is a config. Derive or "
                "download the build again."
            )
        for path in sorted(folder.iterdir()):
            if path.relative_to(build.folder).as_posix() not in named:
                raise DataError(
                    f"{path}: not named in manifest.json. Remove it, or move it "
                    "elsewhere."
                )


# -- rows --------------------------------------------------------------------------------


def _check_rows(build: StoredBuild, entry: FileEntry, seen: "SeenRows") -> None:
    path = build.place(entry)
    model = record_model(build.manifest, entry.config_name)
    if model is None:
        raise DataError(
            f"{path}: belongs to config {entry.config_name!r}, which manifest.json does "
            "not describe. Derive or download the build again."
        )
    check_columns(path, model)
    rows_digest, num_rows = RowsDigest(), 0
    for number, row in enumerate(read_rows(path)):
        where = f"{path} row {number}"
        seen.add(entry, model.parse(row, where), where)
        rows_digest.add(row)
        num_rows += 1
    _check_equal(path, "number of rows", num_rows, entry.num_rows)
    _check_equal(path, "digest of its rows", rows_digest.hexdigest(), entry.digest)


class SeenRows:
    """Order, ids and verdicts of the rows read so far, in 16 bytes per row."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self._last_position: dict[tuple[str, str], tuple[int, int]] = {}
        self._ids = bytearray()

    def add(self, entry: FileEntry, record: Record, where: str) -> None:
        """Count a row; raises DataError if it is out of order or of another split."""
        if isinstance(record, Rationale):
            self.verdicts[record.verdict.value] += 1
            position = (record.row, record.sample_index)
            self._check_order(entry, record.split, position, where)
            self._add_id(entry, record.question_id, record.sample_index)
        elif isinstance(record, Question):
            position = (record.source.row, 0)
            self._check_order(entry, record.source.split, position, where)
            self._add_id(entry, record.id, 0)
        elif isinstance(record, TrainingRow):
            # Its order is checked where variants are derived again.
            self._add_id(entry, record.question_id, record.sample_index, record.task)
        else:
            raise TypeError(f"no order is defined for a {type(record).__name__}")

    def check_unique(self, folder: Path) -> None:
        """Raise DataError if two rows of a split share question id and sample index."""
        num_distinct, _ = count_distinct(self._ids)
        num_repeated = len(self._ids) // KEY_DTYPE.itemsize - num_distinct
        if num_repeated:
            raise DataError(
                f"{folder}: {num_repeated} rows repeat the question id and sample index "
                "of another one. Run generate again."
            )

    def _check_order(
        self, entry: FileEntry, split: str, position: tuple[int, int], where: str
    ) -> None:
        if split != entry.split:
            raise DataError(
                f"{where}: its split is {split!r}, but the file is of {entry.split!r}."
            )
        series = (entry.config_name, entry.split)
        if position <= self._last_position.get(series, (-1, -1)):
            row, sample = position
            raise DataError(
                f"{where}: row {row}, sample {sample} of the source is out of order or "
                "repeated. Run generate again."
            )
        self._last_position[series] = position

    def _add_id(self, entry: FileEntry, *row_id: object) -> None:
        full_id = (entry.config_name, entry.split, *row_id)
        self._ids += hashlib.sha256(repr(full_id).encode()).digest()[
            : KEY_DTYPE.itemsize
        ]


# -- the card ----------------------------------------------------------------------------


def _check_card(build: StoredBuild) -> None:
    path = safe_place(build.folder, CARD)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the card could not be read: {error}. Run generate again."
        ) from error
    actual = parse_front_matter(text, str(path))
    expected = build_front_matter(build.manifest)
    # What `datasets` reads. Another version of cotbuild may word the rest differently.
    for name in ("configs", "dataset_info"):
        actual_entries = _strip_descriptions(actual.get(name))
        expected_entries = _strip_descriptions(expected[name])
        for difference in _differences(actual_entries, expected_entries):
            raise DataError(
                f"{path}: front matter {name}{difference}, which is not what "
                "manifest.json says. Run generate again."
            )


def _strip_descriptions(entries: Any) -> Any:
    """Return entries whose descriptions are reduced to the digest at their end."""
    if not isinstance(entries, list):
        return entries
    return [_strip_description(entry) for entry in entries]


def _strip_description(entry: Any) -> Any:
    if not isinstance(entry, dict) or "description" not in entry:
        return entry
    _, _, last_word = str(entry["description"]).rpartition(" ")
    return {**entry, "description": last_word}


def _differences(actual: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Yield each value that differs, as "PATH is VALUE"."""
    if _have_same_keys(actual, expected):
        for key in expected:
            yield from _differences(actual[key], expected[key], f"{path}.{key}")
    elif _have_same_length(actual, expected):
        for number, pair in enumerate(zip(actual, expected, strict=True)):
            yield from _differences(*pair, f"{path}[{number}]")
    elif actual != expected:
        yield f"{path} is {actual!r}"


def _have_same_keys(actual: Any, expected: Any) -> bool:
    if not isinstance(actual, dict) or not isinstance(expected, dict):
        return False
    return actual.keys() == expected.keys()


def _have_same_length(actual: Any, expected: Any) -> bool:
    if not isinstance(actual, list) or not isinstance(expected, list):
        return False
    return len(actual) == len(expected)


def _check_equal(path: Path, what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise DataError(
            f"{path}: {what} is {actual!r}, but manifest.json says {expected!r}. The "
            "file was changed after it was built."
        )
