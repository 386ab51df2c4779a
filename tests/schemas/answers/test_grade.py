"""What a completion says and whether it is right: given answers, JSON objects,
reasoning kept apart.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers.grade import (
    GradedCompletion,
    GradingRules,
    grade_completion,
    without_given_answer,
)
from cotbuild.schemas.answers.json_answer import read_json_answer
from cotbuild.schemas.answers.turn import split_reasoning
from cotbuild.schemas.rationale import Flag, Verdict
from tests.support.weathering import KINDS, question

CORRECT, INCORRECT, NO_ANSWER = Verdict.CORRECT, Verdict.INCORRECT, Verdict.NO_ANSWER
CUT, CONTRADICTS, EMPTY, RUN_ON = Flag.CUT, Flag.CONTRADICTS, Flag.EMPTY, Flag.RUN_ON
NAMES_TARGET, MARKUP = Flag.NAMES_TARGET, Flag.MARKUP


def graded(
    text: str, kind: str = "choice", **options: Any
) -> tuple[Verdict, str, tuple[Flag, ...]]:
    found = grade_completion(question(kind), text, **options)
    assert (found.answer is not None) or found.verdict not in (CORRECT, INCORRECT)
    return found.verdict, found.rationale, found.flags


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("It is hard. The answer is B", {}, (CORRECT, "It is hard.", ())),
        ("It is hard. The answer is A", {}, (INCORRECT, "It is hard.", ())),
        ("It is hard.", {}, (NO_ANSWER, "It is hard.", ())),
        ("The answer is B", {}, (CORRECT, "", (EMPTY,))),
        ("", {}, (NO_ANSWER, "", (EMPTY,))),
        (
            "It is hard. The answer",
            {"finish_reason": "length"},
            (Verdict.TRUNCATED, "It is hard. The answer", ()),
        ),
        (
            "It is hard. The answer is",
            {"finish_reason": None},
            (NO_ANSWER, "It is hard. The answer is", ()),
        ),
        (
            "It is hard. The answer is B. So",
            {"finish_reason": "length"},
            (CORRECT, "It is hard.", (CUT, RUN_ON)),
        ),
        (
            "B because it",
            {"finish_reason": "length", "answer_first": True},
            (CORRECT, "it", (CUT,)),
        ),
    ],
)
def test_free_text(text: str, options: dict[str, Any], expected: object) -> None:
    assert graded(text, **options) == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("It is hard.", {}, (CORRECT, "It is hard.", ())),
        ("It is hard. The answer is B.", {}, (CORRECT, "It is hard.", ())),
        ("It is soft. The answer is A.", {}, (CORRECT, "It is soft.", (CONTRADICTS,))),
        (
            "It is soft. The answer is A.",
            {"given": "A"},
            (INCORRECT, "It is soft.", ()),
        ),
        (
            "It is A. The answer is A. No. The answer is B",
            {},
            (CORRECT, None, (CONTRADICTS,)),
        ),
        (
            "It is hard. The answer is",
            {"finish_reason": "length"},
            (CORRECT, "It is hard. The answer is", (CUT,)),
        ),
        (
            "moss",
            {},
            (CORRECT, "moss", ()),
        ),  # CoS-E: a word for a rationale, no statement
        ("It is hard.\nB", {}, (CORRECT, "It is hard.", ())),
        ("It is soft.\n(A) moss", {}, (CORRECT, "It is soft.", (CONTRADICTS,))),
        ("B because it is hard.", {"answer_first": True}, (CORRECT, "it is hard.", ())),
        (
            "granite because it is hard.",
            {"answer_first": True},
            (CORRECT, "granite because it is hard.", (NAMES_TARGET,)),
        ),
        ("", {}, (CORRECT, "", (EMPTY,))),
    ],
)
def test_an_answer_that_comes_from_elsewhere_counts(
    text: str, options: dict[str, Any], expected: Any
) -> None:
    found = graded(text, **{"given": "B", **options})
    assert (found[0], found[2]) == (expected[0], expected[2])
    assert expected[1] is None or found[1] == expected[1]


@pytest.mark.parametrize(
    ("kind", "text", "answer", "flags"),
    [
        ("number", "Five and seven.\n12", "12", (NAMES_TARGET,)),
        ("number", "Five and seven. The answer is 12.0", "12", ()),
        ("number", "Five and eight. The answer is 13", "12", (CONTRADICTS,)),
        ("text", "It is big.", "Lake Geneva", ()),
        ("text", "The answer is the lake geneva.", "Lake Geneva", (EMPTY,)),
        (
            "text",
            "The answer is Lake Como because it is big.",
            "Lake Geneva",
            (CONTRADICTS,),
        ),
        ("yes_no", "No, since it sinks.", "yes", (CONTRADICTS,)),
        ("yes_no", "Yes, since it floats.", "yes", ()),
    ],
)
def test_given_answers_of_other_kinds(
    kind: str, text: str, answer: str, flags: tuple[Flag, ...]
) -> None:
    found = grade_completion(question(kind), text, given=answer)
    assert (found.verdict, found.answer, found.flags) == (CORRECT, answer, flags)


# --- JSON ---

LENGTH = {"finish_reason": "length"}
OBJECTS = [
    ('{"rationale": "It is hard.", "answer": "B"}', {}, (CORRECT, "It is hard.", ())),
    ('{"answer": "B", "rationale": "It is hard."}', {}, (CORRECT, "It is hard.", ())),
    (
        '\n ```json\n{"rationale": "It is hard.",\n "answer": "b"}\n```',
        {},
        (CORRECT, "It is hard.", ()),
    ),
    (
        'Sure: {"rationale": "It is {hard}.", "answer": "(B) granite"}',
        {},
        (CORRECT, "It is {hard}.", ()),
    ),
    (
        '{"rationale": "It\\nis \\"hard\\".", "answer": "granite"}',
        {},
        (CORRECT, 'It\nis "hard".', ()),
    ),
    (
        '{"rationale": "It is hard. The answer is (B).", "answer": "B"}',
        {},
        (CORRECT, "It is hard.", ()),
    ),
    (
        '{"rationale": "It is hard. The answer is B.", "answer": "A"}',
        {},
        (INCORRECT, "It is hard.", (CONTRADICTS,)),
    ),
    (
        '{"rationale": "granite", "answer": "A"}',
        {},
        (INCORRECT, "granite", (NAMES_TARGET,)),
    ),
    ('{"rationale": "It is hard.", "answer": "F"}', {}, (NO_ANSWER, "It is hard.", ())),
    (
        '{"rationale": "It is hard.", "answer": null}',
        {},
        (NO_ANSWER, "It is hard.", ()),
    ),
    (
        '{"rationale": "It is hard.", "answer": ["B"]}',
        {},
        (CORRECT, "It is hard.", ()),
    ),
    ('{"rationale": ["x"], "answer": "B"}', {}, (CORRECT, "x", ())),
    ('{"answer": "B"}', {}, (CORRECT, "", (EMPTY,))),
    ('It is hard.\n```json\n{"answer": "B"}\n```', {}, (CORRECT, "It is hard.", ())),
    # cut short
    ('{"rationale": "It is ha', LENGTH, (Verdict.TRUNCATED, "It is ha", ())),
    ('{"rationale": "It is ha', {}, (NO_ANSWER, "It is ha", ())),
    ('{"rationale": "It is \\u00', LENGTH, (Verdict.TRUNCATED, "It is", ())),
    ('{"rationale": "It is \\', LENGTH, (Verdict.TRUNCATED, "It is", ())),
    (
        '{"rationale": "It is hard.", "answer": "riv',
        LENGTH,
        (Verdict.TRUNCATED, "It is hard.", ()),
    ),
    (
        '{"rationale": "It is hard.", "answer": "B"',
        LENGTH,
        (CORRECT, "It is hard.", (CUT,)),
    ),
    ('{"answer": "B", "rationale": "It is ha', LENGTH, (CORRECT, "It is ha", (CUT,))),
    (
        '{"answer": "B", "rationale": "It is ha',
        {**LENGTH, "answer_first": True},
        (CORRECT, "It is ha", (CUT,)),
    ),
    (
        '{"rationale": "It is \\$5 \\(x\\) \\"so\\".", "answer": "B"}',
        {},
        (CORRECT, 'It is \\$5 \\(x\\) "so".', (MARKUP,)),
    ),
    ('{"ans', LENGTH, (Verdict.TRUNCATED, "", (EMPTY,))),
    ("```json\n{", LENGTH, (Verdict.TRUNCATED, "", (EMPTY,))),
    # no JSON at all
    ("It is hard. The answer is B", {}, (CORRECT, "It is hard.", ())),
    (
        "In {moss, granite}, the answer is B",
        {},
        (CORRECT, "In {moss, granite}", (NAMES_TARGET,)),
    ),
    ('{"verdict": "fine"}', {}, (NO_ANSWER, '{"verdict": "fine"}', ())),
    # with an answer from elsewhere
    ('{"rationale": "It is hard."}', {"given": "B"}, (CORRECT, "It is hard.", ())),
    (
        '{"rationale": "It is hard.", "answer": "A"}',
        {"given": "B"},
        (CORRECT, "It is hard.", (CONTRADICTS,)),
    ),
    (
        '{"rationale": "It is ha',
        {"given": "B", **LENGTH},
        (CORRECT, "It is ha", (CUT,)),
    ),
    (
        '<think>Hm: {"answer": "A"}</think>{"answer": "B"}',
        {},
        (CORRECT, 'Hm: {"answer": "A"}', ()),
    ),
]


@pytest.mark.parametrize(("text", "options", "expected"), OBJECTS)
def test_an_object(text: str, options: dict[str, Any], expected: object) -> None:
    assert graded(text, as_json=True, **options) == expected


@pytest.mark.parametrize(
    ("kind", "value", "answer"),
    [
        ("number", '"1,200"', "1200"), ("number", "12", "12"), ("number", "-1.50", "-1.50"),
        ("number", '"12 eggs"', "12"), ("number", '"3/4"', "3/4"), ("number", '"none"', None),
        ("number", "true", None),
        ("number", "9" * 5000, "9" * 5000), ("number", "NaN", None), ("yes_no", "true", "yes"),
        ("yes_no", '"No"', "no"), ("yes_no", "false", "no"), ("yes_no", '"maybe"', None),
        ("text", '" J. K. Rowling "', "J. K. Rowling"),
        ("text", "1999", "1999"), ("text", '"unknown"', None), ("text", '""', None), ("choice", '"b"', "B"),
        ("choice", '"River  water"', "C"), ("choice", '"either A or B"', None), ("choice", "2", None),
        ("text", '"\\ud83d\\ude00"', "\U0001f600"), ("text", '"\\ud83d!"', "\ufffd!"), ("choice", "[" * 100_000, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "tail", ["}", ' }, "more": 1', ""], ids=["whole", "more", "cut"]
)
def test_an_objects_answer_in_the_form_of_the_target(
    kind: str, value: str, answer: str | None, tail: str
) -> None:
    text = f'{{"rationale": "So.", "answer": {value}{tail}'
    bare = not value.startswith('"')
    found = grade_completion(question(kind), text, as_json=True)
    assert found.answer == (
        None if bare and not tail else answer
    )  # a bare 12 may have been cut out of 120


@pytest.mark.parametrize(
    ("text", "answer"),
    [('{"answer":"B"}', "B"), (' {"answer" : "b"} ', "B"), ("B", "B"), ("The answer is B", "B"), ('{"answer":"', None),
     ("<think>A?</think>{\"answer\":\"B\"}", "B"), ("", None)],
)  # fmt: skip
def test_read_answer(text: str, answer: str | None) -> None:
    assert read_json_answer(text, question()) == answer


@given(st.text(), st.sampled_from("ABCDE"), st.booleans(), st.integers(0, 40))
def test_what_json_wrote_comes_back_and_a_cut_only_shortens_it(
    why: str, label: str, first: bool, cut: int
) -> None:
    fields = (
        [("answer", label), ("rationale", why)]
        if first
        else [("rationale", why), ("answer", label)]
    )
    text = json.dumps(dict(fields))
    assert grade_completion(question(), text, as_json=True).answer == label
    part = grade_completion(
        question(),
        text[: max(0, len(text) - cut)],
        as_json=True,
        finish_reason="length",
    )
    assert part.answer in (label, None)
    if not first and cut > 3:
        assert part.answer is None
        assert part.verdict is Verdict.TRUNCATED


# --- reasoning ---


@pytest.mark.parametrize(
    ("text", "thought", "rest"),
    [
        ("So.", None, "So."),
        ("<think>Hm.</think> So.", "Hm.", "So."),
        ("<thinking>\nHm.\n</thinking>\n\nSo.", "Hm.", "So."),
        ("<THINK>Hm.</THINK>So.", "Hm.", "So."),
        ("Hm.</think>So.", "Hm.", "So."),
        ("<think>Hm. So", "Hm. So", ""),
        ("<think>\n\n</think>\n\nSo.", None, "So."),
        ("<think>Hm.</think>So.<think>Then.</think>Done.", "Hm.\nThen.", "So.\nDone."),
        ("<think>Hm.</think>So.</think>", "Hm.", "So."),
        ("So. <think>", None, "So."),
        ("a < b", None, "a < b"),
    ],
)
def test_split_thought(text: str, thought: str | None, rest: str) -> None:
    assert split_reasoning(text)[:2] == (thought, rest)


@pytest.mark.parametrize(
    ("text", "reasoning", "expected"),
    [
        ("<think>Moss? The answer is A.</think>\nThe answer is B", None,
         (CORRECT, "Moss? The answer is A.", "Moss? The answer is A.", ())),
        ("<think>Moss?</think>\nIt is hard. The answer is B", None, (CORRECT, "It is hard.", "Moss?", ())),
        ("It is hard. The answer is B", " Moss? ", (CORRECT, "It is hard.", " Moss? ", ())),
        ("The answer is B", " Moss? ", (CORRECT, "Moss?", " Moss? ", ())),
        ("<think>Here.</think>The answer is B", "There.", (CORRECT, "There.", "There.", ())),
        ("<think>Moss? The answer is A. But", None,
         (NO_ANSWER, "Moss? The answer is A. But", "Moss? The answer is A. But", ())),
        ("<think>\nQuestion: which?\nHm.</think>It is hard. The answer is B", None,
         (CORRECT, "It is hard.", "Question: which?\nHm.", ())),
    ],
)  # fmt: skip
def test_reasoning(
    text: str, reasoning: str | None, expected: tuple[object, ...]
) -> None:
    found = grade_completion(question(), text, reasoning=reasoning)
    assert (found.verdict, found.rationale, found.reasoning, found.flags) == expected


def test_an_unclosed_thought_that_was_cut_is_truncated() -> None:
    assert (
        grade_completion(
            question(), "<think>The answer is B. But", finish_reason="length"
        ).verdict
        is Verdict.TRUNCATED
    )


def test_without_a_target_nothing_is_scored() -> None:
    found = grade_completion(question(target=None), "It is hard. The answer is B")
    assert (found.verdict, found.answer) == (Verdict.UNSCORED, "B")


# --- where an answer comes from, and what compared it ---


@pytest.mark.parametrize(
    ("kind", "text", "span"),
    [
        (
            "choice",
            "<think>The answer is A.</think>\n\nIt is hard. The answer is (B).",
            "B",
        ),
        ("choice", "It is hard.<think>Hm.</think> The answer is granite.", "granite"),
        ("number", "So.</think>The answer is $1,200.", "$1,200"),
        ("text", "<think>\n</think>The answer is Paris, France.", "Paris, France"),
    ],
)
def test_the_place_of_an_answer_is_in_the_verbatim_text(
    kind: str, text: str, span: str
) -> None:
    found = grade_completion(question(kind), text)
    assert text[found.answer_start : found.answer_end] == span


@pytest.mark.parametrize(
    ("kind", "target", "text", "rule"),
    [
        ("choice", "B", "The answer is B.", "label"), ("choice", "A", "The answer is B.", "label"),
        ("number", "12", "The answer is 12.0", "number"), ("number", "13", "The answer is 12", "number"),
        ("yes_no", "yes", "The answer is yes.", "yes_no"), ("text", "Paris", "The answer is paris.", "text"),
        ("text", "A, C", "The answer is C and A.", "label_set"), ("text", "Paris", "The answer is Rome.", "text"),
        ("choice", "B", "I do not know.", None), ("choice", None, "The answer is B.", None),
    ],
)  # fmt: skip
def test_the_comparison_that_decided_is_named(
    kind: str, target: str | None, text: str, rule: str | None
) -> None:
    found = grade_completion(question(kind, target=target), text)
    assert found.verdict_rule == rule


def test_an_answer_from_elsewhere_names_where() -> None:
    found = grade_completion(
        question(), "The answer is A.", given="B", given_by="choice_request"
    )
    assert (found.answer, found.answer_rule) == ("B", "choice_request")
    assert (found.answer_start, found.answer_end) == (None, None)
    none = without_given_answer(found, "answer_column", question())
    assert (none.answer, none.answer_rule, none.verdict) == (
        None,
        "answer_column",
        NO_ANSWER,
    )
    assert none.verdict_rule is None


class Doubles:
    """A metric for which a half is the target."""

    def agrees(self, answer: str, target: str) -> bool:
        return 2 * int(answer) == int(target)


def test_a_metric_decides_only_where_it_is_asked_for() -> None:
    asked, text = question("number", target="12"), "The answer is 6."
    assert grade_completion(asked, text).verdict is Verdict.INCORRECT
    grading = GradingRules(math_metric=Doubles())
    found = grade_completion(asked, text, grading=grading)
    assert (found.verdict, found.verdict_rule) == (CORRECT, "math_verify")
    plain = grade_completion(asked, "The answer is 12.", grading=grading)
    assert (plain.verdict, plain.verdict_rule) == (CORRECT, "number")


# --- any text ---

PIECES = [
    '{"rationale": "', '", "answer": "', '"}', "{", "}", "\\", "\\u00e9", "\\ud83d", '"', "```json\n", "The answer is ",
    "B", "A", "1", "yes", "<think>", "</think>", "\n", "None of the choices", "granite", "**", "\\boxed{", "(", ")",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.text() | st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"])).map("".join),
    st.none() | st.text(),
    st.sampled_from(["stop", "length", None]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_any_text_at_all(
    text: str,
    reasoning: str | None,
    finish_reason: str | None,
    first: bool,
    as_json: bool,
    given: bool,
) -> None:
    for kind in KINDS:
        q = question(kind)
        target = q.target if given else None
        options: Any = {
            "reasoning": reasoning,
            "finish_reason": finish_reason,
            "answer_first": first,
            "as_json": as_json,
        }
        found = grade_completion(q, text, given=target, **options)
        assert (
            found
            == grade_completion(q, text, given=target, **options)
            == GradedCompletion.model_validate(found.model_dump())
        )
        assert list(found.flags) == sorted(set(found.flags))
        assert found.rationale == found.rationale.strip()
        assert (Flag.EMPTY in found.flags) is (found.rationale == "")
        if given:
            assert found.verdict is CORRECT
            assert (Flag.CUT in found.flags) is (finish_reason == "length")
        if found.verdict is Verdict.TRUNCATED:
            assert finish_reason == "length"
        assert (found.verdict_rule is None) is (
            found.verdict not in (CORRECT, Verdict.INCORRECT)
        )
        if found.answer is not None:
            assert found.answer_rule is not None
        if found.answer_start is None or found.answer_end is None:
            assert found.answer_start is found.answer_end
            assert found.answer is None or found.answer_rule == "given_target"
        else:
            assert found.answer is not None
            assert 0 <= found.answer_start < found.answer_end <= len(text)
        read_json_answer(text, q)


@given(st.text())
def test_splitting_twice_splits_no_more(text: str) -> None:
    rest = split_reasoning(text).own_text
    assert split_reasoning(rest)[:2] == (None, rest)
