"""Canonical names of splits, and the splits that file names mention."""

import re
from pathlib import Path

from cotbuild.builder.sources.files import (
    ENDINGS,
    is_compressed_name,
    is_data_file,
)
from cotbuild.schemas.errors import ConfigError

_ALIASES = {"dev": "validation", "val": "validation", "valid": "validation"}
STANDARD_SPLITS = ("train", "validation", "test")


def canonical_split(name: str) -> str:
    """Return validation for dev, val and valid, and any other name as it is."""
    return _ALIASES.get(name.lower(), name)


def infer_split(path: Path) -> str:
    """Return the split that a file's name mentions, train if it mentions none.

    Raises ConfigError if it mentions several.
    """
    mentioned = _standard_splits(path)
    if len(mentioned) > 1:
        raise ConfigError(
            f"{path.name}: the name mentions several splits: {', '.join(sorted(mentioned))}. "
            "Pass --split NAME."
        )
    return mentioned.pop() if mentioned else "train"


def find_split_file(folder: Path, split: str) -> Path:
    """Return the one file of a folder whose name mentions the split and no other.

    Raises ConfigError if there is not exactly one.
    """
    files = sorted(
        path for path in folder.iterdir() if is_data_file(path) and path.is_file()
    )
    matching = [path for path in files if _has_split(path, split)]
    # A file beside its compressed copy is one file.
    plain = [path for path in matching if not is_compressed_name(path)]
    matching = plain or matching
    if len(matching) == 1:
        return matching[0]
    names = [path.name for path in matching or files]
    count = f"{len(matching)} files" if matching else "no file"
    raise ConfigError(
        f"{folder.name}: {count} for split {split!r} among {names}. There must be "
        f"exactly one whose name has the word {split!r} (train, dev or validation or "
        f"val, test) and ends in one of {', '.join(ENDINGS)}. Rename the file or pass it "
        "as the source itself."
    )


def _name_words(path: Path) -> set[str]:
    words = re.split(r"[^a-z0-9]+", path.name.lower())
    return {canonical_split(word) for word in words}


def _standard_splits(path: Path) -> set[str]:
    return _name_words(path) & set(STANDARD_SPLITS)


def _has_split(path: Path, split: str) -> bool:
    if split in STANDARD_SPLITS:
        return _standard_splits(path) == {split}
    return split.lower() in _name_words(path)
