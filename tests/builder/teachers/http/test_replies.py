"""What counts as a completion: a text that was paid for is kept, whatever is odd beside
it, and each oddity is a note.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.http.content import (
    CONTENT_IS_JSON,
    PARTS_JOINED,
    PARTS_LEFT_OUT,
    REASONING_PARTS,
    REFUSAL,
)
from cotbuild.builder.teachers.http.event_stream import STREAMED
from cotbuild.builder.teachers.http.replies import (
    CHARACTERS_REPLACED,
    COUNTS_UNKNOWN,
    CUT_BY_FILTER,
    ERROR_BESIDE,
    FINISH_UNKNOWN,
    KEY_REPLACED,
    MODEL_UNREADABLE,
    SEVERAL_CHOICES,
    ChatReply,
    parse_reply,
    to_answer,
)
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.http.server_errors import ServerError
from cotbuild.builder.teachers.http.wire import MAX_ERROR_CHARS, RetryableFailure
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind

KEY = 'sk-Ab/1"secret'
NO_SECRET = SecretFilter(None)


def reply(
    finish_reason: object = "stop",
    message: object = None,
    choice: dict[str, Any] | None = None,
    **others: object,
) -> dict[str, Any]:
    """The JSON of a chat completion, with fields replaced or added."""
    message = {"role": "assistant", "content": "Yes."} if message is None else message
    first = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {"choices": [first | (choice or {})], "model": "m", **others}


def answer_to(body: object) -> Answer | ServerError | RetryableFailure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    read = parse_reply(raw, NO_SECRET)
    return to_answer(read, "k") if isinstance(read, ChatReply) else read


def kept(text: str = "Yes.", *notes: str, **fields: Any) -> Completion:
    ends = {"finish_reason": "stop"} | fields
    return Completion(request_key="k", text=text, notes=notes, **ends)


ORDINARY = [
    (reply(), kept()),
    (reply("length"), kept(finish_reason="length")),
    (reply(message={"content": None}), kept("")),
    (reply(message={"role": "assistant"}), kept("")),
    (reply(message={"content": " \n a "}), kept(" \n a ")),
    (reply(message={"content": "a", "reasoning": "r"}), kept("a", reasoning="r")),
    (
        reply(message={"content": "a", "reasoning": "r", "reasoning_content": "o"}),
        kept("a", reasoning="r"),
    ),
    (reply(message={"content": "a", "reasoning": ""}), kept("a", reasoning="")),
    (
        reply(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
        kept(prompt_tokens=3, completion_tokens=2),
    ),
    (
        reply(usage={"input_tokens": 3, "output_tokens": 2.0}),
        kept(prompt_tokens=3, completion_tokens=2),
    ),
    (reply(usage={}, error=None, new_field={"a": [1]}), kept()),
    (reply(model=None, id=None, created="today"), kept()),
    (b"\xef\xbb\xbf" + json.dumps(reply()).encode(), kept()),
    (json.dumps(reply()).encode("utf-16"), kept()),
    ([reply()], kept()),
    (b'{"choices": 1, ' + json.dumps(reply()).encode()[1:], kept()),  # repeated field
    (reply(message={"content": "a\ud83d\ude00b"}), kept("a\U0001f600b")),
]


@pytest.mark.parametrize(("body", "answer"), ORDINARY)
def test_an_ordinary_reply_has_no_notes(body: object, answer: Completion) -> None:
    assert answer_to(body) == answer


@pytest.mark.parametrize(
    "word",
    ["eos_token", "EOS", "STOP", "end_turn", "stop_sequence", "Complete", "eos-token"],
)
def test_words_for_a_text_that_the_model_ended(word: str) -> None:
    assert answer_to(reply(word)) == kept()
    assert answer_to(reply({"type": word})) == kept()


@pytest.mark.parametrize(
    "word",
    ["MAX_TOKENS", "max_tokens", "model_length", "FINISH_REASON_LENGTH", "limit"],
)
def test_words_for_a_text_that_was_cut(word: str) -> None:
    assert answer_to(reply(word)) == kept(finish_reason="length")


UNKNOWN: tuple[object, ...] = (
    *("", None, "other", "tool_calls", "repetition"),
    *(7, [], {}, "x" * 500),
)
NO_USAGE: tuple[object, ...] = (
    *(None, "12", [], 5),
    *({"prompt_tokens": None}, {"prompt_tokens": "x"}),
)
NO_COUNTS: tuple[object, ...] = (
    *(None, -1, 0.5, 10**30, 2**63, True),
    *("2", [2], float("nan"), float("inf")),
)
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
TEXT = {"type": "text", "text": "B"}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        *((reply(word), kept("Yes.", FINISH_UNKNOWN, finish_reason=None)) for word in UNKNOWN),
        (reply("content_filter"), kept("Yes.", CUT_BY_FILTER, finish_reason=None)),
        (reply("SAFETY"), kept("Yes.", CUT_BY_FILTER, finish_reason=None)),
        *((reply(usage=usage), kept("Yes.", COUNTS_UNKNOWN)) for usage in NO_USAGE),
        *((reply(usage={"prompt_tokens": 3, "completion_tokens": count}),
           kept("Yes.", COUNTS_UNKNOWN, prompt_tokens=3)) for count in NO_COUNTS),
        (reply(model=3), kept("Yes.", MODEL_UNREADABLE)),
        (reply(message={"content": "a\ud83d"}), kept("a\ufffd", CHARACTERS_REPLACED)),
        (reply(message={"content": "a", "reasoning": "\udc00"}),
         kept("a", CHARACTERS_REPLACED, reasoning="\ufffd")),
        (json.dumps(reply()).encode().replace(b"Yes.", b"\xff."), kept("\ufffd.", CHARACTERS_REPLACED)),
        (reply(message={"content": [THOUGHT, TEXT]}), kept("B", PARTS_JOINED, reasoning="Hm.")),
        (reply(message={"content": ["a", "b"]}), kept("ab", PARTS_JOINED)),
        (reply(message={"content": TEXT}), kept("B", PARTS_JOINED)),
        (reply(message={"content": [{"text": "x", "thought": True}, {"text": "B"}]}),
         kept("B", PARTS_JOINED, reasoning="x")),
        (reply(message={"content": [{"type": "text", "text": {"value": "B"}}]}), kept("B", PARTS_JOINED)),
        (reply(message={"content": [{"type": "image_url"}, TEXT]}),
         kept("B", PARTS_JOINED, PARTS_LEFT_OUT)),
        (reply(message={"content": {"answer": "B"}}), kept('{"answer": "B"}', CONTENT_IS_JSON)),
        (reply(message={"content": 42}), kept("42", CONTENT_IS_JSON)),
        (reply(message={"content": None, "refusal": "No."}), kept("No.", REFUSAL)),
        (reply(message={"content": "a", "reasoning": {"content": "r"}}),
         kept("a", REASONING_PARTS, reasoning="r")),
        (reply(message={"content": "a", "reasoning_details": [{"type": "reasoning.text", "text": "r"}]}),
         kept("a", REASONING_PARTS, reasoning="r")),
        (reply(choice={"message": None, "text": "a"}), kept("a")),
        ({"choices": [None, *reply()["choices"]]}, kept()),
        ({"choices": [{"index": 1, "message": {"content": "b"}}, *reply()["choices"]]},
         kept("Yes.", SEVERAL_CHOICES)),
        (reply(choice={"index": 7}), kept()),
        (reply(error={"message": "late", "code": 500}), kept("Yes.", ERROR_BESIDE)),
        (reply("length", error={"message": "late"}), kept("Yes.", ERROR_BESIDE, finish_reason="length")),
        (reply("content_filter", error={"message": "late"}),
         kept("Yes.", ERROR_BESIDE, CUT_BY_FILTER, finish_reason=None)),
    ],
)  # fmt: skip
def test_an_odd_reply_is_kept_with_notes(body: object, answer: Completion) -> None:
    assert answer_to(body) == answer


STREAM = """: OPENROUTER PROCESSING

data: {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}

event: x
data: {"choices": [{"delta": {"reasoning_content": "Hm."}}]}
data: {"choices": [{"delta": {"content": "Y\u00e9"}}]}
data: {"choices": [{"delta": {"content": "s."}, "finish_reason": "stop"}]}
data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}

data: [DONE]
"""


def test_a_stream_that_nobody_asked_for_is_joined() -> None:
    answer = kept(
        "Yés.", STREAMED, reasoning="Hm.", prompt_tokens=3, completion_tokens=2
    )
    assert answer_to(STREAM.encode()) == answer
    for ends in ("\r\n", "\n"):
        assert answer_to(STREAM.replace("\n", ends).encode()) == answer


def test_a_stream_that_breaks_off_is_no_whole_text() -> None:
    cut = STREAM[: STREAM.index('"s."')]
    outcome = answer_to(cut.encode())
    assert isinstance(outcome, RetryableFailure)
    assert "'interrupted'" in outcome.message
    with_error = (
        cut[: cut.rindex("data:")] + 'data: {"error": {"message": "gone", "code": 502}}'
    )
    assert answer_to(with_error.replace("Yé", "").encode()) == ServerError("gone", 502)
    assert isinstance(answer_to(b"data: [DONE]\n"), RetryableFailure)


BROKEN = {"message": "gone", "code": 502}


@pytest.mark.parametrize("event", [{"error": BROKEN}, {"choices": [{"error": BROKEN}]}])
@pytest.mark.parametrize("end", ["", "\ndata: [DONE]\n"])
def test_an_error_after_the_last_piece_of_a_stream_breaks_it_off(
    event: dict[str, Any], end: str
) -> None:
    pieces = STREAM[: STREAM.index('data: {"choices": [{"delta": {"content": "s."}')]
    raw = f"{pieces}data: {json.dumps(event)}{end}"
    assert answer_to(raw.encode()) == ServerError("gone", 502)
    ended = STREAM.replace("data: [DONE]", f"data: {json.dumps(event)}{end}")
    outcome = answer_to(ended.encode())
    assert isinstance(outcome, Completion)
    assert outcome.text == "Y\u00e9s."
    assert ERROR_BESIDE in outcome.notes


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_a_number_of_any_length_is_read(digits: int) -> None:
    raw = b'{"usage": {"prompt_tokens": ' + b"9" * digits + b"}, "
    answer = answer_to(raw + json.dumps(reply()).encode()[1:])
    assert answer == kept("Yes.", COUNTS_UNKNOWN)


@pytest.mark.parametrize("empty", ["", None, {}, []])
def test_an_empty_reasoning_does_not_hide_a_full_one(empty: object) -> None:
    message = {"content": "a", "reasoning": empty, "reasoning_content": "r"}
    assert answer_to(reply(message=message)) == kept("a", reasoning="r")


# -- what is no completion -----------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "Invalid JSON"),
        (b'{"choices": [{"mess', "Invalid JSON"),
        (b"<html>502</html>", "in '<html>502</html>'"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "it is []"),
        (b"7", "it is a number"),
        (b'{"choices": []}', "choices is []"),
        (b'{"choices": null}', "choices is null"),
        (b'{"choices": [{"finish_reason": "stop"}]}', "choices is a list"),
        (json.dumps(reply("abort")).encode(), "finish_reason is 'abort'"),
        (json.dumps(reply("insufficient_system_resource")).encode(), "ended the text early"),
        (json.dumps(reply(None, {"content": ""})).encode(), "no text, and finish_reason is ''"),
    ],
)  # fmt: skip
def test_anything_less_is_asked_again(raw: bytes, words: str) -> None:
    outcome = answer_to(raw)
    assert isinstance(outcome, RetryableFailure)
    assert outcome.kind is FailureKind.BAD_BODY
    assert words in outcome.message
    assert not outcome.lost


@pytest.mark.parametrize("reason", ["content_filter", "tool_calls", "SAFETY"])
def test_a_text_withheld_altogether_is_rejected(reason: str) -> None:
    words = f"no text, and finish_reason is {reason.lower()!r}."
    assert answer_to(reply(reason, {"content": None})) == Failure(
        request_key="k", kind=FailureKind.REJECTED, message=words
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"choices": None, "error": {"message": "Busy", "code": 429}}, ServerError("Busy", 429)),
        ({"error": {"message": "no", "code": "402"}}, ServerError("no", 402)),
        ({"error": {"message": "no", "type": "invalid_api_key"}}, ServerError("no", 401)),
        ({"error": "overloaded"}, ServerError("overloaded")),
        ({"object": "error", "message": "too long", "code": 400}, ServerError("too long", 400)),
        ([{"error": {"message": "q", "status": "RESOURCE_EXHAUSTED"}}], ServerError("q", 429)),
        (reply("error", choice={"error": {"message": "gone", "code": 502}}), ServerError("gone", 502)),
        (reply("stop", {"content": ""}, error={"message": "m"}), ServerError("m")),
        *((reply(word, error=BROKEN), ServerError("gone", 502)) for word in (None, "", "other")),
        (reply(None, choice={"error": BROKEN}), ServerError("gone", 502)),
    ],
)  # fmt: skip
def test_an_error_in_place_of_a_text(body: object, error: ServerError) -> None:
    assert answer_to(body) == error


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    read = parse_reply(raw, NO_SECRET)
    assert isinstance(read, RetryableFailure)
    assert len(read.message) <= MAX_ERROR_CHARS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "a"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(
    ("content", "reasoning", "reasoning_content", "refusal"), JSON)), JSON, JSON, JSON)  # fmt: skip
def test_side_fields_of_any_form_never_raise(
    message: object, finish: object, usage: object, model: object
) -> None:
    body = reply(finish, message, usage=usage, model=model)
    outcome = answer_to(json.dumps(body).encode())
    if isinstance(outcome, Completion):
        outcome.model_dump_json().encode()


# -- the key -------------------------------------------------------------------


@pytest.mark.parametrize(
    "quoted",
    [
        KEY,
        "sk-Ab%2F1%22secret",
        "sk-Ab%2f1%22secret",
        "".join(f"%{ord(char):02x}" for char in KEY),
        r"sk-Ab\/1\"secret",
        r"sk\u002dAb\u002F1\"secret",
        "sk-Ab/1&#34;secret",
        "sk-Ab&#x2F;1&quot;secret",
    ],
)
def test_a_key_that_the_reply_quotes_is_not_kept(quoted: str) -> None:
    message = {"content": f"a {quoted} b", "reasoning": quoted}
    body = reply(message=message, model=f"m {quoted}")
    read = parse_reply(json.dumps(body).encode(), SecretFilter(KEY))
    assert isinstance(read, ChatReply)
    assert (read.text, read.reasoning, read.model) == ("a [key] b", "[key]", "m [key]")
    assert read.notes == (KEY_REPLACED,)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "x" * (MAX_ERROR_CHARS - 8) + KEY}},
        "x" * 70 + KEY,
        [KEY],
        {"choices": KEY},
        reply(KEY, {"content": ""}),
        reply(message={"content": ""}, error=KEY),
    ],
)
def test_no_part_of_the_key_is_in_a_failure(body: object) -> None:
    for raw in (json.dumps(body).encode(), json.dumps(body).encode()[:-1]):
        read = parse_reply(raw, SecretFilter(KEY))
        outcome = to_answer(read, "k") if isinstance(read, ChatReply) else read
        assert "sk-" not in str(outcome)
        assert "sk_" not in str(outcome)


@pytest.mark.parametrize("key", ["sk-sk-sk-sk-sk-sk-A", "a" * 40, "\\" * 12, "%25" * 9])
@pytest.mark.parametrize("end", ["%", "\\", "&#", "%2"])
def test_a_text_that_nearly_quotes_the_key_is_read_in_linear_time(
    key: str, end: str
) -> None:
    """In exponential time, which a second way to match a character gave, it hangs."""
    nearly = (key[:-1] + end) * 2_000
    assert key not in SecretFilter(key).redact(nearly)


def test_a_short_key_is_no_secret() -> None:
    assert SecretFilter("EMPTY").redact("EMPTY") == "EMPTY"
