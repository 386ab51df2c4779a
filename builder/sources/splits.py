"""Split names: dev and val are validation, everywhere; a file's split stands in its
name.
"""

import re
from pathlib import Path

from cotbuild.builder.sources.files import READERS
from cotbuild.schemas.errors import ConfigError

_ALIASES = {"dev": "validation", "val": "validation", "valid": "validation"}
STANDARD_SPLITS = ("train", "validation", "test")


def canonical_split(name: str) -> str:
    """The split's one name: dev, val and valid are validation; others are as they are."""
    return _ALIASES.get(name.lower(), name)


def split_of_file(path: Path) -> str:
    """The split a file's name tells, train where it tells none.

    Raises ConfigError where it tells two.
    """
    found = _standard_splits(path)
    if len(found) > 1:
        raise ConfigError(
            f"{path.name}: the name mentions several splits, {sorted(found)}. Pass --split NAME."
        )
    return found.pop() if found else "train"


def file_of_split(folder: Path, split: str) -> Path:
    """The one file of `folder` whose name tells `split`.

    Raises ConfigError where there is none, or more than one.
    """
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in READERS and path.is_file()
    )
    found = [path for path in files if _tells(path, split)]
    if len(found) == 1:
        return found[0]
    names = [path.name for path in found or files]
    what = f"{len(found)} files" if found else "no file"
    raise ConfigError(
        f"{folder.name}: {what} for split {split!r} among {names}. There must be exactly one whose name has the word "
        f"{split!r} (train, dev or validation or val, test) and ends in one of {', '.join(READERS)}. "
        "Rename the file or pass it as the source itself."
    )


def _words(path: Path) -> set[str]:
    return {
        canonical_split(word) for word in re.split(r"[^a-z0-9]+", path.name.lower())
    }


def _standard_splits(path: Path) -> set[str]:
    return _words(path) & set(STANDARD_SPLITS)


def _tells(path: Path, split: str) -> bool:
    if split in STANDARD_SPLITS:
        return _standard_splits(path) == {split}
    return split.lower() in _words(path)
