"""The scripted teacher: its answers' form, its shares, and that it depends on the
request alone.
"""

import asyncio
import json
import re
from collections import Counter

import pytest
from pydantic import JsonValue, TypeAdapter, ValidationError

from cotbuild.builder.teachers.scripted import ScriptedTeacher, compose_text
from cotbuild.prompts.template import Template, builtin_templates, render_messages
from cotbuild.schemas.answers.grade import grade_completion
from cotbuild.schemas.answers.reflection import find_evaluation
from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    Message,
    Request,
    Sampling,
)
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.question import (
    Choice,
    Input,
    Question,
    QuestionKind,
    SourceRef,
)
from cotbuild.schemas.rationale import Flag
from cotbuild.schemas.teacher_config import ScriptedConfig

CHOICE = "Question: Where do washed plates go?\nOptions:\n(A) cupboard\n(B) floor\n(C) oven\n\nThink, then answer."


def chat(*turns: str) -> tuple[Message, ...]:
    """Turns written as "role: text"."""
    return tuple(
        Message.parse(
            dict(zip(("role", "content"), turn.split(": ", 1), strict=True)), "turn"
        )
        for turn in turns
    )


def ask(config: ScriptedConfig, requests: list[Request]) -> list[Answer]:
    async def all_of_them() -> list[Answer]:
        async with ScriptedTeacher(config, 4) as teacher:
            return [await teacher.ask(request) for request in requests]

    return asyncio.run(all_of_them())


def requests(count: int) -> list[Request]:
    messages = chat(f"user: {CHOICE}")
    return [
        Request(messages=messages, teacher="scripted", sampling=Sampling(), seed=i)
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("messages", "answers"),
    [
        (chat(f"user: {CHOICE}"), {"(A)", "(B)", "(C)"}),
        (chat("user: Question: Which?\n1) one thing\n2) another"), {"(1)", "(2)"}),
        (chat("user: Question: Which?\nA: one thing\nB. another"), {"(A)", "(B)"}),
        (
            chat("user: Question: Which?\n(yes) it is\n(no) it is not"),
            {"(yes)", "(no)"},
        ),
        (
            chat("system: Answer with yes or no.", "user: Question: Is ice cold?"),
            {"yes", "no"},
        ),
        (
            chat("system: N is a number.", "user: Problem: 2 + 2?"),
            {str(n) for n in range(100)},
        ),
        (
            chat("system: Be brief.", "user: Question: What season follows winter?"),
            {"what", "season", "follows", "winter"},
        ),
        (chat("user: ?"), {"this", "that"}),
    ],
)
def test_answers_in_the_form_asked_for(
    messages: tuple[Message, ...], answers: set[str]
) -> None:
    said = {compose_text(messages, digest("t", i)).text for i in range(400)}
    found = {
        match[1]
        for text in said
        if (match := re.search(r"\nThe answer is (.+)\.$", text))
    }
    assert found <= answers
    assert len(found) >= min(len(answers), 50)


def test_says_the_label_first_where_the_exemplars_do() -> None:
    messages = chat(
        "user: Q",
        "assistant: Answer: The answer is A because it is so.",
        f"user: {CHOICE}",
    )
    draft = compose_text(messages, digest("t", 0))
    assert re.match(r"Answer: The answer is [ABC] because [a-z]", draft.text)
    assert draft.text.endswith(draft.rationale[1:])


def schema(answer: dict[str, object], rationale: bool = True) -> dict[str, JsonValue]:
    """The response_format that cotbuild sends."""
    properties: dict[str, object] = {"rationale": {"type": "string"}, "answer": answer}
    properties = properties if rationale else {"answer": answer}
    form = {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }
    value = {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": form},
    }
    return TypeAdapter(dict[str, JsonValue]).validate_python(value)


@pytest.mark.parametrize("rationale", [True, False])
@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ({"type": "string", "enum": ["A", "B"]}, {"A", "B"}),
        ({"type": "number"}, set(range(100))),
        ({"type": "string", "minLength": 1}, {"do", "washed", "plates", "where"}),
    ],
)
def test_fills_a_schema_in_its_order(
    answer: dict[str, object], allowed: set[object], rationale: bool
) -> None:
    messages = chat("user: Question: Where do washed plates go?")
    one = compose_text(messages, digest("t", 0), schema(answer, rationale))
    assert list(json.loads(one.text)) == (
        ["rationale", "answer"] if rationale else ["answer"]
    )
    assert (one.rationale in one.text) is rationale
    found = {
        json.loads(
            compose_text(messages, digest("t", i), schema(answer, rationale)).text
        )["answer"]
        for i in range(400)
    }
    assert found <= allowed
    assert len(found) >= 2


def test_a_schema_reaches_it_through_the_request() -> None:
    asked = requests(1)[0].model_copy(
        update={"response_format": schema({"type": "string", "enum": ["B"]})}
    )
    [answer] = ask(ScriptedConfig(), [asked])
    assert isinstance(answer, Completion)
    assert json.loads(answer.text)["answer"] == "B"


def test_depends_on_the_request_alone() -> None:
    config = ScriptedConfig(
        no_answer_frac=0.2, length_frac=0.2, rejected_frac=0.2, unavailable_frac=0.2
    )
    one = ask(config, requests(50))
    assert one == list(reversed(ask(config, list(reversed(requests(50))))))
    assert len({answer.request_key for answer in one}) == 50


def outcome(answer: Answer) -> str:
    if isinstance(answer, Failure):
        return answer.kind.value
    if answer.finish_reason == "length":
        return "length"
    return "answer" if "The answer is" in answer.text else "no_answer"


def test_shares_are_those_of_the_dials() -> None:
    config = ScriptedConfig(
        no_answer_frac=0.1, length_frac=0.2, rejected_frac=0.05, unavailable_frac=0.15
    )
    counts = Counter(map(outcome, ask(config, requests(2000))))
    expected = {
        "no_answer": 200,
        "length": 400,
        "rejected": 100,
        "unavailable": 300,
        "answer": 1000,
    }
    assert counts.keys() == expected.keys()
    for name, number in expected.items():
        assert abs(counts[name] - number) < 90, (
            name
        )  # four standard deviations of the widest


def test_a_text_cut_for_length_has_lost_its_answer() -> None:
    for answer in ask(ScriptedConfig(length_frac=1), requests(20)):
        assert isinstance(answer, Completion)
        assert answer.finish_reason == "length"
        assert "The answer is" not in answer.text


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"the fractions add up to 1\.2, expected at most 1"
    ):
        ScriptedConfig(length_frac=0.6, rejected_frac=0.6)


def test_says_that_it_is_a_fake() -> None:
    assert ScriptedTeacher(ScriptedConfig(), 4).provenance() == {
        "kind": "scripted",
        "fake": True,
    }


TARGETS = {
    QuestionKind.PROSE: "In a cupboard.",
    QuestionKind.CHOICE: "A",
    QuestionKind.YES_NO: "yes",
    QuestionKind.NUMBER: "4",
    QuestionKind.TEXT: "attic",
}


def question(kind: QuestionKind) -> Question:
    options = (
        ("cupboard", "floor", "kitchen oven", "garden", "attic")
        if kind is QuestionKind.CHOICE
        else ()
    )
    return Question(
        id="q",
        kind=kind,
        text="Where would most people store washed plates overnight?",
        choices=tuple(
            Choice(label=label, text=text)
            for label, text in zip("ABCDE", options, strict=False)
        ),
        target=TARGETS[kind],
        other_targets=(),
        source=SourceRef(
            dataset="d", config_name=None, split="train", revision=None, row=0
        ),
    )


ANSWERED = {
    ref: template
    for ref, template in builtin_templates().items()
    if not template.gives_target
}
"""Templates whose replies hold an answer: the others begin with the target."""


@pytest.mark.parametrize("template", ANSWERED.values(), ids=ANSWERED.keys())
def test_says_what_the_extractor_reads_under_every_template(template: Template) -> None:
    names = [*template.needed_inputs, *(["attempt"] if template.follow_up else [])]
    inputs = tuple(Input(name=name, text="What is given.") for name in names)
    asked = question(template.kind).model_copy(update={"inputs": inputs})
    messages = render_messages(template, asked)
    many = [
        Request(messages=messages, teacher="scripted", sampling=Sampling(), seed=i)
        for i in range(60)
    ]
    for config, answered in (
        (ScriptedConfig(), True),
        (ScriptedConfig(no_answer_frac=1), False),
    ):
        for answer in ask(config, many):
            assert isinstance(answer, Completion)
            read = grade_completion(
                asked,
                find_evaluation(answer.text).text,
                answer_first=template.answer == "first",
                answer_head=template.answer_head,
            )
            assert (read.answer is not None) is answered, answer.text
            assert read.rationale
            assert set(read.flags) <= {Flag.NAMES_TARGET}
