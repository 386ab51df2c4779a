"""Names of repos and tags, as users write them."""

import re

from cotbuild.schemas.errors import ConfigError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""The form of OWNER/NAME, which tells a repo from a path.

The Hub itself refuses some names of this form.
"""
FILE_PREFIX = "file:"
"""Begins the name of a folder that releases are published to."""
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,95}")
"""The tags of git that need no quoting anywhere, though some of them git refuses."""
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_REPO_PREFIXES = ("hf://datasets/", "datasets/")


def parse_repo_name(text: str) -> str:
    """Return the OWNER/NAME of a dataset repo.

    The text may be OWNER/NAME, a path on the Hub (datasets/OWNER/NAME) or a URI
    (hf://datasets/OWNER/NAME). Raises ConfigError.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    name = text.strip().strip("/")
    for prefix in _REPO_PREFIXES:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise _invalid_repo_name(text) from error
    if name.count("/") != 1:
        raise _invalid_repo_name(text)
    return name


def _invalid_repo_name(text: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is not the name of a dataset on the Hub. Write OWNER/NAME with letters, "
        "digits, '-', '_' and '.', without '--' or '..'; or file:PATH for a folder."
    )


def parse_tag(text: str) -> str:
    """Return a tag that git accepts and that looks like no branch or commit.

    Raises ConfigError.
    """
    git_accepts = (
        _TAG.fullmatch(text) is not None
        and ".." not in text
        and not text.endswith((".", ".lock"))
    )
    is_ambiguous = text in ("main", "HEAD") or _COMMIT.fullmatch(text) is not None
    if not git_accepts or is_ambiguous:
        raise ConfigError(
            f"--tag {text!r} cannot be used as a tag. Use letters, digits and '.', '_', '+', "
            "'-', as in 'v1.0.0', but no name of a branch and no commit."
        )
    return text
