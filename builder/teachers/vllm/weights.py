"""Finds the weights that a managed server loads, and their context length."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.hub.commits import cached_file
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.model_names import hub_commit, is_folder
from cotbuild.builder.teachers.vllm.embedded import embedded_folder, embedded_model
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.json_text import parse_json
from cotbuild.schemas.teacher_config import TeacherConfig


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder on this machine, or a Hub id at a commit."""

    model: str
    commit: str | None
    """None for a folder."""
    max_len: int | None
    """Context length of the model in tokens; None if unknown before the download."""


async def find_weights(
    config: TeacherConfig, identity: str, log: Path, say: Callable[[str], None]
) -> Weights:
    """Return the weights that `identity` names.

    Converts the embedded model on first use.
    """
    if config.model == "embedded":
        folder = await embedded_model(log, say)
    elif is_folder(config.model):
        folder = Path(config.model).expanduser().resolve()
    else:
        commit = hub_commit(identity)
        cached = cached_file("model", config.model, commit, "config.json")
        return Weights(
            config.model, commit, read_max_model_len(cached) if cached else None
        )
    return Weights(str(folder), None, read_max_model_len(folder / "config.json"))


def read_max_model_len(config_json: Path) -> int | None:
    """Read `max_position_embeddings`, also of a multimodal model's text part.

    Returns None if the file has none. Raises ConfigError if it cannot be parsed.
    """
    key = "max_position_embeddings"
    try:
        config = parse_json(config_json.read_text(encoding="utf-8"))
        length = config.get(key) or config.get("text_config", {}).get(key)
    except (OSError, ValueError, AttributeError) as fault:
        raise ConfigError(
            f"{config_json}: not a config of transformers: {fault}."
        ) from fault
    return length if type(length) is int else None


def tokenizer_folder(config: TeacherConfig) -> Path | None:
    """Return a folder on this machine with the teacher's tokenizer, if there is one.

    Downloads and converts nothing.
    """
    if config.endpoints or config.model == "scripted":
        return None
    if config.model == "embedded":
        folder = embedded_folder(cache_dir())
        return folder if folder.is_dir() else None
    if is_folder(config.model):
        return Path(config.model).expanduser()
    cached = cached_file(
        "model", config.model, config.revision or "main", "tokenizer.json"
    )
    return cached.parent if cached else None
