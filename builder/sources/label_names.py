"""Names of labels that a dataset declares for whole numbers in a column."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cotbuild.schemas.json_text import JsonFault, parse_json

MAX_METADATA_BYTES = 16 << 20
"""Longer metadata of a Parquet file are not read."""


def find_label_names(features: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return the names of labels by column, from the features of a dataset.

    A feature is an object of `datasets`, or its description in a file's metadata.
    """
    names: dict[str, Sequence[str]] = {}
    for column, feature in features.items():
        found = getattr(feature, "names", None)
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            found = feature.get("names")
        if not isinstance(found, list | tuple) or not found:
            continue
        if all(isinstance(name, str) for name in found):
            names[column] = tuple(found)
    return names


def read_label_names(path: Path) -> dict[str, Sequence[str]]:
    """Return the names of labels in the metadata that `datasets` writes to Parquet.

    Empty if there are none. Raises DataError if the file cannot be read.
    """
    # Here, since pyarrow takes a while to import.
    from cotbuild.builder.storage.parquet_rows import read_schema

    metadata = read_schema(path, path.name).metadata or {}
    content = metadata.get(b"huggingface", b"")
    if not content or len(content) > MAX_METADATA_BYTES:
        return {}
    try:
        value = parse_json(content.decode())
    except (UnicodeDecodeError, JsonFault):
        return {}
    info = value.get("info") if isinstance(value, dict) else None
    features = info.get("features") if isinstance(info, dict) else None
    return find_label_names(features) if isinstance(features, dict) else {}
