"""The wire form as pure tables: what is sent, what counts as a completion, when to ask
again.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.http.wire import (
    MAX_BACKOFF_S,
    MAX_ERROR_CHARS,
    MAX_RETRY_AFTER_S,
    ChatBody,
    RetryableFailure,
    ServerLoad,
    backoff_s,
    build_request_body,
    explain_refusal,
    one_line,
    parse_body,
    parse_load,
    read_error_text,
    to_answer,
)
from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
    Message,
    Request,
    Sampling,
)

REQUEST = Request(
    messages=(Message(role="user", content="Why?"),),
    teacher="t",
    sampling=Sampling(),
    seed=7,
)


def test_every_sampling_field_is_sent() -> None:
    assert build_request_body(REQUEST, "m") == {
        "model": "m",
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 0.7,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "max_tokens": 256,
        "stop": (),
        "seed": 7,
    }
    assert build_request_body(REQUEST, "m").keys() >= Sampling.model_fields.keys()


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("seed", None, False),
        ("seed", 0, True),
        ("response_format", None, False),
        ("response_format", {"type": "json_object"}, True),
        ("chat_template_kwargs", None, False),
        ("chat_template_kwargs", {"enable_thinking": False}, True),
    ],
)
def test_fields_that_are_none_are_not_sent(
    field: str, value: object, sent: bool
) -> None:
    body = build_request_body(REQUEST.model_copy(update={field: value}), "m")
    assert body.get(field, "absent") == (value if sent else "absent")


def body(
    finish_reason: object = "stop",
    usage: object = None,
    model: object = "m",
    **message: object,
) -> bytes:
    choices = [
        {
            "index": 0,
            "message": {"role": "assistant"} | message,
            "finish_reason": finish_reason,
        }
    ]
    return json.dumps(
        {"choices": choices, "usage": usage, "model": model, "new_field": 1}
    ).encode()


def answer_to(raw: bytes) -> Answer | RetryableFailure:
    read = parse_body(raw)
    return to_answer(read, "k") if isinstance(read, ChatBody) else read


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (body(content="Yes."), {"text": "Yes.", "finish_reason": "stop"}),
        (body("length", content="Yes"), {"text": "Yes", "finish_reason": "length"}),
        (body(content=None), {"text": "", "finish_reason": "stop"}),
        (body(), {"text": "", "finish_reason": "stop"}),
        (
            body(content=" \n a "),
            {"text": " \n a ", "finish_reason": "stop"},
        ),  # verbatim
        (
            body(content="a", reasoning="r"),
            {"text": "a", "reasoning": "r", "finish_reason": "stop"},
        ),
        (
            body(content="a", reasoning_content="r"),
            {"text": "a", "reasoning": "r", "finish_reason": "stop"},
        ),
        (
            body(content="a", reasoning="r", reasoning_content="o"),
            {"text": "a", "reasoning": "r", "finish_reason": "stop"},
        ),
        (
            body(content="a", reasoning=""),
            {"text": "a", "reasoning": "", "finish_reason": "stop"},
        ),
        (
            body(
                content="a",
                usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            ),
            {
                "text": "a",
                "finish_reason": "stop",
                "prompt_tokens": 3,
                "completion_tokens": 2,
            },
        ),
        (body(content="a", usage={}), {"text": "a", "finish_reason": "stop"}),
        (body(content="a", model=None), {"text": "a", "finish_reason": "stop"}),
    ],
)
def test_completions(raw: bytes, expected: dict[str, Any]) -> None:
    assert answer_to(raw) == Completion(request_key="k", **expected)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "Invalid JSON"),
        (b'{"choices": [{"mess', "Invalid JSON"),
        (b"<html>502</html>", "Invalid JSON"),
        (b"[]", "object"),
        (b'{"choices": []}', "choices is []"),
        (b'{"error": {"message": "no"}}', "choices is"),
        (body(None, content="a"), "finish_reason is None"),
        (body("", content="a"), "finish_reason is ''"),
        (body("abort", content="a"), "finish_reason is 'abort'"),
        (body(content=["a"]), "content is ['a']"),
        (body(content="a", usage={"prompt_tokens": -1}), "prompt_tokens is -1"),
        (
            b'{"choices": [{"finish_reason": "stop", "message": {"content": "\\ud800"}}]}',
            "hex escape",
        ),  # a lone surrogate
        (
            b'{"choices": [{"finish_reason": "stop", "message": {"content": "\xff"}}]}',
            "Invalid JSON",
        ),
    ],
)
def test_anything_less_is_asked_again(raw: bytes, words: str) -> None:
    outcome = answer_to(raw)
    assert isinstance(outcome, RetryableFailure)
    assert outcome.kind is FailureKind.BAD_BODY
    assert words in outcome.message
    assert not outcome.lost


@pytest.mark.parametrize("reason", ["content_filter", "tool_calls", "repetition"])
def test_a_text_the_server_will_not_finish_is_rejected(reason: str) -> None:
    words = f"finish_reason is {reason!r}. Expected stop or length."
    assert answer_to(body(reason, content="a")) == Failure(
        request_key="k", kind=FailureKind.REJECTED, message=words
    )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"error": {"message": "too long", "code": 400}}', "too long"),
        (b'{"error": "too long"}', "too long"),
        (b'{"object": "error", "message": "too\\n long"}', "too long"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (
            b'{"detail": [{"loc": ["body"], "msg": "bad"}]}',
            '{"detail": [{"loc": ["body"], "msg": "bad"}]}',
        ),
        (b"upstream\r\n\x1b[31mfailed", "upstream [31mfailed"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_server_words(raw: bytes, words: str) -> None:
    assert read_error_text(raw) == words


@given(st.binary(max_size=2000))
def test_any_bytes_make_one_short_line(raw: bytes) -> None:
    for line in (read_error_text(raw), one_line(raw.decode("latin-1"))):
        assert len(line) <= MAX_ERROR_CHARS
        assert line == "" or line.isprintable()
    read = parse_body(raw)
    assert (
        not isinstance(read, RetryableFailure) or len(read.message) <= MAX_ERROR_CHARS
    )


@given(
    st.integers(1, 2000),
    st.none() | st.floats(0, MAX_RETRY_AFTER_S),
    st.floats(0, 1, exclude_max=True),
)
def test_backoff_is_bounded_and_never_before_retry_after(
    attempt: int, after_s: float | None, jitter: float
) -> None:
    wait_s = backoff_s(attempt, after_s, jitter)
    assert (after_s or 0) <= wait_s <= (after_s or 0) + MAX_BACKOFF_S
    assert wait_s > 0


def test_backoff_doubles() -> None:
    assert [backoff_s(n, None, 0) for n in (1, 2, 3, 4)] == [0.5, 1, 2, 4]


@pytest.mark.parametrize(
    ("status", "sent_key", "location", "words"),
    [
        (401, False, None, "no key was sent. Set OPENAI_API_KEY"),
        (403, True, None, "the key in OPENAI_API_KEY was refused"),
        (503, False, None, "The server is not ready. Wait"),
        (404, False, None, "Pass the URL, ending in /v1, of"),
        (307, False, "http://new/v1", "Pass the final URL, 'http://new/v1'."),
    ],
)
def test_a_refusal_says_what_to_do(
    status: int, sent_key: bool, location: str | None, words: str
) -> None:
    message = explain_refusal(
        "http://h/v1/models", status, "words of the server", "m", sent_key, location
    )
    assert message.startswith(
        f"http://h/v1/models: HTTP {status}: words of the server. "
    )
    assert words in message


# vLLM's metrics, as vllm 0.32 writes them.
LABELS = b'{engine="0",model_name="m"}'
WHOLE = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0
vllm:generation_tokens_total{engine="0",model_name="m"} 1.5e+03
vllm:generation_tokens_created{engine="0",model_name="m"} 1.8e+09
"""


@pytest.mark.parametrize(
    ("raw", "load"),
    [
        (WHOLE, ServerLoad(1500, 3, 2)),
        (WHOLE + WHOLE.replace(b'engine="0"', b'engine="1"'), ServerLoad(3000, 6, 4)),
        (b"vllm:generation_tokens_total 7\n", ServerLoad(7, 0, 0)),
        (b"", None),
        (b"<html>a dashboard</html>", None),
        (b"sglang:num_running_reqs 3.0\n", None),
    ],
)
def test_parse_load(raw: bytes, load: ServerLoad | None) -> None:
    assert parse_load(raw) == load
