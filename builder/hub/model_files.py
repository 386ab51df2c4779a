"""The sizes of a model's files and its config.json, as the Hub has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.environment import hub_is_offline
from cotbuild.builder.hub.errors import client_errors

TIMEOUT_S = 30.0
MAX_CONFIG_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class HubModel:
    """What the Hub says about a model at a commit."""

    sizes: Mapping[str, int]
    """Files at the top of the repo to bytes."""
    config_json: Path | None
    """Downloaded to the Hub's local cache; None if there is none."""


def look_up_model(repo_id: str, commit: str) -> HubModel | None:
    """Return the files of a model; None if the Hub is switched off or does not answer."""
    if hub_is_offline():
        return None
    # Half a second to import, and only needed for Hub ids.
    from huggingface_hub import HfApi, hf_hub_download

    try:
        info = HfApi().model_info(
            repo_id, revision=commit, timeout=TIMEOUT_S, files_metadata=True
        )
        sizes = {
            file.rfilename: file.size
            for file in info.siblings or ()
            if file.size is not None and "/" not in file.rfilename
        }
        config_json = None
        if 0 < sizes.get("config.json", 0) <= MAX_CONFIG_BYTES:
            config_json = Path(hf_hub_download(repo_id, "config.json", revision=commit))
    except client_errors():
        return None
    return HubModel(sizes, config_json)
