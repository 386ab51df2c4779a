"""Flags of `cotbuild variants` to records."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.variant import Selection

_LISTS = frozenset({"verdicts", "having", "without"})


def selection(filters: Iterable[str]) -> Selection:
    """`--filter NAME=VALUE`. Raises ConfigError with the name at fault."""
    values: dict[str, Any] = {}
    for text in filters:
        name, value = _pair(text, "--filter", "share=0.1")
        if name not in Selection.model_fields:
            raise ConfigError(
                f"--filter {text!r}: Expected one of {', '.join(Selection.model_fields)}."
            )
        values[name] = value.split(",") if name in _LISTS else yaml.safe_load(value)
    return Selection.parse(values, "--filter", ConfigError)


def bindings(files: Iterable[str]) -> dict[str, Path]:
    """`--file NAME=PATH`."""
    return {
        name: Path(path)
        for name, path in (
            _pair(text, "--file", "scores=scores.parquet") for text in files
        )
    }


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise ConfigError(f"{option} {text!r}: Expected NAME=VALUE, such as {example}.")
    return name, value
