"""Tells apart the forms of a model's name: a folder, a Hub id, a Hub id at a commit."""

import re
from pathlib import Path

from cotbuild.schemas.errors import ConfigError

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")


def is_folder(model: str, role: str = "teacher") -> bool:
    """Return whether `model` names a folder on this machine.

    Raises ConfigError if it is neither a folder nor of the form of a Hub id.
    """
    if Path(model).expanduser().is_dir():
        return True
    if HUB_ID.fullmatch(model) is not None and not model.startswith("."):
        return False
    scripted = served = ""
    if role == "teacher":
        scripted = "scripted, "
        served = "; a served name needs --endpoint"
    raise ConfigError(
        f"{role}: {model!r} is neither a local directory nor a Hub id. Pass embedded, "
        f"{scripted}a folder with config.json, or owner/name{served}."
    )


def hub_commit(identity: str) -> str:
    """Return the commit in a Hub model's identity."""
    return identity.rpartition("@")[2]
