"""The wire form as pure tables: what is sent, when to ask again, a server's load."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import to_json

from cotbuild.builder.teachers.http.request_body import (
    build_request_body,
    encode_request_body,
)
from cotbuild.builder.teachers.http.wire import (
    MAX_BACKOFF_S,
    MAX_ERROR_CHARS,
    MAX_RETRY_AFTER_S,
    ServerLoad,
    backoff_s,
    one_line,
    parse_load,
)
from cotbuild.schemas.body_edits import SENT_FIELDS
from cotbuild.schemas.completion import (
    MAX_SEED,
    BodyEdits,
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


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    TEXTS,
    st.lists(TEXTS, min_size=1, max_size=3),
    st.none() | st.integers(0, MAX_SEED),
    st.none() | st.dictionaries(TEXTS, TEXTS | st.floats(allow_nan=False)),
    st.none() | st.just(BodyEdits(omitted=("min_p",), added={"é": [1, "ü"]})),
    st.booleans(),
)
def test_a_body_joined_of_its_parts_is_the_body(
    model: str,
    texts: list[str],
    seed: int | None,
    response_format: dict[str, object] | None,
    edits: BodyEdits | None,
    continues: bool,
) -> None:
    update = {
        "messages": tuple(Message(role="user", content=text) for text in texts),
        "seed": seed,
        "response_format": response_format,
        "edits": edits,
        "continue_final_message": continues,
    }
    request = REQUEST.model_copy(update=update)
    expected = to_json(build_request_body(request, model))
    assert encode_request_body(request, model) == expected


@given(
    st.sets(st.sampled_from(SENT_FIELDS)),
    st.none() | st.integers(0, MAX_SEED),
    st.dictionaries(st.sampled_from(["user", "é"]), TEXTS, max_size=1),
)
@example(omitted=set(SENT_FIELDS), seed=None, added={})
@example(omitted=set(Sampling.model_fields), seed=None, added={})
@example(omitted=set(Sampling.model_fields), seed=7, added={})
def test_a_body_is_json_whichever_fields_are_left_out(
    omitted: set[str], seed: int | None, added: dict[str, str]
) -> None:
    edits = BodyEdits(omitted=tuple(sorted(omitted)), added={**added})
    request = REQUEST.model_copy(update={"seed": seed, "edits": edits})
    body = encode_request_body(request, "m")
    expected = build_request_body(request, "m")
    assert body == to_json(expected)
    assert json.loads(body) == json.loads(to_json(expected))
    assert expected.keys().isdisjoint(omitted)


@given(st.text(max_size=2000))
def test_any_text_makes_one_short_line(text: str) -> None:
    line = one_line(text)
    assert len(line) <= MAX_ERROR_CHARS
    assert line == "" or line.isprintable()


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
        (b"vllm:generation_tokens_total abc\n", None),
        (b"vllm:generation_tokens_total 1e999\n", None),
        (b"vllm:generation_tokens_total nan\n", None),
        (b"vllm:generation_tokens_total 1-2\n", None),
        (WHOLE.replace(b"3.0", b"1e999"), None),
        (WHOLE.replace(b"3.0", b"1e308") * 2, None),
        (WHOLE.replace(b"3.0", b"-3.0"), ServerLoad(1500, 0, 2)),
    ],
)
def test_parse_load(raw: bytes, load: ServerLoad | None) -> None:
    assert parse_load(raw) == load
