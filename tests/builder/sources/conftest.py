"""Small real files and what a source makes of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.sources import Source, open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.question import Question

Write = Callable[[str, str | bytes | Sequence[Any]], Path]
Ask = Callable[..., tuple[list[Question], Source]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file from text, bytes, or rows as JSON Lines."""

    def write_file(name: str, content: str | bytes | Sequence[Any]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_bytes(content.encode())
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        return path

    return write_file


@pytest.fixture
def ask() -> Ask:
    """All questions of the split asked about, and the source."""

    def read_all(path: Path | str, **config: Any) -> tuple[list[Question], Source]:
        source = open_source(
            SourceConfig.parse({"name": str(path), **config}, "config")
        )
        return list(source.read(source.split)), source

    return read_all
