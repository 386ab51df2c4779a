"""Builds of rows that a test makes up: any number of random ones, in files and row groups
as cotbuild writes them, or rationales with given values.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.builder.build.build import RATIONALES, StoredBuild
from cotbuild.builder.build.directory import MANIFEST, read_manifest
from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.parquet import (
    ROWS_PER_FILE,
    ROWS_PER_GROUP,
    config_digests,
)
from cotbuild.schemas.files import file_sha256, write_record
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.rationale import ROW_VERSION, Flag, Rationale, Verdict

GOLDEN_BUILD = Path(__file__).parents[1] / "golden" / "builds" / "row_version_3"
"""A build of an older version, whose manifest says what is not in question here."""
RARE_WORD = "chrysoprase"
"""Stands in one rationale of a hundred thousand."""
_VERDICTS = [Verdict.CORRECT, Verdict.INCORRECT, Verdict.NO_ANSWER, Verdict.TRUNCATED]
_SHARES = [0.7, 0.2, 0.07, 0.03]
_FLAGS: list[list[str]] = [
    [],
    [Flag.NAMES_TARGET],
    [Flag.CUT, Flag.REPEATS_ITSELF],
    [Flag.MARKUP],
]
_TEMPLATES = ["elicit_choice@2", "elicit_number@1", "rationalize_choice@2"]
_MEAN_WORDS = 60


def write_big_build(
    folder: Path,
    num_rows: int,
    *,
    rows_per_file: int = ROWS_PER_FILE,
    rows_per_group: int = ROWS_PER_GROUP,
    seed: int = 0,
) -> StoredBuild:
    """Write a build of `num_rows` rationales, four for each question."""
    draw = np.random.default_rng(seed)
    counts = dict.fromkeys(Verdict, 0)
    num_files = -(-num_rows // rows_per_file)
    (folder / RATIONALES).mkdir(parents=True)
    entries = []
    for number in range(num_files):
        first = number * rows_per_file
        last = min(num_rows, first + rows_per_file)
        name = f"train-{number:05d}-of-{num_files:05d}.parquet"
        path = folder / RATIONALES / name
        _write_file(path, first, last, rows_per_group, draw, counts)
        entries.append(_entry_of(path, last - first))
    write_manifest(folder, entries, counts)
    return StoredBuild.open(folder)


def write_rationales(
    folder: Path, rows: Sequence[Rationale], *, rows_per_file: int = 1_000
) -> StoredBuild:
    """Write a build of these rationales, in as many files as they need."""
    (folder / RATIONALES).mkdir(parents=True, exist_ok=True)
    for old in (folder / RATIONALES).iterdir():
        old.unlink()
    schema = arrow_schema(Rationale).with_metadata({"cotbuild.format_version": "1"})
    parts = [
        rows[start : start + rows_per_file]
        for start in range(0, max(1, len(rows)), rows_per_file)
    ]
    entries = []
    for number, part in enumerate(parts):
        path = folder / RATIONALES / f"train-{number:05d}-of-{len(parts):05d}.parquet"
        values = [row.model_dump(mode="json") for row in part]
        table = pa.Table.from_pylist(values, schema)
        pq.write_table(table, path, compression="zstd", row_group_size=7)
        entries.append(_entry_of(path, len(part)))
    counts = dict.fromkeys(Verdict, 0)
    for row in rows:
        counts[row.verdict] += 1
    write_manifest(folder, entries, counts)
    return StoredBuild.open(folder)


def _entry_of(path: Path, num_rows: int) -> FileEntry:
    checksum = file_sha256(path)
    return FileEntry(
        path=f"{RATIONALES}/{path.name}",
        config_name=RATIONALES,
        split="train",
        num_rows=num_rows,
        num_bytes=path.stat().st_size,
        sha256=checksum,
        digest=checksum,
    )


def write_manifest(
    folder: Path, entries: Sequence[FileEntry], counts: Mapping[Verdict, int]
) -> None:
    """Write the manifest of a build of rationales that nobody generated."""
    golden = read_manifest(GOLDEN_BUILD)
    assert golden is not None
    num_rows = sum(entry.num_rows for entry in entries)
    source = golden.source.model_copy(
        update={"num_questions": num_rows, "split": "train", "eval_questions": {}}
    )
    manifest = golden.model_copy(
        update={
            "row_version": ROW_VERSION,
            "source": source,
            "imported": None,
            "samples": 1,
            "num_planned": num_rows,
            "verdicts": {verdict.value: count for verdict, count in counts.items()},
            "variants": None,
            "digests": config_digests(entries),
            "files": list(entries),
        }
    )
    write_record(folder / MANIFEST, manifest)


def _write_file(
    path: Path,
    first: int,
    last: int,
    rows_per_group: int,
    draw: np.random.Generator,
    counts: dict[Verdict, int],
) -> None:
    schema = arrow_schema(Rationale).with_metadata({"cotbuild.format_version": "1"})
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for start in range(first, last, rows_per_group):
            numbers = range(start, min(last, start + rows_per_group))
            columns = _draw_columns(numbers, draw, counts)
            arrays = [
                pa.array(columns.get(name) or [None] * len(numbers), kind)
                for name, kind in zip(schema.names, schema.types, strict=True)
            ]
            file.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _draw_columns(
    numbers: range, draw: np.random.Generator, counts: dict[Verdict, int]
) -> dict[str, list[Any]]:
    num = len(numbers)
    verdicts = [_VERDICTS[i] for i in draw.choice(4, num, p=_SHARES)]
    for verdict in verdicts:
        counts[verdict] += 1
    texts = list(_draw_texts(numbers, draw))
    flags = [_FLAGS[i] for i in draw.choice(4, num, p=[0.7, 0.2, 0.05, 0.05])]
    templates = [_TEMPLATES[i] for i in draw.integers(0, 3, num)]
    options = {"A": "a shed", "B": "a drawer", "C": "a boot", "D": "a loft"}
    choices = [{"label": label, "text": text} for label, text in options.items()]
    return {
        "question_id": [f"q{number // 4:07d}" for number in numbers],
        "sample_index": [number % 4 for number in numbers],
        "kind": ["choice"] * num,
        "question": [
            f"Where is rake {number // 4} of the garden?" for number in numbers
        ],
        "choices": [choices] * num,
        "target": ["A"] * num,
        "other_targets": [[]] * num,
        "inputs": [[]] * num,
        "tags": [[{"name": "area", "value": f"a{number % 7}"}] for number in numbers],
        "rationale": texts,
        "answer": ["A"] * num,
        "verdict": [verdict.value for verdict in verdicts],
        "scores": [[]] * num,
        "flags": flags,
        "completion": [f"{text} The answer is (A)." for text in texts],
        "finish_reason": ["stop"] * num,
        "prompt_tokens": draw.integers(100, 200, num).tolist(),
        "completion_tokens": [len(text) // 4 for text in texts],
        "notes": [[]] * num,
        "teacher": ["scripted"] * num,
        "purpose": ["elicit"] * num,
        "template": templates,
        "request_key": [draw.bytes(32).hex() for _ in numbers],
        "other_steps": [[]] * num,
        "dataset": ["garden"] * num,
        "split": ["train"] * num,
        "row": [number // 4 for number in numbers],
    }


def _draw_texts(numbers: range, draw: np.random.Generator) -> Iterator[str]:
    """Yield rationales of random words, of which RARE_WORD is the rarest."""
    lengths = np.maximum(1, draw.poisson(_MEAN_WORDS, len(numbers)))
    words = draw.zipf(1.3, int(lengths.sum())) % 20_000
    end = 0
    for number, length in zip(numbers, lengths, strict=True):
        start, end = end, end + int(length)
        text = " ".join(_WORDS[word] for word in words[start:end])
        yield f"{text} {RARE_WORD}" if number % 100_000 == 99_999 else text


_LETTERS = np.random.default_rng(1).integers(97, 119, (20_000, 9), dtype=np.uint8)
_WORDS = [
    bytes(letters[: 3 + number % 7]).decode() for number, letters in enumerate(_LETTERS)
]
