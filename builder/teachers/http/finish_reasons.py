"""Read the finish_reason of a server's reply. No IO."""

from functools import lru_cache

from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.schemas.finish_reasons import fold_reason

MAX_CHARS = 100

_fold = lru_cache(maxsize=64)(fold_reason)


def normalise_reason(reason: object, secret: SecretFilter) -> str:
    """Return a finish_reason in lower case, its words joined by "_"; "" for none."""
    if isinstance(reason, dict):
        reason = reason.get("type") or reason.get("reason")
    if not isinstance(reason, str):
        return ""
    # Redacted before its case changes, since that would hide the key.
    return _fold(secret.redact(reason)[:MAX_CHARS])
