"""What servers said, as it is published: no address, path or account; grouped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.failure_messages import (
    MAX_DISTINCT,
    FailureMessages,
    publishable_message,
)
from cotbuild.schemas.manifest import MAX_FAILURE_GROUPS, MAX_MESSAGE_CHARS

PRIVATE = (
    "10.1.2.3",
    "10.1.2.3:8000",
    "[fd00::1]:8000",
    "fd00::1:2",
    "http://gpu-box:8000/v1",
    "https://user:pw@gpu.example/v1?key=1",
    "node-3.cluster.example:8000",
    "localhost:8000",
    "bob@corp.example.com",
    "/home/bob/models/x",
    "~/models/x",
    "../bob/x",
    "C:\\Users\\bob\\x.py",
    "\\\\files\\bob\\x",
    "org-abcDEF123456",
    "proj_abcDEF123456",
    "sk-abcDEF123456",
)


@pytest.mark.parametrize("private", PRIVATE)
@pytest.mark.parametrize(
    "frame", ["word " * 58 + "{}", "{}", "no '{}' here", '{{"at":"{}"}}', "a ({}), b"]
)
def test_nothing_private_is_published(private: str, frame: str) -> None:
    message = publishable_message(frame.format(private))
    assert private not in message
    for part in ("bob", "10.1", "gpu", "cluster", "DEF", "pw@"):
        assert part not in message
    assert "[" in message


@pytest.mark.parametrize(
    "message",
    [
        "HTTP 400: Unsupported parameter: 'top_k'",
        "HTTP 400: This model's maximum context length is 4096 tokens (5000 in total).",
        "HTTP 422: body.messages[0].role: Input should be 'user' or 'assistant'",
        "HTTP 503: and/or 3/4, v1.2.3, Qwen/Qwen2.5-7B, std::vector, 12:30:45, host is up",
        "HTTP 400: 东京 is «no» 🙂 word",
        "",
    ],
)
def test_other_words_stay_as_they_are(message: str) -> None:
    assert publishable_message(message) == message


PIECES = st.one_of(
    st.sampled_from(
        [*PRIVATE, "to host ", "[address]", "[path]", ":", "/", "@", "[", "…"]
    ),
    st.text(max_size=8),
)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_a_published_message_is_bounded_and_stays_as_it_is(text: str) -> None:
    message = publishable_message(text)
    assert len(message) <= MAX_MESSAGE_CHARS
    assert message.isprintable()
    assert publishable_message(message) == message


def test_messages_are_grouped_but_for_their_numbers() -> None:
    messages = FailureMessages()
    for number in range(7):
        messages.add("rejected", f"HTTP 400: {number} tokens, request req_{number}ab")
    messages.add("rejected", "HTTP 422: 3 tokens, request req_3ab")
    messages.add("unavailable", "HTTP 503: no GPU")
    messages.add("unavailable", "HTTP 503: no GPU")
    assert [tuple(group.model_dump().values()) for group in messages.groups()] == [
        ("rejected", "HTTP 400: 0 tokens, request req_0ab", 7),
        ("unavailable", "HTTP 503: no GPU", 2),
        ("rejected", "HTTP 422: 3 tokens, request req_3ab", 1),
    ]


def test_groups_are_bounded() -> None:
    messages = FailureMessages()
    letters = "abcdefghij"
    for number in range(2 * MAX_DISTINCT):
        word = "".join(letters[int(digit)] for digit in str(number))
        messages.add("bad_body", word)
        messages.add("bad_body", "frequent")
    groups = messages.groups()
    assert len(groups) == MAX_FAILURE_GROUPS
    assert (groups[0].message, groups[0].count) == ("frequent", 2 * MAX_DISTINCT)
