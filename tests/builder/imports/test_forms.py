"""Forms of files that are recognised by their shape, and what is read from each."""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.imports import builtin_recipes, recipe_from_mapping
from cotbuild.builder.imports.forms import FORMS
from cotbuild.builder.imports.recognise import (
    describe_form,
    make_recipe,
    mapping_flags,
    recognise,
)
from cotbuild.builder.sources.files import FileRows
from cotbuild.builder.sources.paths import find_value
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.import_recipe import FORM_NAMES, ImportRecipe
from cotbuild.schemas.rationale import Rationale, Verdict
from tests.builder.imports.conftest import Bring, Write

ASK = "How many legs has a cat?"
SAY = "It walks on them. The answer is 4."


def chat(*turns: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    messages = [{"role": role, "content": content} for role, content in turns]
    messages[-1] |= fields
    return {"messages": messages, "answer": 4}


def batch(body: dict[str, Any] | None, error: Any = None) -> dict[str, Any]:
    response = None if body is None else {"status_code": 200, "body": body}
    return {"custom_id": "q1", "response": response, "error": error}


def reply(text: Any, reason: str = "stop", **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **fields}
    return {"message": message, "finish_reason": reason}


LM_EVAL = {
    "doc_id": 0,
    "doc": {"question": ASK},
    "target": "4",
    "resps": [[SAY]],
    "filtered_resps": ["4"],
}

EMBEDDED: list[tuple[str, dict[str, Any]]] = [
    ("chat", chat(("system", "Be brief."), ("user", ASK), ("assistant", SAY))),
    (
        "chat",
        {
            "prompt": [{"role": "user", "content": ASK}],
            "completion": [{"role": "assistant", "content": SAY}],
            "answer": "4",
        },
    ),
    (
        "chat",
        chat(
            ("user", [{"type": "text", "text": ASK}]),
            ("assistant", None),
            ("tool", "4"),
            ("assistant", [{"type": "text", "text": SAY}]),
        ),
    ),
    (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": ASK},
                {"from": "gpt", "value": SAY},
            ],
            "target": 4,
        },
    ),
    ("alpaca", {"instruction": ASK, "input": "", "output": SAY, "answer": 4}),
    ("lm_eval", LM_EVAL),
    ("lm_eval", LM_EVAL | {"doc": {"q": 1}, "arguments": [[ASK, {"until": []}]]}),
    (
        "lm_eval",
        LM_EVAL | {"doc": {}, "arguments": {"gen_args_0": {"arg_0": ASK, "arg_1": {}}}},
    ),
    (
        "inspect",
        {
            "id": 1,
            "input": [{"role": "user", "content": ASK}],
            "messages": chat(("user", ASK), ("assistant", "4"))["messages"],
            "target": "4",
            "output": {"choices": [{"message": {"content": SAY}}]},
        },
    ),
    (
        "openai_evals",
        {"type": "sampling", "data": {"prompt": ASK, "sampled": [SAY]}, "answer": 4},
    ),
    ("vllm_outputs", {"prompt": ASK, "outputs": [{"text": SAY}], "answer": 4}),
    (
        "opencompass",
        {
            "origin_prompt": [{"role": "HUMAN", "prompt": ASK}],
            "prediction": SAY,
            "gold": "4",
        },
    ),
    ("math_eval", {"idx": 0, "question": ASK, "gt": "4", "code": [SAY], "pred": ["4"]}),
    ("rows", {"Question": ASK, "Response": SAY, "Answer": 4}),
    ("rows", {"question": ASK, "generated_text": SAY, "ground_truth": 4}),
    ("rows", {"problem": ASK, "generations": [SAY], "answer": "4"}),
    ("rows", {"prompt": ASK, "completion": SAY, "target": 4}),
    ("rows", {"input": ASK, "output": SAY, "target": 4}),
    ("rows", {"id": "a", "question": ASK, "text": SAY, "answer": 4}),
]


def read_form(
    path: Path, name: str | None = None, **given: str
) -> tuple[str, ImportRecipe]:
    found = recognise(FileRows(path), name, given)
    return found.form.name, make_recipe(found, has_source=False)


def recipe_from_flags(flags: list[str]) -> ImportRecipe:
    """The recipe that the command line makes of options of form."""
    options: dict[str, list[str]] = {}
    for name, value in zip(flags[::2], flags[1::2], strict=True):
        options.setdefault(name, []).append(value)
    return recipe_from_mapping(
        dict(pair.split("=", 1) for pair in options["--map"]),
        where=dict(pair.split("=", 1) for pair in options.get("--where", [])),
        once=[name for text in options.get("--once", []) for name in text.split(",")],
        has_source=False,
    )


def bring_form(bring: Bring, path: Path, **settings: Any) -> list[Rationale]:
    _, recipe = read_form(path)
    return list(bring(path, None, recipe, **settings).rows())


@pytest.mark.parametrize(("form", "row"), EMBEDDED)
def test_a_row_with_its_question(
    write: Write, bring: Bring, form: str, row: dict[str, Any]
) -> None:
    path = write("r.jsonl", [row])
    name, recipe = read_form(path)
    assert name == form
    (found,) = bring(path, None, recipe).rows()
    assert (found.question, found.completion) == (ASK, SAY)
    if form != "openai_evals":  # whose targets are in other rows
        assert (found.answer, found.verdict) == ("4", Verdict.CORRECT)


@pytest.mark.parametrize(("form", "row"), EMBEDDED)
def test_the_printed_mapping_does_the_same(
    write: Write, bring: Bring, form: str, row: dict[str, Any]
) -> None:
    path = write("r.jsonl", [row])
    _, recipe = read_form(path, form)
    by_hand = recipe_from_flags(mapping_flags(recipe))
    rows = [
        row.model_copy(update={"template": ""})
        for made in (recipe, by_hand)
        for row in bring(path, None, made).rows()
    ]
    assert rows[0] == rows[1]


BATCHES: list[tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = [
    (
        "openai_batch",
        batch({"choices": [reply(SAY, reasoning_content="Hm."), reply("4", "length")]}),
        [(SAY, "Hm.", "stop"), ("4", None, "length")],
    ),
    ("openai_batch", batch({"choices": [{"text": SAY}]}), [(SAY, None, None)]),
    (
        "openai_batch",
        batch({"choices": [reply(None, refusal="I will not.")]}),
        [("I will not.", None, "stop")],
    ),
    (
        "openai_batch",
        batch(
            {
                "output": [
                    {"type": "reasoning", "summary": []},
                    {
                        "type": "message",
                        "content": [{"type": "output_text", "text": SAY}],
                    },
                ],
                "incomplete_details": {"reason": "max_output_tokens"},
            }
        ),
        [(SAY, None, "length")],
    ),
    (
        "anthropic_batch",
        {
            "custom_id": "q1",
            "result": {
                "type": "succeeded",
                "message": {
                    "content": [
                        {"type": "thinking", "thinking": "Hm."},
                        {"type": "text", "text": SAY},
                    ],
                    "stop_reason": "end_turn",
                },
            },
        },
        [(SAY, "Hm.", "stop")],
    ),
]


@pytest.mark.parametrize(("form", "row", "expected"), BATCHES)
def test_a_batch_is_joined_with_a_source_by_id(
    write: Write,
    bring: Bring,
    asked: Path,
    form: str,
    row: dict[str, Any],
    expected: list[tuple[Any, ...]],
) -> None:
    path = write("r.jsonl", [row])
    found = recognise(FileRows(path), None, {})
    assert found.form.name == form
    recipe = make_recipe(found, has_source=True)
    rows = list(bring(path, asked, recipe).rows())
    assert [
        (row.completion, row.reasoning, row.finish_reason) for row in rows
    ] == expected
    with pytest.raises(ConfigError, match="texts without their questions"):
        make_recipe(found, has_source=False)


@pytest.mark.parametrize(
    "body",
    [
        {
            "messages": [
                {"role": "system", "content": ""},
                {"role": "user", "content": ASK},
            ]
        },
        {"input": ASK},
        {"input": [{"role": "user", "content": ASK}]},
        {"prompt": ASK},
    ],
)
def test_the_requests_of_a_batch_are_a_source(
    write: Write, bring: Bring, body: dict[str, Any]
) -> None:
    requests = [
        {"custom_id": name, "method": "POST", "url": "/v1", "body": body}
        for name in ("q0", "q1")
    ]
    source = write("requests.jsonl", requests)
    path = write("r.jsonl", [batch({"choices": [reply(SAY)]})])
    recipe = make_recipe(recognise(FileRows(path), None, {}), has_source=True)
    (row,) = bring(path, source, recipe).rows()
    assert (row.question_id, row.question, row.target) == ("q1", ASK, None)


def test_questions_in_a_table_without_a_header_are_a_source(
    write: Write, bring: Bring, tmp_path: Path
) -> None:
    source = tmp_path / "questions.dat"
    source.write_text("q1,What is 2+2?,4\nq2,What is 3+3?,6\n")
    path = write("r.jsonl", [{"qid": "q2", "text": SAY}])
    columns = {"text": "text", "id": "qid"}
    found = bring(path, source, columns, header=("id", "question", "target"))
    assert [row.question for row in found.rows()] == ["What is 3+3?"]


@pytest.mark.parametrize(
    ("more", "question"),
    [("the cat", f"{ASK}\nthe cat"), ("", ASK), (None, ASK)],
)
def test_an_alpaca_question_has_its_input(
    write: Write, bring: Bring, more: str | None, question: str
) -> None:
    rows = [
        {"instruction": ASK, "input": more, "output": SAY},
        {"instruction": "Go.", "input": "x", "output": SAY},
    ]
    first, _ = bring_form(bring, write("r.jsonl", rows))
    assert first.question == question


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (batch(None, {"code": "expired", "message": "too late"}), "too late"),
        (batch({"error": {"message": "too long"}}), "too long"),
        (batch({"choices": [reply("So", "content_filter")]}), "content_filter"),
    ],
)
@pytest.mark.parametrize("num_failed", [1, 120])
def test_a_failed_request_is_counted_and_never_graded(
    write: Write,
    bring: Bring,
    asked: Path,
    row: dict[str, Any],
    words: str,
    num_failed: int,
) -> None:
    good = batch({"choices": [reply(SAY)]}) | {"custom_id": "q2"}
    path = write("r.jsonl", [row] * num_failed + [good])
    recipe = make_recipe(recognise(FileRows(path), None, {}), has_source=True)
    found = bring(path, asked, recipe)
    assert [row.question_id for row in found.rows()] == ["q2"]
    assert found.entry.dropped == {"failed": num_failed}
    assert words in found.unmatched[0].what


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            chat(("user", ASK), ("assistant", SAY), ("user", "Sure?")),
            r"no text: 'messages.-1' is .*, not with role=assistant",
        ),
        (chat(("assistant", SAY)), "question is None"),
        (chat(("system", "Hi."), ("assistant", SAY)), "question is None"),
        ({"messages": [], "answer": 4}, "question is None"),
        ({"messages": None, "answer": 4}, "question is None"),
        ({"question": ASK, "response": SAY}, "question is None"),
        (
            chat(
                ("user", [{"type": "text", "text": ASK}, {"type": "image_url"}]),
                ("assistant", SAY),
            ),
            "part of type 'image_url'",
        ),
        (
            chat(("user", ASK), ("assistant", None), tool_calls=[{"id": 1}]),
            "text is None",
        ),
    ],
)
def test_a_row_of_another_shape_stops_or_is_counted(
    write: Write, bring: Bring, row: dict[str, Any], words: str
) -> None:
    good = [chat(("user", f"{ASK} {i}"), ("assistant", SAY)) for i in range(3)]
    path = write("r.jsonl", [*good, row])
    with pytest.raises(DataError, match=rf"row 3 \(from 0\): .*{words}"):
        bring_form(bring, path)
    assert len(bring_form(bring, path, on_bad_row="drop")) == 3


def test_options_in_columns_of_their_own(write: Write, bring: Bring) -> None:
    options = {"A": "two", "B": "three", "C": "four", "D": ""}
    row = {"question": ASK, **options, "answer": "C", "response": "The answer is (C)."}
    path = write("r.jsonl", [row])
    _, recipe = read_form(path)
    assert recipe.columns["choices"] == "A,B,C,D"
    (found,) = bring(path, None, recipe).rows()
    assert [choice.text for choice in found.choices] == ["two", "three", "four"]
    assert found.verdict is Verdict.CORRECT


def test_a_bad_target_is_named_by_its_row(write: Write, bring: Bring) -> None:
    ask = {"question": ASK, "response": SAY, "answer": 4}
    rows = [ask, ask, ask | {"question": "Which?", "answer": None}]
    path = write("r.jsonl", rows)
    with pytest.raises(DataError, match=r"^r.jsonl row 2 \(from 0\): target is None"):
        bring_form(bring, path)
    _, recipe = read_form(path)
    found = bring(path, None, recipe, on_bad_row="drop")
    assert (found.num_rows, found.entry.dropped) == (2, {"bad_question": 1})
    assert found.unmatched[0].what.startswith("'no_target: target is None")


def test_a_reply_that_is_all_reasoning_is_an_empty_text(
    write: Write, bring: Bring
) -> None:
    row = chat(("user", ASK), ("assistant", None), reasoning_content="Hm.")
    (found,) = bring_form(bring, write("r.jsonl", [row, row][:1]))
    assert (found.completion, found.rationale) == ("", "Hm.")
    assert found.verdict is Verdict.NO_ANSWER


@pytest.mark.parametrize("fields", [{}, {"doc_hash": "a"}])
def test_a_sample_of_lm_eval_is_read_once(
    write: Write, bring: Bring, fields: dict[str, str]
) -> None:
    filters = ("strict-match", "flexible-extract")
    rows = [LM_EVAL | fields | {"filter": name} for name in filters]
    path = write("r.jsonl", [*rows, LM_EVAL | fields | {"doc_id": 1}])
    _, recipe = read_form(path)
    found = bring(path, None, recipe)
    assert (found.num_rows, found.entry.dropped) == (2, {"repeated": 1})
    assert found.entry.once == ("doc_id", *fields)
    assert found.unmatched == []
    assert found.entry.columns["question"] == "doc.question"


def test_a_target_written_as_a_list_is_the_list(write: Write, bring: Bring) -> None:
    row = LM_EVAL | {"target": "['five', 'four']", "resps": [["The answer is four."]]}
    (found,) = bring_form(bring, write("r.jsonl", [row]))
    assert (found.target, found.other_targets) == ("five", ("four",))
    assert found.verdict is Verdict.CORRECT


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": 1}, r"columns \['a'\] have none of the forms chat, sharegpt"),
        (
            {"question": ASK, "response": SAY, "output": "4"},
            "Pass --map text=response or --map text=output",
        ),
        (
            chat(("user", ASK), ("assistant", SAY)) | {"problem": ASK, "output": SAY},
            "fit the forms chat and rows. Pass --format chat or --format rows",
        ),
        (LM_EVAL | {"resps": [[["-1.5", "False"]], [["-0.5", "True"]]]}, "none of"),
    ],
)
def test_what_is_not_plain_stops(
    write: Write, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_form(write("r.jsonl", [row]))


def test_a_named_form_and_a_given_column_decide(write: Write) -> None:
    row = chat(("user", ASK), ("assistant", SAY)) | {"problem": ASK, "output": SAY}
    path = write("r.jsonl", [row])
    assert read_form(path, "rows")[1].columns["text"] == "output"
    _, recipe = read_form(path, "chat", question="problem", target="")
    assert recipe.columns["question"] == "problem"
    assert "target" not in recipe.columns
    with pytest.raises(ConfigError, match="do not have the form 'alpaca'"):
        read_form(path, "alpaca")


@pytest.mark.parametrize(
    ("given", "join"),
    [({}, "question"), ({"id": "key"}, "id"), ({"id": ""}, "question")],
)
def test_a_column_of_ids_that_is_named_joins_by_id(
    write: Write, given: dict[str, str], join: str
) -> None:
    row = {"key": "q1", "question": ASK, "response": SAY}
    found = recognise(FileRows(write("r.jsonl", [row])), None, given)
    assert make_recipe(found, has_source=True).join == join


def test_what_is_left_out_is_said(write: Write) -> None:
    row = chat(("user", "Hi."), ("assistant", "Hi."), ("user", ASK), ("assistant", SAY))
    path = write("r.jsonl", [row | {"answer": None, "tag": "x"}])
    found = recognise(FileRows(path), None, {})
    recipe = make_recipe(found, has_source=False)
    form, earlier, target = describe_form(found, recipe, "r.jsonl")
    assert form.startswith(
        "r.jsonl: read as chat (chat messages with role and content)"
    )
    assert "1 of the first 1 rows have earlier ones" in earlier
    assert "--map target=COL names one of ['tag']" in target


def test_every_form_has_a_name_and_a_test() -> None:
    assert tuple(form.name for form in FORMS) == FORM_NAMES
    tested = {name for name, _ in EMBEDDED} | {name for name, _, _ in BATCHES}
    assert tested == set(FORM_NAMES)
    assert not tested & {recipe.name for recipe in builtin_recipes().values()}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b", "by name"),
        ("m.0.c", 1),
        ("m[-1].c", 2),
        ("m.*.c", [1, 2]),
        ("m[r=x].-1.c", 1),
        ("m[r=x|y].-1.c", 2),
        ("m.-1[r=x].c", None),
        ("m.-1[r=y].c", 2),
        ("m.5.c", None),
        ("m.c", None),
        ("n.*.c", None),
    ],
)
def test_a_path(path: str, value: Any) -> None:
    row = {"a.b": "by name", "m": [{"r": "x", "c": 1}, {"r": "y", "c": 2}], "n": "t"}
    assert find_value(row, path) == value
