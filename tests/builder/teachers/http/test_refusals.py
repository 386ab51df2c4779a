"""What a server's error means, and the one thing to do about it: pure tables."""

import json
from typing import Any

import pytest

from cotbuild.builder.teachers.http.refusals import classify_error, explain_refusal
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.server_errors import ServerError, parse_error
from cotbuild.builder.teachers.http.wire import MAX_ERROR_CHARS, RetryableFailure
from cotbuild.schemas.completion import Failure, FailureKind

NO_SECRET = SecretFilter(None)
QUOTA: dict[str, Any] = {
    "message": "You exceeded your quota",
    "type": "insufficient_quota",
}
MODERATED = (
    "Your chosen model requires moderation and your input was flagged",
    "User input was flagged for violence.",
    "Your request was rejected as a result of our safety system.",
    "The response was filtered due to Azure OpenAI's content management policy",
    "content_policy_violation",
    "Usage policy: this request cannot be answered.",
)
ACCESS_DENIED = (
    "Forbidden",
    "Key expired",
    "Your account was flagged for a violation of our usage policies.",
    "This user was banned under our usage policies",
    "This request is not available in your country",
    "The API key may not use models without a content filter",
    "You have no access to this model",
)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'{"error": {"message": "too long", "code": 400}}', ServerError("too long", 400)),
        (b'{"error": "too long"}', ServerError("too long")),
        (b'{"object": "error", "message": "too\\n long"}', ServerError("too long")),
        (b'{"detail": "Not Found"}', ServerError("Not Found")),
        (b'{"detail": [{"msg": "bad"}, {"msg": "worse"}]}',
         ServerError('{"detail": [{"msg": "bad"}, {"msg": "worse"}]}')),
        (b'[{"error": {"message": "busy", "status": "UNAVAILABLE"}}]', ServerError("busy", 503)),
        (b'{"error": {"message": "Provider returned error", "code": "502", '
         b'"metadata": {"raw": "no GPU"}}}', ServerError("Provider returned error: no GPU", 502)),
        (b'{"error": {"code": "insufficient_quota", "type": "x"}}', ServerError("insufficient_quota", 402)),
        (b'{"errors": [{"message": "m"}], "success": false}', ServerError("m")),
        (b'{"error": {"message": null}}', ServerError('{"error": {"message": null}}')),
        (b"upstream\r\n\x1b[31mfailed", ServerError("upstream [31mfailed")),
        (b"\xff", ServerError("\ufffd")),
        (b"", ServerError("")),
    ],
)  # fmt: skip
def test_the_words_of_a_server(raw: bytes, error: ServerError) -> None:
    if error.text == "insufficient_quota":  # without a message, all there is
        error = ServerError(raw.decode(), error.status)
    assert parse_error(raw, NO_SECRET) == error


def test_words_are_short_and_without_any_part_of_the_key() -> None:
    key = "sk-secret-of-the-user"
    for words in ("x" * (MAX_ERROR_CHARS - 4) + key, key * 1000):
        for raw in (words, json.dumps({"error": {"message": words}})):
            text = parse_error(raw.encode(), SecretFilter(key)).text
            assert len(text) <= MAX_ERROR_CHARS
            assert "sk-" not in text


@pytest.mark.parametrize(
    ("status", "error", "headers", "outcome"),
    [
        (400, {"message": "m"}, {}, FailureKind.REJECTED),
        (429, {"message": "m"}, {}, FailureKind.UNAVAILABLE),
        (503, {"message": "m"}, {}, FailureKind.UNAVAILABLE),
        (429, QUOTA, {}, None),
        (429, QUOTA, {"Retry-After": "2"}, FailureKind.UNAVAILABLE),
        (429, {"message": "Insufficient balance"}, {}, None),
        (400, {"message": "Your credit balance is too low"}, {}, None),
        (402, {"message": "m"}, {}, None),
        (500, {"message": "insufficient credits"}, {}, FailureKind.UNAVAILABLE),
        (404, {"message": "m"}, {}, None),
        *((403, {"message": words}, {}, FailureKind.REJECTED) for words in MODERATED),
        *((403, {"message": words}, {}, None) for words in ACCESS_DENIED),
        (401, {"message": MODERATED[0]}, {}, None),
    ],
)
def test_what_an_error_means(
    status: int,
    error: dict[str, Any],
    headers: dict[str, str],
    outcome: FailureKind | None,
) -> None:
    read = parse_error(json.dumps({"error": error}).encode(), NO_SECRET)
    found = classify_error(status, read, headers, "k")
    assert (
        found.kind if isinstance(found, Failure | RetryableFailure) else None
    ) == outcome


@pytest.mark.parametrize(
    ("url", "status", "words", "headers", "sent_key", "advice"),
    [
        ("http://h/v1/models", 401, "w", {}, False, "no key was sent. Set OPENAI_API_KEY"),
        ("http://h/v1/models", 403, "w", {}, True, "the key in OPENAI_API_KEY was refused"),
        ("http://h/v1/models", 402, "w", {}, True, "The account has no credit left. Add some"),
        ("http://h/v1/models", 503, "w", {}, False, "The server is not ready. Wait"),
        ("http://h/models", 404, "w", {}, False, "Pass the URL, ending in /v1, of"),
        ("http://h/v1/models", 404, "w", {}, False, "Check host, port and path of --endpoint"),
        ("http://h/v1/models", 405, "w", {}, False, "Check host, port and path of --endpoint"),
        ("http://h/v1/x", 404, "no 'm-7'", {}, False, "Pass a model that it serves; 'm-7' is not one."),
        ("http://h/v1/x", 307, "w", {"Location": "http://new/v1"}, False,
         "Pass the final URL, 'http://new/v1'."),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(
    url: str,
    status: int,
    words: str,
    headers: dict[str, str],
    sent_key: bool,
    advice: str,
) -> None:
    message = explain_refusal(
        url, status, ServerError(words), headers, model="m-7", sent_key=sent_key
    )
    assert message.startswith(f"{url}: HTTP {status}: {words}. ")
    assert advice in message
