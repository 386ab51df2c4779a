"""Errors of the Hub and its client, each as one clear line."""

import re
from typing import NamedTuple

from cotbuild.builder.retry_after import parse_retry_after
from cotbuild.schemas.errors import PublishError

MAX_WAIT_S = 120
"""A longer Retry-After ends the command instead."""
STORAGE_STATUS = frozenset({402, 413, 507})
"""Payment required, content too large, insufficient storage."""
CONFLICT_STATUS = frozenset({409, 412})
MAX_WORDS_CHARS = 300
_LOG_IN = "Run `hf auth login`, or set HF_TOKEN."
_SECRETS = re.compile(r"\bhf_\w+|(?<=\w://)\S+|(?<!\S)['\"]?/\S+")
"""Tokens, addresses (which may be signed) and paths on this machine."""


def connection_error() -> type[Exception]:
    """Return the base class of the client's connection errors and error responses.

    It is HTTPError of the HTTP library that the client uses: httpx or httpx2, depending
    on its release.
    """
    from huggingface_hub import errors

    error_class: type[Exception] = vars(errors)["HTTPError"]
    return error_class


def client_errors() -> tuple[type[Exception], ...]:
    """Return every error class that the client may raise.

    ValueError is a rejected card or file; RuntimeError wraps a failed upload, and comes
    from Xet.
    """
    return OSError, ValueError, RuntimeError, connection_error()


def unwrap_error(error: BaseException) -> BaseException:
    """Return the error that the client wrapped in errors of its own."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, RuntimeError | LocalEntryNotFoundError):
        if error.__cause__ is None:
            break
        error = error.__cause__
    return error


def http_status(error: BaseException) -> int | None:
    """Return the status of the error response, None if there was no response."""
    from huggingface_hub.errors import HfHubHTTPError

    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def retry_delay_s(error: BaseException, attempt: int) -> float | None:
    """Return the seconds to wait before the next attempt; None if it would not help.

    `attempt` counts from 0.
    """
    backoff_s = 2.0**attempt
    status = http_status(error)
    if status is None:
        # Connection errors only: offline mode is not one of them.
        return backoff_s if isinstance(error, connection_error()) else None
    is_server_error = status >= 500 and status not in STORAGE_STATUS
    if status != 429 and not is_server_error:
        return None
    requested_s = requested_delay_s(error)
    return backoff_s if requested_s is None else requested_s


def requested_delay_s(error: BaseException) -> float | None:
    """Return the delay the Hub asks for in its rate-limit headers or in Retry-After."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    if not isinstance(error, HfHubHTTPError):
        return None
    limit = parse_ratelimit_headers(error.response.headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    return parse_retry_after(error.response.headers.get("Retry-After"))


class HubCall(NamedTuple):
    """What a call asks of the Hub, as far as the words of its error depend on it."""

    repo: str
    revision: str | None = None
    """The one that was requested of the repo."""
    or_folder: bool = False
    """The name may have been meant as a folder, which is not there."""
    uploading: bool = False
    """Files are being uploaded, or were."""

    @property
    def no_folder(self) -> str:
        """Beginning of a fault that a mistyped folder may have."""
        return "there is no such folder, and " if self.or_folder else ""

    @property
    def uploads_kept(self) -> str:
        """End of the advice to run again."""
        return " Files already uploaded are kept." if self.uploading else ""

    def check_path_or(self, advice: str) -> str:
        """Return an advice, after that to check the path of a mistyped folder."""
        if not self.or_folder:
            return advice
        return f"Check the path, or {advice[0].lower()}{advice[1:]}"


def publish_error(error: BaseException, call: HubCall) -> PublishError:
    """Return the error for what `unwrap_error` returned."""
    if http_status(error) is None:
        description = _describe_local_error(error, call)
    else:
        description = _describe_response(error, call)
    return PublishError(f"{call.repo}: {description}")


def _describe_local_error(error: BaseException, call: HubCall) -> str:
    """Describe an error for which there is no response of the Hub."""
    from huggingface_hub import errors

    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"not logged in to the Hub. {_LOG_IN}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return (
            f"{call.no_folder}HF_HUB_OFFLINE is set. "
            f"{call.check_path_or('Unset it and run again.')}"
        )
    if isinstance(error, connection_error()):
        path = "the path, or " if call.or_folder else ""
        return (
            f"{call.no_folder}the Hub cannot be reached ({type(error).__name__}). Check "
            f"{path}the network, the proxy and HF_ENDPOINT.{call.uploads_kept}"
        )
    if isinstance(error, OSError) and error.strerror:
        return (
            f"could not read or write a local file: {error.strerror}. "
            "Free space or fix permissions, and run again."
        )
    return f"the Hub rejects this: {_server_words(error)}. Correct it and run again."


def _describe_response(error: BaseException, call: HubCall) -> str:
    """Describe an error response by its class, else by its status."""
    from huggingface_hub import errors

    # A gated repo is a kind of repo that was not found, so it comes first.
    if isinstance(error, errors.GatedRepoError):
        return (
            "this login has no access to the gated repo. Request access on its page on "
            "the Hub, log in with `hf auth login` or HF_TOKEN, and run again."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{call.no_folder}no such dataset on the Hub, or it is private and this login "
            "cannot see it. Correct the name, or set HF_TOKEN."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return (
            f"no revision {call.revision!r}. Pass a branch, a tag or a commit, or leave it out "
            "for the newest."
        )
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return "a file of the commit was not found. Run again."
    return _describe_status(error, call)


def _describe_status(error: BaseException, call: HubCall) -> str:
    status = http_status(error)
    words = _server_words(error)
    if status == 401:
        if "credentials" in words:
            return f"the Hub rejects this token. {_LOG_IN}"
        return f"not logged in to the Hub. {_LOG_IN}"
    if status == 403:
        owner = call.repo.partition("/")[0]
        return (
            f"the Hub denies access: {words}. Use a token that can write to {owner!r}, "
            "or publish under your own name."
        )
    if status in CONFLICT_STATUS:
        return (
            "someone pushed to it meanwhile, and nothing was overwritten. "
            f"Run again to publish on top of the new commit.{call.uploads_kept}"
        )
    if status == 429:
        return f"{_describe_rate_limit(error)}{call.uploads_kept}"
    if status in STORAGE_STATUS:
        return (
            f"too large for the Hub ({status}): {words}. "
            "Publish fewer configs, or get more storage."
        )
    if status is not None and status >= 500:
        return (
            f"{call.no_folder}the Hub keeps failing ({status}). "
            f"{call.check_path_or('Run again later.')}{call.uploads_kept}"
        )
    return f"the Hub rejects this ({status}): {words}. Correct it and run again."


def _describe_rate_limit(error: BaseException) -> str:
    delay_s = requested_delay_s(error)
    when = "later" if delay_s is None else f"in {delay_s:.0f} s"
    return f"the rate limit of the Hub is reached. Run again {when}."


def _server_words(error: BaseException) -> str:
    """Return the message of the Hub or its client on one line, without secrets."""
    words = getattr(error, "server_message", None) or str(error) or type(error).__name__
    words = _SECRETS.sub("…", " ".join(words.split()))
    if len(words) > MAX_WORDS_CHARS:
        words = words[: MAX_WORDS_CHARS - 1] + "…"
    return words.rstrip(".")
