"""The identity of a model in a folder: a digest of its files, wherever it is."""

from collections.abc import Callable
from pathlib import Path

from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest

MODEL_SUFFIXES = frozenset(
    {
        ".safetensors",
        ".bin",
        ".pt",
        ".pth",
        ".gguf",
        ".json",
        ".jinja",
        ".model",
        ".txt",
        ".py",
    }
)
"""Weights, config, tokenizer, chat template and code, but no README and no pictures."""


def model_folder_digest(
    folder: Path, sha256_of: Callable[[Path], str] = file_sha256
) -> str:
    """Return the digest of a model's files by relative name and content.

    The folder's own location does not enter it. `sha256_of` may keep what it has
    computed. Raises OSError.
    """
    hashes = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if _is_model_file(path, folder)
    }
    return digest("model folder", hashes)


def _is_model_file(path: Path, folder: Path) -> bool:
    if path.suffix not in MODEL_SUFFIXES or not path.is_file():
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)
