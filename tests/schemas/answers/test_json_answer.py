"""Answers in JSON objects, also where none was asked for, and as models write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.answers.grade import GradedCompletion, grade_completion
from cotbuild.schemas.answers.json_objects import (
    JsonList,
    JsonObject,
    JsonText,
    JsonValue,
    find_objects,
)
from cotbuild.schemas.rationale import Flag
from tests.support.weathering import question

C, N, Y, T = "choice", "number", "yes_no", "text"


def graded(kind: str, text: str) -> GradedCompletion:
    found = grade_completion(question(kind), text)
    if found.answer is None:
        assert (found.answer_start, found.answer_end) == (None, None)
    return found


# Kind, text, answer, what its span holds.
READ = [
    # names of fields
    (C, '{"rationale": "So.", "answer": "B"}', "B", "B"),
    (C, '{"Reasoning": "So.", "Answer": "B"}', "B", "B"),
    (N, '{"explanation": "So.", "final_answer": "42"}', "42", "42"),
    (N, '{"thought": "So.", "finalAnswer": 42}', "42", "42"),
    (N, '{"Chain of Thought": "So.", "Final Answer": 42.0}', "42.0", "42.0"),
    (N, '{"steps": ["So."], "answer": "$1,234"}', "1234", "$1,234"),
    (N, '{"steps": [{"explanation": "So."}], "final_answer": "42 eggs"}', "42", "42 eggs"),
    (T, '{"reasoning": "So.", "answer_text": "Both of them", "answer_index": 3}', "Both of them", "Both of them"),
    (C, '{"reasoning": "So.", "prediction": "granite"}', "B", "granite"),
    (C, '{"choice": "B", "reasoning": "So.", "confidence": 0.9}', "B", "B"),
    (C, '{"response": {"reasoning": "So.", "answer": "(B)"}}', "B", "(B)"),
    (C, '{"name": "answer", "arguments": {"reasoning": "So.", "answer": "B"}}', "B", "B"),
    (C, '{"response": "{\\"reasoning\\": \\"So.\\", \\"answer\\": \\"B\\"}"}', "B",
     '{\\"reasoning\\": \\"So.\\", \\"answer\\": \\"B\\"}'),
    (C, '{"q1": {"reasoning": "So.", "answer": "B"}}', "B", "B"),
    (C, '{"answer": "B", "answer_explanation": "So."}', "B", "B"),
    (C, '{"step_1": "So.", "final_answer_letter": "B"}', "B", "B"),
    (C, '{"理由": "So.", "答案": "B"}', "B", "B"),
    (N, '{"Begründung": "So.", "Endgültige Antwort": 42}', "42", "42"),
    (N, '{"razonamiento": "So.", "respuesta_final": "42"}', "42", "42"),
    # values
    (C, '{"cot": "So.", "answer": ["B"]}', "B", "B"),
    (C, '{"cot": "So.", "answer": "B. granite"}', "B", "B. granite"),
    (C, '{"cot": "So.", "answer": {"label": "B", "text": "granite"}}', "B", "B"),
    (C, '{"cot": "So.", "answer": "The answer is (B)."}', "B", "B"),
    (C, '{"cot": "So.", "answer": "So \\"the\\" answer is (B)."}', "B", 'So \\"the\\" answer is (B).'),
    (Y, '{"cot": "So.", "answer": true}', "yes", "true"),
    (Y, '{"cot": "So.", "answer": "No"}', "no", "No"),
    (T, '{"cot": "So.", "answer": " Paris "}', "Paris", "Paris"),
    (T, '{"cot": "So.", "answer": ["Paris", "Rome"]}', "Paris, Rome", '["Paris", "Rome"]'),
    (Y, '{"cot": "So.", "answer": "no, too deep"}', "no", "no"),
    (N, '{"cot": "So.", "answer": "She pays $31,800 a year."}', "31800", "She pays $31,800 a year."),
    (N, '{"cot": "So.", "answer": 5,000}', "5000", "5,000"),
    (N, '{"cot": "So.", "answer": "\\frac{1}{2}"}', "1/2", "\\frac{1}{2}"),
    # forms
    (C, "{'reasoning': \"So.\", 'answer': 'B', }", "B", "B"),
    (C, '{"reasoning": "So.",\n "answer": "B" // sure\n}', "B", "B"),
    (C, "{“reasoning”: “So.”, “answer”: “B”}", "B", "B"),
    # places
    (C, '```json\n{"reasoning": "So.", "answer": "B"}\n```', "B", "B"),
    (C, '```json {"reasoning": "So.", "answer": "B"}```\nHope that helps!', "B", "B"),
    (C, 'So.\n\nHere is the JSON:\n\njson\n{"answer": "B"}', "B", "B"),
    (C, 'So.\n<answer>{"answer": "B"}</answer>', "B", "B"),
    (C, 'So.\n<tool_call>\n{"name": "submit", "arguments": {"answer": "B"}}\n</tool_call>', "B", "B"),
    (C, '<think>{"answer": "A"}</think>\n\n{"why": 1, "cot": "So.", "answer": "B"}', "B", "B"),
    (C, '{"cot": "So.", "answer": "B"}\n{"question": "What now?", "answer": "A"}', "B", "B"),
    (C, '{"cot": "So.", "answer": "B"}<|im_end|>\n{"answer": "A"}', "B", "B"),
    (T, '{"cot": "So.", "answer": "\'ha\'"}\nThe answer is the literal string.', "'ha'", "'ha'"),
    # no JSON as a whole
    (N, '```json\n{\n"reasoning": "So."\n\n"answer": "42"\n}\n```', "42", "42"),
    (N, '{"reasoning": "So.,\n\n"answer": "42"\n}', "42", "42"),
    (N, '{"reasoning": So.\n "answer": 42}', "42", "42"),
    (N, '```json\n{"reasoning": "So.\n```\n"answer": "42"\n```', "42", "42"),
    (C, '{"answer": "B" "reasoning": "So."}', "B", "B"),
    # cut short behind the answer
    (C, '{"answer_index": 1, "answer_text": "granite", "reasoning": "So.', "B", "granite"),
    (N, '```json\n{"answer": 42, "reasoning": "So.', "42", "42"),
    # several objects
    (C, '{"answer": "A"}\n\nWait.\n\n{"cot": "So.", "answer": "B"}', "B", "B"),
    (C, '{"cot": "So.", "final_answer": "B", "answer": "A"}', "B", "B"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "answer", "span"), READ)
def test_the_answer_of_an_object_is_read_with_its_place(
    kind: str, text: str, answer: str, span: str
) -> None:
    found = graded(kind, text)
    assert (found.answer, found.answer_rule) == (answer, "json_field")
    assert text[found.answer_start : found.answer_end] == span
    assert found.rationale.removeprefix("Wait.\n\n") == "So."


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (N, '{"answer": "12 or 13"}'),
        (N, '{"answer": "4x + 1"}'),
        (N, '{"answer": "-4n"}'),
        (N, '{"answer": "9.9 = 9.11"}'),
        (N, '{"answer": "2\\\\sqrt{3}"}'),
        (N, '{"answer": true}'),
        (C, '{"answer": ["A", "B"]}'),
        (C, '{"answer": null}'),
        (C, '{"answer": 2}'),
        (C, '{"answer": "A or B"}'),
        (C, '{"answer": "F"}'),
        (C, "The answer is A.\n" + '{"answer": "F"}'),
        (C, '{"answer": {"label": "B", "text": "moss"}}'),
        (C, '[{"answer": "A"}, {"answer": "B"}]'),
        (C, '{"answer": "A"}\n{"answer": "B"}'),
        (Y, '{"answer": "It depends on the season."}'),
        (N, '{"answer": {"plates": 12, "cups": 13}}'),
        (T, '{"answer": "unknown"}'),
        (T, '{"answer": "___"}'),
        (T, '{"answer": ""}'),
    ],
)
def test_an_answer_field_that_names_no_single_answer(kind: str, text: str) -> None:
    found = graded(kind, text)
    assert (found.answer, found.answer_rule) == (None, "json_field")


@pytest.mark.parametrize(
    ("text", "answer", "rule"),
    [
        ('{"label": "B", "value": 3, "name": "x"}', None, None),
        ('{"A": 0.1, "B": 0.9}', None, None),
        ('{"tool": "search", "result": "granite"}', None, None),
        ('Write {"answer": "A"} in your code. I do not know.', None, None),
        ('{"answer": "A"}\nThe answer is B.', "B", "answer_is"),
        ('```python\nx = {"a": 1}\n```\nThe answer is B.', "B", "answer_is"),
        ('{"reasoning": "It is', None, None),
        ('{"answer": "B", "confidence": 0.', None, None),
        ('Write {"answer": "A", "reasoning": "It', None, None),
    ],
)
def test_other_objects_state_nothing(
    text: str, answer: str | None, rule: str | None
) -> None:
    found = graded(C, text)
    assert (found.answer, found.answer_rule) == (answer, rule)


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "A"}\n\nWait, no.\n\n{"answer": "B"}',
        '{"answer": "A", "answer": "B"}',
        '{"final_answer": "B", "answer": "A"}',
        '{"reasoning": "The answer is A.", "answer": "B"}',
        'The answer is A.\n{"answer": "B"}',
    ],
)
def test_another_answer_in_the_text_is_flagged(text: str) -> None:
    found = graded(C, text)
    assert found.answer == "B"
    assert Flag.CONTRADICTS in found.flags


# --- objects ---


def to_plain(value: JsonValue) -> object:
    match value:
        case JsonText():
            return value.text
        case JsonList():
            return [to_plain(item) for item in value.items]
        case JsonObject():
            return {name: to_plain(inner) for name, inner in value.fields}


# Without the characters whose escapes may begin a LaTeX command.
TEXTS = st.text(
    st.characters(exclude_characters="\b\f\n\r\t", exclude_categories=["Cs"])
)
VALUES = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@given(
    st.dictionaries(TEXTS, VALUES, min_size=1),
    st.booleans(),
    st.sampled_from([None, 2]),
)
def test_any_json_object_is_read_as_json_reads_it(
    value: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = find_objects(f"So {text}. And {{}}")
    assert [to_plain(one) for one in found] == [value]
    assert text == f"So {text}"[found[0].start : found[0].end]


@given(st.dictionaries(st.text("ab\\'\"\n é"), st.text("ab'\"\n é"), min_size=1))
def test_a_dictionary_of_python_is_read_as_python_reads_it(
    value: dict[str, str],
) -> None:
    found = find_objects(f"{value!r}")
    assert [to_plain(one) for one in found] == [value]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("\\frac{1}{2}", "\\frac{1}{2}"), ("\\\\frac{1}{2}", "\\frac{1}{2}"), ("\\(x\\)", "\\(x\\)"),
        ("\\text{a}\\times\\theta", "\\text{a}\\times\\theta"), ("a\\tb\\nnext", "a\tb\nnext"),
        ("x \\neq y", "x \\neq y"), ("\\ud83d!", "\ufffd!"), ("\\ud83d\\ude00", "\U0001f600"),
    ],
)  # fmt: skip
def test_latex_in_a_string_keeps_its_backslash(content: str, text: str) -> None:
    (found,) = find_objects(f'{{"answer": "{content}"}}')
    assert to_plain(found) == {"answer": text}


def test_what_is_nested_too_deeply_is_no_object() -> None:
    assert find_objects('{"a": ' * 100_000) == []
    assert len(find_objects('{"a": 1} ' * 200)) == 64
