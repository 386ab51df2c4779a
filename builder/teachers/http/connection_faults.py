"""Describes why a server could not be reached, with one remedy for each cause.

No IO.
"""

import aiohttp

from cotbuild.builder.teachers.http.bodies import BodyTooLong
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.wire import RetryableFailure, one_line
from cotbuild.schemas.completion import FailureKind

PLAIN_HTTP = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""OpenSSL's words where a server answers in plain HTTP, by version."""


def describe_fault(fault: BaseException, secret: SecretFilter) -> str:
    """Return what happened, on one line and without the key."""
    if isinstance(fault, BodyTooLong):
        return str(fault)
    if isinstance(fault, aiohttp.ClientPayloadError):
        words = f"body broken off: {fault}"
    elif isinstance(fault, aiohttp.ClientResponseError):
        words = f"not HTTP: {fault.message}"
    else:
        words = f"{type(fault).__name__}: {fault}"
    return one_line(secret.redact(words))


def advise_on_fault(fault: BaseException) -> str:
    """Return what to do about an exception of a first call to a server."""
    if isinstance(fault, aiohttp.ClientProxyConnectionError):
        return (
            "The proxy that the environment names cannot be reached. Correct http_proxy, "
            "https_proxy or all_proxy, or name the server's host in no_proxy."
        )
    if isinstance(fault, aiohttp.ClientHttpProxyError):
        return "The proxy refused. Correct it, or name the server's host in no_proxy."
    if isinstance(fault, aiohttp.ClientConnectorCertificateError):
        return _advise_on_certificate(str(fault))
    if isinstance(fault, aiohttp.ClientSSLError):
        if any(word in str(fault) for word in PLAIN_HTTP):
            return "The server does not speak TLS there. Use http:// in --endpoint."
        return "The TLS connection failed. Correct the server's TLS settings."
    if isinstance(fault, aiohttp.ClientConnectorDNSError):
        return "The host has no address. Correct the host in --endpoint."
    if isinstance(fault, BodyTooLong):
        return "Pass the URL, ending in /v1, of an OpenAI-compatible server."
    return "Start the server, or correct --endpoint."


def _advise_on_certificate(words: str) -> str:
    if "expired" in words:
        return "The server's certificate has expired. Renew it."
    if "ostname mismatch" in words or "IP address mismatch" in words:
        return (
            "The server's certificate is for another host. Use its name in --endpoint."
        )
    return (
        "The server's certificate is not trusted. Set SSL_CERT_FILE to a file with the "
        "certificate of its authority."
    )


def to_retryable(
    fault: aiohttp.ClientError | OSError | BodyTooLong,
    secret: SecretFilter,
    max_answer_s: float | None,
) -> RetryableFailure:
    """Classify an exception of an attempt.

    Args:
        max_answer_s: The time limit of an attempt, for the message.
    """
    message = describe_fault(fault, secret)
    if isinstance(fault, BodyTooLong):
        return RetryableFailure(FailureKind.BAD_BODY, message)
    if isinstance(fault, aiohttp.ClientPayloadError):
        return RetryableFailure(
            FailureKind.BAD_BODY, message, lost=True, pushed_back=True
        )
    if isinstance(fault, aiohttp.ClientResponseError):
        return RetryableFailure(FailureKind.BAD_BODY, message)
    if isinstance(fault, TimeoutError) and not isinstance(fault, aiohttp.ClientError):
        message = (
            f"no whole answer within {max_answer_s or 0:g} s (teacher.max_answer_s)"
        )
        return RetryableFailure(FailureKind.UNAVAILABLE, message, last=True)
    was_refused = isinstance(fault, aiohttp.ClientConnectorError)
    return RetryableFailure(
        FailureKind.UNAVAILABLE, message, lost=True, pushed_back=not was_refused
    )
