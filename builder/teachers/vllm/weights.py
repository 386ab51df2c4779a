"""Finds the weights that a managed server loads, and their context length."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.hub.commits import cached_file
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.model_names import hub_commit, is_folder
from cotbuild.builder.teachers.vllm.embedded import embedded_folder, embedded_model
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.json_text import parse_json
from cotbuild.schemas.teacher_config import TeacherConfig

IMAGE_PARTS = ("vision", "visual", "image", "img", "mm_", "vq_config", "vlm")
"""What the names of a config's parts for pictures contain."""
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model"),
    *("vocab.json", "vocab.txt", "tekken.json"),
)
"""A folder without any of them has no tokenizer that could be loaded."""


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


def refuse_text_model(config: TeacherConfig) -> None:
    """Raise ConfigError if a server would be started for a model that takes text alone.

    That is read from the model's config.json, as far as it is on this machine.
    """
    if config.endpoints or config.model == "scripted":
        return
    path = _find_config(config)
    if config.model == "embedded" or (path is not None and not takes_images(path)):
        raise ConfigError(
            f"teacher: {Path(config.model).name!r} takes no pictures, and the questions "
            "have some. Pass a vision model as --teacher."
        )


def takes_images(config_json: Path) -> bool:
    """Return whether a model's config has a part for pictures.

    Such a part has one of many names (vision_config, visual, image_token_id, …), so a
    model without any is surely one of text alone. Raises ConfigError if the file cannot
    be parsed.
    """
    try:
        config = parse_json(config_json.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError) as fault:
        raise ConfigError(
            f"{config_json}: not a config of transformers: {fault}."
        ) from fault
    return _names_images(config)


def _names_images(names: Iterable[str]) -> bool:
    return any(part in name.lower() for name in names for part in IMAGE_PARTS)


def _find_config(config: TeacherConfig) -> Path | None:
    """Return the model's config.json on this machine, if there is one."""
    if config.model == "embedded":
        return None
    if is_folder(config.model):
        path = Path(config.model).expanduser() / "config.json"
        return path if path.is_file() else None
    return cached_file("model", config.model, config.revision or "main", "config.json")


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
        folder = Path(config.model).expanduser()
        has_one = any((folder / name).is_file() for name in TOKENIZER_FILES)
        return folder if has_one else None
    cached = cached_file(
        "model", config.model, config.revision or "main", "tokenizer.json"
    )
    return cached.parent if cached else None
