"""Reads the list of models that a server says it serves. No IO.

Servers and gateways differ in it, and some have none: only a list that names its models
and not the one that is wanted means that it is not served.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.teachers.http.generous_json import load_json

MAX_SHOWN = 10
MAX_NAME_CHARS = 100

_NAME_FIELDS = ("id", "name", "model")


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The models that a server lists."""

    max_model_len: dict[str, int | None]
    """Name to longest sequence in tokens, as vLLM and SGLang report it."""

    def lists(self, model: str) -> bool:
        """Return whether it names the model; Ollama adds `:latest` to its names."""
        return model in self.max_model_len or f"{model}:latest" in self.max_model_len

    def may_serve(self, model: str) -> bool:
        """Return whether a wildcard, such as litellm's `openai/*`, fits the model."""
        patterns = (name for name in self.max_model_len if "*" in name)
        return any(_fits(pattern, model) for pattern in patterns)

    def describe(self) -> str:
        """Return the names for an error message, the first MAX_SHOWN of them."""
        names = [repr(name[:MAX_NAME_CHARS]) for name in self.max_model_len]
        more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
        return ", ".join(names[:MAX_SHOWN]) + more


def parse_models(raw: bytes) -> ServedModels | None:
    """Read the body of /models; None if it is no list that names a model."""
    try:
        value, _ = load_json(raw)
    except ValueError:
        return None
    if isinstance(value, Mapping):
        value = value.get("data") or value.get("models")
    if not isinstance(value, list):
        return None
    lengths = dict(_named_lengths(value))
    return ServedModels(lengths) if lengths else None


def _named_lengths(models: list[Any]) -> Iterable[tuple[str, int | None]]:
    for model in models:
        if isinstance(model, str):
            yield model, None
        elif isinstance(model, Mapping):
            length = model.get("max_model_len")
            is_length = isinstance(length, int) and not isinstance(length, bool)
            names = (model.get(field) for field in _NAME_FIELDS)
            name = next((name for name in names if isinstance(name, str)), None)
            if name is not None:
                yield name, length if is_length else None


def _fits(pattern: str, model: str) -> bool:
    """Return whether a pattern, in which * is any text, fits the whole name.

    The time is linear in each: every piece is taken where it stands first.
    """
    first, *pieces = pattern.split("*")
    if not model.startswith(first):
        return False
    last = pieces.pop()
    position = len(first)
    for piece in pieces:
        found = model.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return position + len(last) <= len(model) and model.endswith(last)
