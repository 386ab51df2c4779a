"""The one door to obstore: opened stores, and its errors in one line without secrets.

Errors of obstore quote whole requests and answers, which may hold signatures, tokens
and what a server sent. None of their text passes this door: only the HTTP status and
error codes that are known, in words of this module.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.packages import needed_packages
from cotbuild.schemas.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

T = TypeVar("T")


class Limits(NamedTuple):
    """How long to wait for a store, in seconds, and how often to try again."""

    connect_s: float = 10.0
    read_s: float = 30.0
    """Longest silence while an answer is read."""
    request_s: float = 300.0
    """Longest time of one request with its answer."""
    tries: int = 4
    """Tries of one operation; between two of them the pause doubles."""
    pause_s: float = 0.5
    """The first pause."""

    def pauses(self) -> Iterator[float]:
        """Yield how long to wait before each try; nothing before the first."""
        yield 0.0
        for number in range(self.tries - 1):
            yield self.pause_s * 2**number


LIMITS = Limits()

_STATUS = re.compile(r"status code: (\d{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z]{1,40})</Code>")
_KNOWN_CODES = frozenset(
    {
        *("AccessDenied", "AllAccessDisabled", "AuthenticationFailed"),
        *("AuthorizationFailure", "AuthorizationPermissionMismatch"),
        *("AuthorizationHeaderMalformed", "BlobAlreadyExists", "ContainerNotFound"),
        *(
            "ConditionalRequestConflict",
            "EntityTooLarge",
            "ExpiredToken",
            "InternalError",
            "InvalidAccessKeyId",
        ),
        *("InvalidBucketName", "InvalidRequest", "InvalidToken", "NoSuchBucket"),
        *("NoSuchKey", "NotImplemented", "OperationAborted", "PermanentRedirect"),
        *("PreconditionFailed", "QuotaExceeded", "RequestTimeTooSkewed"),
        *("ServerBusy", "ServiceUnavailable", "SignatureDoesNotMatch", "SlowDown"),
    }
)
_DENIED = frozenset({"401", "403"})
_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound"})
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or AWS_ENDPOINT_URL",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
_YES = frozenset({"1", "true", "yes", "on", "y"})


def open_store(
    url: StoreUrl, limits: Limits = LIMITS, max_retries: int = 0
) -> "ObjectStore":
    """Return a client of the store, which has sent nothing yet.

    `max_retries` are those of each request, which its caller never hears of: 0 for a
    create, of which a lost answer must be noticed. obstore reads endpoint, region and
    credentials from the environment. Raises ConfigError if it is not installed or
    refuses what it finds there.
    """
    with needed_packages("cloud", ("obstore",), "object stores need"):
        from obstore.exceptions import BaseError
        from obstore.store import AzureStore, S3Store
    allow_http = os.environ.get(_ALLOW_HTTP[url.scheme], "").lower() in _YES
    client_options: ClientConfig = {
        "allow_http": allow_http,
        "connect_timeout": f"{round(limits.connect_s * 1000)}ms",
        "read_timeout": f"{round(limits.read_s * 1000)}ms",
        "timeout": f"{round(limits.request_s * 1000)}ms",
    }
    retry_config: RetryConfig = {
        "max_retries": max_retries,
        "retry_timeout": timedelta(seconds=limits.request_s),
    }
    prefix = url.prefix or None
    try:
        if url.scheme == "az":
            return AzureStore(
                url.bucket,
                prefix=prefix,
                client_options=client_options,
                retry_config=retry_config,
            )
        return S3Store(
            url.bucket,
            prefix=prefix,
            # Not every server has the request that deletes many.
            disable_bulk_delete=True,
            client_options=client_options,
            retry_config=retry_config,
        )
    except (BaseError, ValueError):
        pass  # its text quotes the environment
    raise ConfigError(
        f"{url}: the settings for it in the environment cannot be used. Check "
        f"{_CREDENTIALS[url.scheme]}."
    )


def retry(
    url: StoreUrl, what: str, function: Callable[[], T], limits: Limits = LIMITS
) -> T:
    """Call a function of obstore until it succeeds or `limits.tries` are used up.

    `what` says what failed, such as `'a/b' could not be read`. FileNotFoundError passes;
    every other error becomes a StoreError in one line, and holds nothing of the first.
    """
    problem = Problem("it was not tried", is_passing=False)
    for pause_s in limits.pauses():
        time.sleep(pause_s)
        outcome = attempt(function)
        if not isinstance(outcome, Problem):
            return outcome
        problem = outcome
        if not problem.is_passing:
            break
    raise store_error(url, what, problem)


class Problem(NamedTuple):
    """Why an operation failed, in words that hold no secret."""

    reason: str
    is_passing: bool
    """Whether the same request may succeed a little later."""
    is_denied: bool = False
    is_taken: bool = False
    """Whether the server says that there is such a file, or another version of it."""


NO_BUCKET = Problem("there is no such bucket", is_passing=False)


def attempt(function: Callable[[], T]) -> T | Problem:
    """Call a function of obstore once; of its errors only the words of this module stay.

    FileNotFoundError passes as it is, for callers that expect it; it must not reach
    anyone else.
    """
    from obstore.exceptions import BaseError

    try:
        return function()
    except FileNotFoundError as error:
        if not isinstance(error.errno, int) and _code(str(error)) in _NO_BUCKET:
            return NO_BUCKET
        raise
    except (BaseError, OSError, ValueError) as error:
        return _describe(error)


def store_error(url: StoreUrl, what: str, problem: Problem) -> StoreError:
    """Return the error of a store, in one line."""
    if problem.is_denied:
        remedy = f"Check {_CREDENTIALS[url.scheme]} and the rights that they give."
    elif problem.is_passing:
        remedy = "Check the connection, then run the same command again."
    else:
        remedy = f"Check the URL and {_CREDENTIALS[url.scheme]}."
    return StoreError(f"{url}: {what}: {problem.reason}. {remedy}")


def _code(text: str) -> str | None:
    match = _CODE.search(text)
    return match[1] if match is not None and match[1] in _KNOWN_CODES else None


def _is_taken(status: str, text: str) -> bool:
    """Whether a refusal of a write that only creates means that the file exists.

    S3 answers with 412, Azure with 409. S3 has a 409 of its own for a write that met
    another one, which may be tried again: the code tells them apart.
    """
    match = _CODE.search(text)
    return status == "412" or (
        status == "409" and (match is None or match[1].endswith("Exists"))
    )


def _describe(error: Exception) -> Problem:
    """Say what an error of obstore means without quoting it."""
    text = str(error)
    status, code = _STATUS.search(text), _code(text)
    if code in _NO_BUCKET:
        return NO_BUCKET
    if "169.254.169.254" in text or "metadata.google" in text:
        reason = "no credentials were found in the environment"
        return Problem(reason, is_passing=False, is_denied=True)
    if status is not None:
        reason = f"HTTP {status[1]}" + (f", {code}" if code else "")
        is_denied = status[1] in _DENIED
        is_passing = status[1][0] == "5" or status[1] in ("408", "429", "409")
        is_taken = _is_taken(status[1], text)
        return Problem(reason, is_passing, is_denied, is_taken)
    if "not allowed" in text or "BadScheme" in text:
        reason = "the endpoint is http:, which AWS_ALLOW_HTTP=true would allow"
        return Problem(reason, is_passing=False)
    if re.search(r"timed ?out", text, re.IGNORECASE):
        return Problem("no answer in time", is_passing=True)
    if re.search(r"error sending request|connect|decod|body", text, re.IGNORECASE):
        return Problem("the connection failed", is_passing=True)
    return Problem(f"it failed with {type(error).__name__}", is_passing=True)
