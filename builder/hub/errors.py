"""What goes wrong at the Hub, each as one clear line."""

import re

from cotbuild.builder.retry_after import parse_retry_after
from cotbuild.schemas.errors import PublishError

MAX_WAIT_S = 120
"""Longer than that nobody is kept waiting by a Retry-After."""
TOO_MUCH = frozenset({402, 413, 507})
"""Payment, size, storage."""
STALE = frozenset({409, 412})
KEPT = "what was uploaded is kept."


def foreign_errors() -> tuple[type[Exception], ...]:
    """What the client may raise.

    ValueError: a refused card or object; RuntimeError: round a failed upload, and Xet.
    """
    from huggingface_hub import errors

    # HTTPError is its HTTP library's own, httpx or httpx2 by release.
    return OSError, ValueError, RuntimeError, errors.HTTPError  # type: ignore[attr-defined]


def cause(error: BaseException) -> BaseException:
    """The error that the client met, out of what it wrapped round it."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while (
        isinstance(error, RuntimeError | LocalEntryNotFoundError)
        and error.__cause__ is not None
    ):
        error = error.__cause__
    return error


def status_of(error: BaseException) -> int | None:
    from huggingface_hub.errors import HfHubHTTPError

    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def wait_s(error: BaseException, attempt: int) -> float | None:
    """Seconds to wait before asking once more; None: that would not help. `attempt`
    counts from 0.
    """
    from huggingface_hub import errors

    status = status_of(error)
    if status is None:
        # Of the client's own errors only those of the connection; offline mode is none
        # of them.
        return 2.0**attempt if isinstance(error, errors.HTTPError) else None  # type: ignore[attr-defined]
    if status != 429 and (status < 500 or status in TOO_MUCH):
        return None
    told = retry_after_s(error)
    return 2.0**attempt if told is None else told


def retry_after_s(error: BaseException) -> float | None:
    """What the Hub says, in Retry-After or in the headers of its rate limits."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    if not isinstance(error, HfHubHTTPError):
        return None
    limit = parse_ratelimit_headers(error.response.headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    return parse_retry_after(error.response.headers.get("Retry-After"))


def publish_error(
    error: BaseException, where: str, revision: str | None = None
) -> PublishError:
    """One line for what `cause` gave.

    `where`: the repo's name; `revision`: the one that was asked for.
    """
    return PublishError(f"{where}: {_line(error, where, revision)}")


def _line(error: BaseException, where: str, revision: str | None) -> str:
    from huggingface_hub import errors

    match error:
        case errors.LocalTokenNotFoundError():
            return _NO_LOGIN
        case errors.OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set. Expected a Hub that may be asked. Unset it, and run again."
        case errors.GatedRepoError():
            return (
                "its files are gated, and this login was not let in. Expected access. Ask for it on the repo's page on "
                "the Hub, log in with `hf auth login` or HF_TOKEN, and run again."
            )
        case errors.RepositoryNotFoundError():
            return (
                "no such dataset on the Hub, or it is private and this login may not see it. Expected an existing "
                "ORG/NAME. Correct the name, or set HF_TOKEN."
            )
        case errors.RevisionNotFoundError():
            return (
                f"it has no revision {revision!r}. Expected a branch, a tag or a commit. Correct it, or leave it out "
                "for the newest."
            )
        case errors.RemoteEntryNotFoundError():
            return "a file that was listed is not there. Expected every file of the commit. Run again."
        case errors.HfHubHTTPError():
            return _status_line(error, where)
        case errors.HTTPError():  # type: ignore[attr-defined]
            return (
                f"the Hub cannot be reached: {type(error).__name__}. Expected a connection. Check the network, proxy "
                f"and HF_ENDPOINT, and run again: {KEPT}"
            )
        case OSError() if error.strerror:
            return f"a file on this machine: {error.strerror}. Expected room and rights for it. Make them, and run again."
        case _:
            return f"the Hub refuses this: {_said(error)}. Expected it to be taken. Correct it, and run again."


_NO_LOGIN = "the Hub knows of no login. Expected a token in HF_TOKEN, or a stored one. Run `hf auth login`, or set HF_TOKEN."


def _status_line(error: BaseException, where: str) -> str:
    status, said = status_of(error), _said(error)
    if status == 401:
        return (
            _NO_LOGIN
            if "credentials" not in said
            else _NO_LOGIN.replace("knows of no", "does not know this")
        )
    if status == 403:
        return (
            f"the Hub forbids this to the login: {said}. Expected a token that may write in {where.partition('/')[0]!r}"
            " with room for it. Take such a token, or a name of your own."
        )
    if status in STALE:
        return (
            "somebody pushed to it meanwhile, and nothing was overwritten. Expected the commit that was there at the "
            f"start. Run again, on top of the new one: {KEPT}"
        )
    if status == 429:
        told = retry_after_s(error)
        how_long = "for now" if told is None else f"for {told:.0f} s"
        return f"the Hub takes no more requests {how_long}. Expected a pause. Run again after it: {KEPT}"
    if status in TOO_MUCH:
        return (
            f"too large for the Hub ({status}): {said}. Expected a release within the account's limits of file size "
            "and storage. Publish fewer configs, or get more storage."
        )
    if status is not None and status >= 500:
        return f"the Hub fails with {status}, also when asked again. Expected an answer. Run again later: {KEPT}"
    return f"the Hub refuses this ({status}): {said}. Expected it to be taken. Correct it, and run again."


def _said(error: BaseException) -> str:
    """The words of the Hub or of its client in one line, without what could be secret
    or of this machine.
    """
    words = getattr(error, "server_message", None) or str(error) or type(error).__name__
    words = re.sub(
        r"\bhf_\w+|(?<=\w://)\S+|(?<!\S)['\"]?/\S+", "…", " ".join(words.split())
    )
    return (words if len(words) <= 300 else words[:299] + "…").rstrip(".")
