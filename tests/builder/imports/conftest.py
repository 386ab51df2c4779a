"""Small real files of rationales, and what an import makes of them."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotbuild.builder.imports import (
    RationaleImport,
    open_import,
    open_import_source,
    recipe_from_mapping,
)
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.import_recipe import ImportConfig, ImportRecipe

Write = Callable[[str, Sequence[Any]], Path]
Bring = Callable[..., RationaleImport]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows in the form that the file's ending tells."""

    def write_file(name: str, rows: Sequence[Any]) -> Path:
        path = tmp_path / name
        match path.suffix:
            case ".json":
                path.write_text(json.dumps(rows))
            case ".jsonl":
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            case ".parquet":
                pq.write_table(pa.Table.from_pylist(list(rows)), path)
            case ".csv":
                with path.open("w", newline="") as file:
                    writer = csv.DictWriter(file, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(rows)
        return path

    return write_file


def bring_in(
    files: Path | Sequence[Path],
    source: Path | None,
    recipe: ImportRecipe | dict[str, str],
    order_from: Path | None = None,
    **settings: Any,
) -> RationaleImport:
    """An import of files by a recipe or by --map options; further settings are the
    source's.
    """
    names = [str(file) for file in ([files] if isinstance(files, Path) else files)]
    config = ImportConfig.parse(
        {
            "files": names,
            "recipe": recipe
            if isinstance(recipe, ImportRecipe)
            else recipe_from_mapping(recipe),
            "order_from": order_from and str(order_from),
        },
        "config",
    )
    name = {} if source is None else {"name": str(source)}
    return open_import(
        config,
        open_import_source(config, SourceConfig.parse({**name, **settings}, "config")),
    )


@pytest.fixture
def bring() -> Bring:
    """`bring_in`, to be asked for by name."""
    return bring_in


@pytest.fixture
def asked(write: Write) -> Path:
    """Four questions about tea; the last two are written alike and have two targets."""
    rows = [
        ("q1", "What is tea made of?", ["leaves", "stones"], "A"),
        ("q2", "What is tea served in?", ["a sieve", "a cup"], "B"),
        ("q3", "Tea is drunk", ["hot", "cold"], "A"),
        ("q4", "Tea is drunk", ["hot", "cold"], "B"),
    ]
    return write(
        "tea.jsonl",
        [
            dict(zip(("id", "question", "choices", "answer"), row, strict=True))
            for row in rows
        ],
    )
