"""Names of models: folders, Hub ids and the identities made of them."""

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
    if HUB_ID.fullmatch(model) is None or model.startswith("."):
        scripted, served = (
            ("scripted, ", "; a served name needs --endpoint")
            if role == "teacher"
            else ("", "")
        )
        raise ConfigError(
            f"{role}: {model!r} is neither a local directory nor a Hub id. Pass embedded, "
            f"{scripted}a folder with config.json, or owner/name{served}."
        )
    return False


def hub_commit(identity: str) -> str:
    """The commit in a Hub identity."""
    return identity.rpartition("@")[2]
