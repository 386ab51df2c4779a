"""Decides what an error of a server means for a request, and what to do about it.

No IO.
"""

from collections.abc import Mapping

from cotbuild.builder.retry_after import parse_retry_after
from cotbuild.builder.teachers.http.server_errors import ServerError
from cotbuild.builder.teachers.http.wire import MAX_RETRY_AFTER_S, RetryableFailure
from cotbuild.schemas.completion import Failure, FailureKind

REJECTED_STATUS = frozenset({400, 413, 422})
"""The request itself is at fault: the same bytes would be refused again."""
RETRY_STATUS = frozenset({408, 409, 425, 429})
"""Transient errors, as every 5xx is."""
GATEWAY_STATUS = frozenset({502, 503, 504})
"""Often sent by a proxy with no server behind it."""
NOT_READY_STATUS = GATEWAY_STATUS | {429}
"""Tells nothing about whether a route exists."""


def is_transient(status: int) -> bool:
    """Return whether a later attempt may succeed."""
    return status in RETRY_STATUS or status >= 500


def must_pay(status: int, error: ServerError, headers: Mapping[str, str]) -> bool:
    """Return whether the account has no credit left.

    Several services say so with 429; one that names a time to wait means a rate limit.
    """
    if status == 402:
        return True
    is_rate_limit = status == 429 and "Retry-After" in headers
    return status < 500 and error.is_out_of_credit and not is_rate_limit


def classify_error(
    status: int, error: ServerError, headers: Mapping[str, str], request_key: str
) -> Failure | RetryableFailure | None:
    """Return the outcome of an attempt that a server answered with an error.

    None if no request can succeed here; `explain_refusal` then says why.

    Args:
        status: The HTTP status, or the one that the body of a 200 names.
        headers: Those of the response, whose names are in any case.
    """
    if must_pay(status, error, headers):
        return None
    message = f"HTTP {status}: {error.text}"
    # Any other 403 may be about the key, which would be refused for each request.
    is_moderated = status == 403 and error.is_moderated
    if status in REJECTED_STATUS or is_moderated:
        return Failure(
            request_key=request_key, kind=FailureKind.REJECTED, message=message
        )
    if is_transient(status):
        return RetryableFailure(
            FailureKind.UNAVAILABLE,
            message,
            after_s=parse_retry_after(
                headers.get("Retry-After"), max_s=MAX_RETRY_AFTER_S
            ),
            gateway_error=status in GATEWAY_STATUS,
            pushed_back=status == 429,
        )
    return None


def explain_refusal(
    url: str,
    status: int,
    error: ServerError,
    headers: Mapping[str, str],
    *,
    model: str,
    sent_key: bool,
) -> str:
    """Describe a status that makes further requests pointless, and its remedy.

    For 401, 402, 403 unless a content policy refused the one request, 404, redirects and
    the like, and for transient errors before the first request.

    Args:
        headers: Those of the response.
        sent_key: Whether the request carried an API key.
    """
    if must_pay(status, error, headers):
        advice = (
            "The account has no credit left. Add some, then run again: the answers so far "
            "are kept."
        )
    elif status in (401, 403):
        advice = _advise_on_key(sent_key)
    elif 300 <= status < 400:
        location = headers.get("Location")
        advice = f"Redirects are not followed. Pass the final URL, {location!r}."
    elif is_transient(status):
        advice = "The server is not ready. Wait, then run again."
    elif model in error.text:
        advice = f"Pass a model that it serves; {model!r} is not one."
    else:
        advice = _advise_on_url(url, model)
    words = error.text.rstrip(".") or "no words"
    return f"{url}: HTTP {status}: {words}. {advice}"


def _advise_on_key(sent_key: bool) -> str:
    reason = "the key in OPENAI_API_KEY was refused" if sent_key else "no key was sent"
    return f"Access denied: {reason}. Set OPENAI_API_KEY to a key for this server."


def _advise_on_url(url: str, model: str) -> str:
    if "/v1/" in url:
        return (
            "Check host, port and path of --endpoint: an OpenAI-compatible server with the "
            f"model {model!r} is expected there."
        )
    return (
        "Pass the URL, ending in /v1, of an OpenAI-compatible server with the model "
        f"{model!r}."
    )
