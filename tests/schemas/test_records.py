"""Records: frozen, closed, and with one clear line for each fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cotbuild.schemas.budget import Account, Budget, Prices
from cotbuild.schemas.completion import (
    MAX_SEED,
    BodyEdits,
    Completion,
    Failure,
    ImagePart,
    Message,
    Request,
    Sampling,
    TextPart,
)
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.event import (
    AccountEvent,
    FinishedEvent,
    PhaseEvent,
    ProgressEvent,
    RunProgress,
    SayEvent,
    StartedEvent,
    StatusEvent,
)
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import (
    ImageRef,
    Input,
    Question,
    Tag,
)
from cotbuild.schemas.rationale import Rationale, question_fields
from cotbuild.schemas.record import FORMAT_VERSION, Record, check_format

RECORDS = [
    Question,
    Request,
    Completion,
    Failure,
    Rationale,
    Manifest,
    BuildConfig,
    Sampling,
    Prices,
    Budget,
    Account,
    StartedEvent,
    PhaseEvent,
    SayEvent,
    StatusEvent,
    ProgressEvent,
    AccountEvent,
    FinishedEvent,
    RunProgress,
]


def question(**changes: object) -> Question:
    source = {
        "dataset": "d",
        "config_name": None,
        "split": "train",
        "revision": None,
        "row": 0,
    }
    value = {
        "id": "q1",
        "kind": "choice",
        "text": "Which?",
        "choices": [{"label": "A", "text": "this"}, {"label": "B", "text": "that"}],
        "target": "B",
        "other_targets": [],
        "source": source,
    }
    return Question.parse({**value, **changes}, "test")


@pytest.mark.parametrize("model", RECORDS)
def test_every_field_of_every_record_is_described(model: type[Record]) -> None:
    assert [
        name for name, field in model.model_fields.items() if not field.description
    ] == []


@pytest.mark.parametrize("model", RECORDS)
def test_where_a_field_may_be_none_its_description_says_what_that_means(
    model: type[Record],
) -> None:
    optional = [
        n
        for n, f in model.model_fields.items()
        if "None" in str(f.annotation) and "NoneType" not in n
    ]
    assert [
        n for n in optional if "None" not in (model.model_fields[n].description or "")
    ] == []


def test_records_are_frozen_and_closed() -> None:
    record = question()
    with pytest.raises(ValidationError):
        record.id = "other"  # type: ignore[misc]
    with pytest.raises(
        DataError, match=r"test: there is no field 'extra'\. The fields are id, "
    ):
        question(extra=1)


def test_an_unknown_name_with_a_line_break_is_quoted() -> None:
    with pytest.raises(DataError) as caught:
        question(**{"a\nb\x1b": 1})
    assert str(caught.value).startswith("test: there is no field 'a\\nb\\x1b'.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "E"}, r"has target 'E', not one of its choices \['A', 'B'\]"),
        (
            {"choices": [{"label": "A", "text": "this"}]},
            "has 1 choices, expected at least 2",
        ),
        (
            {"choices": [{"label": "A", "text": "x"}, {"label": "A", "text": "y"}]},
            "expected different labels",
        ),
        ({"kind": "text"}, "is of kind text and has choices"),
        (
            {"kind": "yes_no", "choices": [], "target": "maybe"},
            "has target 'maybe', expected 'yes' or 'no'",
        ),
        ({"kind": "number", "choices": [], "target": " "}, "has the empty target"),
        (
            {"kind": "number", "choices": [], "target": "3", "other_targets": ["4"]},
            "expected one target",
        ),
        ({"text": "  "}, "text is '  '"),
        ({"id": ""}, "id is ''"),
        ({"kind": "essay"}, "kind is 'essay'"),
    ],
)
def test_a_question_that_cannot_be_is_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        question(**changes)


def request(**changes: object) -> Request:
    value = {
        "messages": (Message(role="user", content="Why?"),),
        "teacher": "t",
        "sampling": Sampling(),
        "seed": 7,
    }
    return Request(**{**value, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": (Message(role="user", content="Why? "),)},
        {"messages": (Message(role="system", content="Why?"),)},
        {"messages": (Message(role="user", content="Why?"), Message(role="assistant", content=""))},
        {"teacher": "u"},
        {"seed": 8},
        {"seed": None},
        *({"sampling": Sampling.model_validate({name: value})} for name, value in [
            ("temperature", 0.5), ("top_p", 0.5), ("top_k", 5), ("min_p", 0.5), ("presence_penalty", 0.5),
            ("frequency_penalty", 0.5), ("repetition_penalty", 1.5), ("max_tokens", 5), ("stop", ("x",)),
        ]),
        {"response_format": {"type": "json_object"}},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"edits": BodyEdits(omitted=("top_k",))},
        {"edits": BodyEdits(renamed={"max_tokens": "max_completion_tokens"})},
        {"edits": BodyEdits(added={"reasoning_effort": "low"})},
    ],
)  # fmt: skip
def test_every_field_of_a_request_is_in_its_key(changes: dict[str, object]) -> None:
    assert request(**changes).request_key != request().request_key


def test_the_request_key_is_what_it_always_was() -> None:
    """A golden key: if this changes, every store in the world is asked again."""
    assert (
        request().request_key
        == "b072adf5c57a71106faf6c85b3bf7c238a16a68e17420028d6f98f05a94a2b54"
    )


IMAGE = ImageRef(sha256="ab" * 32, media_type="image/png", width=4, height=3)
PARTS = st.lists(
    st.builds(TextPart, text=st.text(min_size=1)) | st.just(ImagePart(image=IMAGE)),
    max_size=3,
).map(tuple)


def plain_message(message: Message) -> list[object]:
    """Return a message as a key has it: a picture by its digest alone."""
    if isinstance(message.content, str):
        return [message.role, message.content]
    parts = [
        {"text": part.text}
        if isinstance(part, TextPart)
        else {"image": part.image.sha256}
        for part in message.content
    ]
    return [message.role, parts]


@given(st.builds(
    Request,
    messages=st.lists(st.builds(Message, role=st.just("user"), content=st.text() | PARTS), min_size=1).map(tuple),
    teacher=st.text(min_size=1),
    sampling=st.builds(Sampling, temperature=st.floats(0, 2), max_tokens=st.integers(1), stop=st.tuples(st.text())),
    seed=st.none() | st.integers(0, MAX_SEED),
    response_format=st.none() | st.dictionaries(st.text(), st.text() | st.integers()),
    chat_template_kwargs=st.none() | st.dictionaries(st.text(), st.booleans()),
    edits=st.none() | st.builds(
        BodyEdits,
        omitted=st.lists(st.text()).map(tuple),
        renamed=st.dictionaries(st.text(), st.text()),
        added=st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
    ),
    continue_final_message=st.booleans(),
))  # fmt: skip
def test_the_key_is_the_digest_of_the_plain_value(request: Request) -> None:
    value = request.model_dump(mode="json")
    value["messages"] = [plain_message(message) for message in request.messages]
    assert request.request_key == digest("request/1", value)


def test_a_request_without_parts_and_continuation_has_no_trace_of_them() -> None:
    value = request().model_dump(mode="json")
    assert "continue_final_message" not in value
    assert all(isinstance(one["content"], str) for one in value["messages"])


def test_a_key_depends_on_the_pixels_of_a_picture_not_on_what_is_known_of_them() -> (
    None
):
    def key_of(image: ImageRef) -> str:
        turn = Message(role="user", content=(ImagePart(image=image),))
        return request().model_copy(update={"messages": (turn,)}).request_key

    assert key_of(IMAGE) == key_of(IMAGE.model_copy(update={"width": 5}))
    assert key_of(IMAGE) != key_of(IMAGE.model_copy(update={"sha256": "cd" * 32}))


def test_empty_edits_are_no_edits() -> None:
    plain = request()
    assert request(edits=BodyEdits()) == plain
    assert request(edits=BodyEdits()).request_key == plain.request_key
    assert "edits" not in plain.model_dump()


EDITS = st.builds(
    BodyEdits,
    omitted=st.sets(st.sampled_from(["top_k", "stop"])).map(lambda s: tuple(sorted(s))),
    renamed=st.dictionaries(st.sampled_from(["top_k", "stop"]), st.sampled_from("ab")),
    added=st.dictionaries(st.sampled_from("cd"), st.sampled_from([0, 1, "1", None])),
)


@given(EDITS, EDITS)
def test_different_edits_have_different_keys(one: BodyEdits, other: BodyEdits) -> None:
    keys = {request(edits=edits).request_key for edits in (one, other)}
    assert len(keys) == (1 if one == other else 2)


def test_a_changed_copy_has_a_key_of_its_own_whatever_was_computed_before() -> None:
    """A text asked for once more with more tokens had the key of the first one, and its
    answer was never found.
    """
    sampling = Sampling(max_tokens=8)
    asked = request(sampling=sampling.model_dump())
    assert asked.request_key
    assert asked.sampling.canonical
    longer = asked.model_copy(
        update={"sampling": asked.sampling.model_copy(update={"max_tokens": 9})}
    )
    assert (
        longer.request_key
        == request(sampling=longer.sampling.model_dump()).request_key
        != asked.request_key
    )


def test_equal_requests_have_equal_keys_whatever_was_computed_before() -> None:
    one, other = request(), request()
    assert one.request_key == other.request_key
    assert one == other


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (FORMAT_VERSION + 1, "written by a newer cotbuild"),
        (0, "Expected a whole number"),
        ("1", "Expected a whole"),
    ],
)
def test_other_format_versions_are_refused(version: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_format(version, "file")


def test_more_than_one_sample_at_temperature_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="samples is 2 at temperature 0"):
        BuildConfig.parse(
            {"samples": 2, "sampling": {"temperature": 0}}, "build.yaml", ConfigError
        )


def test_a_row_gives_back_its_question() -> None:
    asked = question()
    row = Rationale.model_construct(**question_fields(asked), sample_index=0)
    assert row.question_record() == asked


# -- inputs ----------------------------------------------------------------------------


def with_inputs(*inputs: Input, tags: tuple[Tag, ...] = ()) -> Question:
    question = Question.create("What is it?", target="a leaf", inputs=inputs)
    return question.model_copy(update={"tags": tags})


def test_the_full_text_tells_apart_questions_with_other_inputs() -> None:
    hint = Input(name="hint", text="It is green.")
    picture = Input(name="image", image=IMAGE)
    assert with_inputs().full_text == "What is it?"
    full = with_inputs(hint, picture).full_text
    assert full == f"What is it?\nhint: It is green.\nimage: {IMAGE.sha256}"


def test_a_question_without_inputs_has_the_digest_values_of_before_there_were_any() -> (
    None
):
    plain = with_inputs().digest_values()
    assert not {"inputs", "tags"} & plain.keys()
    tagged = with_inputs(tags=(Tag(name="subject", value="botany"),))
    assert tagged.digest_values()["tags"] == [{"name": "subject", "value": "botany"}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "hint"}, "either a text or a picture"),
        (
            {"name": "hint", "text": "a", "image": IMAGE.model_dump()},
            "either a text or a picture",
        ),
        ({"name": "target", "text": "a"}, "'target' is not a name for an input"),
        ({"name": "Hint", "text": "a"}, "name is 'Hint'"),
        ({"name": "hint", "text": " "}, "text is ' '"),
    ],
)
def test_an_input_is_a_named_text_or_picture(
    value: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Input.parse(value, "input")


def test_inputs_have_different_names() -> None:
    hint = Input(name="hint", text="a")
    with pytest.raises(ValidationError, match="expected different names"):
        with_inputs(hint, hint)


def test_the_row_of_a_question_gives_it_back_with_inputs_and_tags() -> None:
    question = with_inputs(
        Input(name="hint", text="a"),
        Input(name="image", image=IMAGE),
        tags=(Tag(name="subject", value="b"),),
    )
    assert question_fields(question)["inputs"] == question.inputs
    assert question_fields(question)["tags"] == question.tags
