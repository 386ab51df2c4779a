"""Names of repos and tags, as people write them."""

import re

from cotbuild.schemas.errors import ConfigError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""The form of owner/name, by which one is told from a path; the Hub itself refuses some
that have it.
"""
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,95}")
"""Of what git takes as a tag, the part that needs no quoting anywhere."""
COMMIT = re.compile(r"[0-9a-f]{7,40}")
FILE_PREFIX = "file:"
"""Begins the name of a folder as a target of releases."""
PREFIXES = ("hf://datasets/", "datasets/")


def repo_name(text: str) -> str:
    """ORG/NAME of a dataset repo, from how it is written in a command, a URI or a path
    of the Hub's pages.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    name = text.strip().strip("/")
    name = next(
        (name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)),
        name,
    )
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise _bad_name(text) from error
    if name.count("/") != 1:
        raise _bad_name(text)
    return name


def _bad_name(text: str) -> ConfigError:
    return ConfigError(
        f"repo {text!r}: no name of a dataset on the Hub. Expected ORG/NAME of letters, digits, -, _ and ., neither "
        "-- nor .. in it. Correct it, or write file:PATH for a folder."
    )


def tag_name(text: str) -> str:
    """A tag, which neither git refuses nor anybody takes for a branch or a commit."""
    if (
        TAG.fullmatch(text) is None
        or ".." in text
        or text.endswith((".", ".lock"))
        or text in ("main", "HEAD")
        or COMMIT.fullmatch(text)
    ):
        raise ConfigError(
            f"tag {text!r}: not to be used. Expected letters, digits and . _ + -, as in 'v1.0.0', and not the form of "
            "a branch's name or a commit. Correct --tag."
        )
    return text
