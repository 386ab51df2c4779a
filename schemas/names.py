"""Names that become names of files: configs, variants, splits and paths.

Whoever wrote a manifest or a settings file chose them, so each type here refuses what
could lead out of a folder, hide in it, or not be a file name.
"""

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

MAX_CONFIG_CHARS = 80
MAX_SPLIT_BYTES = 200
"""Leaves room for `-00000-of-00001.parquet` in the 255 bytes of a file name."""
MAX_PART_BYTES, MAX_PATH_BYTES = 255, 1024
"""Longest file name, and longest path inside a build or release."""

BASE_CONFIGS = frozenset({"rationales", "questions"})
"""The configs of every build; all others are variants, derived from these."""
FIGURES = "figures"
"""Folder of a release that holds pictures and no config."""
PICTURES = frozenset(
    f"{FIGURES}/{name}.png" for name in ("verdicts", "lengths", "variants")
)
"""The files in it."""
MEDIA = "media"
"""Folder of a build that holds the pictures of its questions and no config."""
RESERVED_VARIANTS = BASE_CONFIGS | {FIGURES, MEDIA}
"""Names that a build or a release uses for something else."""

_CONFIG = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_CONFIG_CHARS - 1}}}")
_SPLIT = re.compile(r"\w[\w.-]*")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")


def is_plain_path(path: str) -> bool:
    """Whether a path is relative, in its plain form, and stays in its folder.

    No part may begin with a dot, be longer than a file name, or hold a control
    character or a backslash.
    """
    plain = PurePosixPath(path)
    if plain.is_absolute() or not plain.parts or plain.as_posix() != path:
        return False
    return not _UNSAFE.search(path) and _is_short(path) and _has_plain_parts(plain)


def _has_plain_parts(path: PurePosixPath) -> bool:
    return all(
        not part.startswith(".") and _num_bytes(part) <= MAX_PART_BYTES
        for part in path.parts
    )


def _is_short(path: str) -> bool:
    return _num_bytes(path) <= MAX_PATH_BYTES


def _num_bytes(text: str) -> int:
    """Return the bytes of a text in UTF-8, a lone surrogate as more than a name has."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return MAX_PATH_BYTES + 1


def _check_config_name(name: str) -> str:
    if not _CONFIG.fullmatch(name):
        raise PydanticCustomError(
            "config_name",
            "Use lower-case letters, digits and _, a letter first, at most "
            f"{MAX_CONFIG_CHARS} in all",
        )
    return name


def _check_variant_name(name: str) -> str:
    if name in RESERVED_VARIANTS:
        raise PydanticCustomError(
            "variant_name",
            "Builds and releases use this name for a folder of their own. Choose another",
        )
    return name


def _check_split_name(name: str) -> str:
    if not _SPLIT.fullmatch(name) or _num_bytes(name) > MAX_SPLIT_BYTES:
        raise PydanticCustomError(
            "split_name",
            "Name a split with letters, digits, _, - and ., no - or . first, at most "
            f"{MAX_SPLIT_BYTES} bytes in all",
        )
    return name


ConfigName = Annotated[str, AfterValidator(_check_config_name)]
"""Name of a config: a folder of a build, and what `load_dataset` is given."""
VariantName = Annotated[ConfigName, AfterValidator(_check_variant_name)]
"""Name of a variant: a config that is not reserved."""
SplitName = Annotated[str, AfterValidator(_check_split_name)]
"""Name of a split, which the names of its files begin with."""
