"""Builds whose questions have images, and what tests change in their files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.storage.images import IMAGE_COLUMN, IMAGE_TYPE
from cotbuild.schemas.files import file_sha256
from tests.support.pictures import draw_picture


def write_image_questions(folder: Path, split: str, numbers: range) -> Path:
    """A file of choice questions, every second one with an image and all with a hint."""
    rows = []
    for number in numbers:
        row: dict[str, Any] = {
            "question": f"Which colour has shape {number}?",
            "choices": ["red", "green", "blue"],
            "answer": "ABC"[number % 3],
            "hint": f"It is shape {number}.",
        }
        if number % 2:
            row["image"] = f"shapes/{number}.png"
            place = folder / row["image"]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(draw_picture((number % 256, 30, 200), (32, 24)))
        rows.append(row)
    path = folder / f"{split}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest, indent=2) + "\n")


def change_images(folder: Path, name: str, change: Callable[[list[Any]], None]) -> None:
    """Change the images of the rows of a config, and the checksums that cover them."""
    [path] = (folder / name).glob("*.parquet")
    table = pq.read_table(path)
    values = table[IMAGE_COLUMN].to_pylist()
    change(values)
    place = table.schema.get_field_index(IMAGE_COLUMN)
    column = pa.array(values, IMAGE_TYPE)
    pq.write_table(table.set_column(place, IMAGE_COLUMN, column), path)

    def with_checksum(manifest: dict[str, Any]) -> None:
        [entry] = [e for e in manifest["files"] if e["path"] == f"{name}/{path.name}"]
        entry["num_bytes"] = path.stat().st_size
        entry["sha256"] = file_sha256(path)

    change_manifest(folder, with_checksum)
