"""Reads the errors of servers, whatever form they have. No IO."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.teachers.http.generous_json import load_json
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.wire import one_line

MAX_DEPTH = 5

_MESSAGE_FIELDS = (
    *("error", "message", "detail", "errors", "msg", "error_message"),
    *("error_description", "description", "title", "reason"),
)
_STATUS_FIELDS = ("code", "status", "status_code", "statusCode", "http_status")
_NAME_FIELDS = ("code", "status", "type")

STATUS_OF_NAME = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "insufficient_quota": 402,
    "insufficient_balance": 402,
    "insufficient_credits": 402,
    "insufficient_funds": 402,
    "payment_required": 402,
    "billing_error": 402,
    "billing_not_active": 402,
    "billing_hard_limit_reached": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found": 404,
    "not_found_error": 404,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "api_error": 500,
    "internal": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "overloaded_error": 503,
    "service_unavailable": 503,
    "unavailable": 503,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
}
"""Names of errors in the APIs of OpenAI, Anthropic, Google and OpenRouter to the HTTP
status that says the same.
"""

_OUT_OF_CREDIT = re.compile(
    r"insufficient[ _](?:quota|balance|credit|fund)|credit balance is too low"
    r"|payment required|billing hard limit"
)
_MODERATED = re.compile(
    r"(?:input|prompt|request|message|content|text|image)s?\b[^.]{0,40}?\bflagged\b"
    r"|content (?:policy|policies|filter|management|moderation)|usage polic(?:y|ies)"
    r"|safety (?:system|filter|polic)|moderation (?:filter|polic|system)"
)
_IS_OF_ACCOUNT = re.compile(
    r"\b(?:accounts?|organi[sz]ations?|projects?|keys?|access|ip)\b"
    r"|\busers?\b(?! (?:input|prompt|message|content))"
)


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error as a server describes it."""

    text: str
    """The server's words, on one line; empty if there are none."""
    status: int | None = None
    """The HTTP status that the body names, by number or by a name in STATUS_OF_NAME."""

    @property
    def is_out_of_credit(self) -> bool:
        """Whether the account has to be paid first, so that waiting does not help."""
        return self.status == 402 or bool(_OUT_OF_CREDIT.search(self.text.casefold()))

    @property
    def is_moderated(self) -> bool:
        """Whether the content of this one request was refused, not its sender."""
        words = self.text.casefold().replace("_", " ")
        return bool(_MODERATED.search(words)) and not _IS_OF_ACCOUNT.search(words)


def parse_error(raw: bytes, secret: SecretFilter) -> ServerError:
    """Read the body of an error response, JSON or not, without the key it may quote."""
    try:
        value, _ = load_json(raw)
    except ValueError:
        return ServerError(_raw_words(raw, secret))
    error = read_error(value, secret)
    return error if error.text else ServerError(_raw_words(raw, secret), error.status)


def read_error(value: object, secret: SecretFilter) -> ServerError:
    """Read the JSON value of an error's body."""
    objects = _error_objects(value)
    words = _find_message(value, 0) or ""
    for fields in objects:
        metadata = fields.get("metadata")
        if isinstance(metadata, Mapping) and isinstance(metadata.get("raw"), str):
            # OpenRouter's own message is "Provider returned error".
            words = f"{words}: {metadata['raw']}"
    statuses = (_status_of(fields) for fields in objects)
    status = next((status for status in statuses if status is not None), None)
    return ServerError(one_line(secret.redact(words)), status)


def _raw_words(raw: bytes, secret: SecretFilter) -> str:
    # Redacted before it is cut, so that no part of the key is left.
    return one_line(secret.redact(raw.decode("utf-8", "replace")))


def _error_objects(value: object) -> list[Mapping[str, Any]]:
    """Return an error's object and those around it, innermost first."""
    objects: list[Mapping[str, Any]] = []
    while len(objects) < MAX_DEPTH:
        if isinstance(value, list) and value:
            value = value[0]  # Gemini's servers wrap their errors so
        if not isinstance(value, Mapping):
            break
        objects.insert(0, value)
        value = value.get("error")
    return objects


def _find_message(value: object, depth: int) -> str | None:
    """Return the first text in a field that names a message."""
    if isinstance(value, str):
        return value.strip() or None
    if depth >= MAX_DEPTH:
        return None
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if not isinstance(value, Mapping):
        return None
    inner = (_find_message(value.get(name), depth + 1) for name in _MESSAGE_FIELDS)
    return next((message for message in inner if message), None)


def _status_of(fields: Mapping[str, Any]) -> int | None:
    """Return the HTTP status that an error's object names, by number before name."""
    for name in _STATUS_FIELDS:
        value = fields.get(name)
        if isinstance(value, int | str):
            text = str(value)
            if re.fullmatch(r"[3-5]\d\d", text[:4]):
                return int(text[:3])
    for name in _NAME_FIELDS:
        value = fields.get(name)
        if isinstance(value, str):
            status = STATUS_OF_NAME.get(value.casefold())
            if status is not None:
                return status
    return None
