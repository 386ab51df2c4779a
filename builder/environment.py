"""The environment of this process and of the processes it starts.

Libraries are told to send no telemetry, and children get no secrets.
"""

import os
import re
import sys
from collections.abc import Iterable

TELEMETRY_OFF = {
    # huggingface_hub, and with it transformers, datasets and TRL.
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # A convention of many tools, https://donottrack.sh
    "DO_NOT_TRACK": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variables that libraries read when they are imported."""

HUB_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"})
"""What a process needs to download a gated model."""

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_SECRET_WORDS = frozenset(
    {
        *("KEY", "KEYS", "APIKEY", "TOKEN", "TOKENS", "SECRET", "SECRETS", "PAT"),
        *("PASS", "PASSWD", "PASSWORD", "PASSPHRASE", "PWD", "CREDENTIAL"),
        *("CREDENTIALS", "CREDS", "AUTH", "OAUTH", "AUTHORIZATION", "BEARER", "JWT"),
        *("COOKIE", "COOKIES", "DSN", "WEBHOOK", "NETRC", "XAUTHORITY"),
    }
)
_SECRET_ENDING = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$"
)
_SECRET_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_", "GCP_", "GH_", "GITHUB_")
_STORE_PREFIXES = ("AWS_", "AZURE_")
_FOLDERS = frozenset({"PWD", "OLDPWD"})
_COUNTED_WORDS = frozenset({"KEY", "KEYS", "TOKEN", "TOKENS"})
"""In a name such as VLLM_MAX_BAD_WORDS_TOTAL_TOKENS they are no secret but a number."""
_SECRET_VALUE = re.compile(
    r"://[^/\s@:]*:[^/\s@]*@"  # a password in an address
    # Tokens of well-known services; not a folder of a path that begins so.
    r"|(?:^|[\s=\"'])(?:sk-|hf_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|AIza)"
    r"[\w-]{12}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:Bearer|Basic) [\w+/=.~-]{12}"
)
_PROXY_NAME = re.compile(r"(?:HTTPS?|ALL|FTP)_PROXY", re.IGNORECASE)


def switch_telemetry_off() -> None:
    """Tell libraries to send no telemetry; a variable that the user set stays."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    hub = sys.modules.get("huggingface_hub.constants")
    if hub is not None and os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1":
        # Imported before, it has read the variable; TRL reports through it.
        vars(hub)["HF_HUB_DISABLE_TELEMETRY"] = True


def child_environment(
    *, downloads: bool = False, stores: bool = False
) -> dict[str, str]:
    """Return the environment for a child process: this one's without its secrets.

    Args:
        downloads: Whether the child downloads from the Hub; only then it gets the
            Hub's token, and a password for the proxy.
        stores: Whether the child works on an object store; only then it gets the
            credentials of stores.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if (downloads and _is_for_downloads(name))
        or (stores and name.upper().startswith(_STORE_PREFIXES))
        or not is_secret(name, value)
    }
    return TELEMETRY_OFF | inherited


def download_secrets() -> dict[str, str]:
    """Return the variables with which this process downloads from the Hub."""
    return {name: os.environ[name] for name in os.environ if _is_for_downloads(name)}


def names_store(words: Iterable[str]) -> bool:
    """Return whether a command line names a place on an object store."""
    return any(word.startswith(("s3://", "az://")) for word in words)


def _is_for_downloads(name: str) -> bool:
    return name in HUB_TOKENS or _PROXY_NAME.fullmatch(name) is not None


def hub_is_offline() -> bool:
    """Return whether the user keeps the Hub's libraries from the network."""
    values = (os.environ.get(name, "") for name in _OFFLINE)
    return any(value.upper() in {"1", "ON", "YES", "TRUE"} for value in values)


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable is a secret, going by its name and its value."""
    upper = name.upper()
    if upper in _FOLDERS:
        return False
    words = set(re.split(r"[^A-Z0-9]+", upper))
    secret_words = {word for word in words if _is_secret_word(word)}
    if value.isdecimal() and len(value) < 8:
        secret_words -= _COUNTED_WORDS
    return (
        bool(secret_words)
        or upper.startswith(_SECRET_PREFIXES)
        or _SECRET_VALUE.search(value) is not None
    )


def _is_secret_word(word: str) -> bool:
    return word in _SECRET_WORDS or _SECRET_ENDING.search(word) is not None
