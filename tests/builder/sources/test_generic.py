"""Files of unknown shape: columns, kinds, choices and targets, and suggested options."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.sources import Source
from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.choice_targets import (
    AmbiguousTargets,
    ChoiceEvidence,
    find_choice_label,
)
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.targets import (
    parse_number,
    parse_texts,
    parse_yes_no,
)
from cotbuild.schemas.config import TargetForm
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question, QuestionKind

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

PAIRS = [("A", "red"), ("B", "green"), ("C", "blue")]
Q = {"question": "Which?"}


@pytest.mark.parametrize(
    ("answers", "kind", "targets"),
    [
        ([True, False], "yes_no", ["yes", "no"]),
        (["Yes", "no", "TRUE"], "yes_no", ["yes", "no", "yes"]),
        (
            [1, "2", 2.50, "1,000", "-3", "$4.00", "35%"],
            "number",
            ["1", "2", "2.5", "1000", "-3", "4", "35"],
        ),
        (["so\n#### 1,200", "#### -7"], "number", ["1200", "-7"]),
        (["yes", "maybe"], "text", ["yes", "maybe"]),
        ([1, "one"], "text", ["1", "one"]),
        ([["Rome", "Roma", "Rome"]], "text", ["Rome"]),
        ([10**30, 2**63], "number", [str(10**30), str(2**63)]),
    ],
)
def test_kind_follows_from_the_targets(
    answers: list[Any], kind: str, targets: list[str], write: Write, ask: Ask
) -> None:
    questions, _ = ask(
        write(
            "a.jsonl",
            [{"question": f"q{i}", "answer": a} for i, a in enumerate(answers)],
        )
    )
    assert {q.kind.value for q in questions} == {kind}
    assert [q.target for q in questions] == targets


def test_all_rows_decide_the_kind_of_a_file(write: Write, ask: Ask) -> None:
    rows = [{"question": f"q{i}", "answer": i} for i in range(100)] + [
        {"question": "q", "answer": "many"}
    ]
    path = write("a.jsonl", rows)
    with pytest.raises(
        ConfigError,
        match=r"100 of 101 targets are numbers, another is 'many' in row 100 .*--kind text",
    ):
        ask(path)
    questions, _ = ask(path, kind="text")
    assert [q.target for q in questions][-2:] == ["99", "many"]
    questions, source = ask(path, kind="number", on_bad_row="drop")
    assert (len(questions), source.drops) == (100, {"bad_target": 1})
    assert ask(path, on_bad_row="drop")[0] == questions


def test_a_kind_column_decides_by_row_and_the_config_over_it(
    write: Write, ask: Ask
) -> None:
    rows = [
        {**Q, "answer": "yes", "kind": "yes_no"},
        {**Q, "answer": "12", "kind": "number"},
    ]
    path = write("a.jsonl", rows)
    assert [q.kind.value for q in ask(path)[0]] == ["yes_no", "number"]
    assert [q.kind.value for q in ask(path, kind="text")[0]] == ["text", "text"]
    with pytest.raises(DataError, match=r"kind is 'hard'\. Use one of"):
        ask(write("b.jsonl", [{**Q, "answer": "yes", "kind": "hard"}]))


def test_other_targets(write: Write, ask: Ask) -> None:
    rows = [
        {**Q, "answer": "Rome", "other_targets": ["Roma"]},
        {**Q, "answer": "Oslo", "other_targets": None},
        {**Q, "answer": ["Pest", "Buda"], "other_targets": []},
    ]
    questions, _ = ask(write("a.jsonl", rows))
    assert [q.targets for q in questions] == [
        ("Rome", "Roma"),
        ("Oslo",),
        ("Pest", "Buda"),
    ]
    (question,), _ = ask(
        write("a.csv", 'question,answer,other_targets\nWhich?,Rome,"[""Roma""]"\n')
    )
    assert question.targets == ("Rome", "Roma")


def test_a_split_without_any_target_is_unpublished(write: Write, ask: Ask) -> None:
    questions, _ = ask(write("a.jsonl", [{**Q, "answer": None}, {**Q, "answer": ""}]))
    assert [q.target for q in questions] == [None, None]
    questions, _ = ask(write("b.jsonl", [Q]), columns={"target": ""})
    assert questions[0].target is None


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        (["red", "green"], [("A", "red"), ("B", "green")]),
        (("red", " green "), [("A", "red"), ("B", "green")]),
        ([3, 4.5], [("A", "3"), ("B", "4.5")]),
        (
            [{"label": "1", "text": "red"}, {"text": "green", "label": 2}],
            [("1", "red"), ("2", "green")],
        ),
        (
            {"label": ["A", "B"], "text": ["red", "green"]},
            [("A", "red"), ("B", "green")],
        ),
        ({"A": "red", "B": "green"}, [("A", "red"), ("B", "green")]),
        ('["red", "green"]', [("A", "red"), ("B", "green")]),
        ('{"label": ["A"], "text": ["red"]}', [("A", "red")]),
        (["red", "green", None, ""], [("A", "red"), ("B", "green")]),
        ({"A": "red", "B": "green", "C": None}, [("A", "red"), ("B", "green")]),
        (["A)21", "B)21.5"], [("A", "21"), ("B", "21.5")]),
        (["(a) red", "(b) green"], [("A", "red"), ("B", "green")]),
        ("a ) 38 , b ) 27.5 , c ) 3", [("A", "38"), ("B", "27.5"), ("C", "3")]),
        ("A. vitamin B. \nB. zinc", [("A", "vitamin B."), ("B", "zinc")]),
        ("(A) red (B) green", [("A", "red"), ("B", "green")]),
        ({"red": 0, "green": 1}, [("A", "red"), ("B", "green")]),
        ({"A": 0, "B": 1}, [("A", "0"), ("B", "1")]),
        (["A. Ash", "C. Cray"], [("A", "A. Ash"), ("B", "C. Cray")]),
    ],
)
def test_choices_in_every_form(value: object, pairs: list[tuple[str, str]]) -> None:
    assert parse_choices(value) == pairs


@pytest.mark.parametrize(
    "value",
    [
        None,
        "red|green",
        "A. red C. green",
        "so (A) red (B) green",
        "a ) 1 , c ) 2",
        "A. red, B. green, A. blue",
        5,
        [None, "red"],
        [["red"]],
        [True],
        ["x"] * 27,
        {"label": ["A"], "text": []},
        [{"text": "x"}],
    ],
)
def test_choices_that_are_none(value: object) -> None:
    with pytest.raises(BadRow, match="Expected a list of texts") as caught:
        parse_choices(value)
    assert caught.value.reason is BadRowReason.BAD_CHOICES


@pytest.mark.parametrize(
    ("value", "pairs", "form", "label"),
    [
        ("B", PAIRS, None, "B"),
        ("b", PAIRS, None, "B"),
        ("(B)", PAIRS, None, "B"),
        ("B.", PAIRS, None, "B"),
        ("green", PAIRS, None, "B"),
        (" Green ", PAIRS, None, "B"),
        ("b) green", PAIRS, None, "B"),
        (1, PAIRS, "index0", "B"),
        (1.0, PAIRS, "index0", "B"),
        ("1.0", PAIRS, "index0", "B"),
        ("1", PAIRS, "index0", "B"),
        (1, PAIRS, "index1", "A"),
        (1, [("A", "1"), ("B", "2")], "index0", "B"),
        ("A", [("A", "B"), ("B", "A")], "label", "A"),
        ("A", [("A", "B"), ("B", "A")], "text", "B"),
        ([0, 0, 1], PAIRS, None, "C"),
        ({"red": 0, "green": 1, "blue": 0}, PAIRS, None, "B"),
        (["b"], PAIRS, None, "B"),
        (2, [("1", "red"), ("2", "green")], None, "2"),
        (4, [("A", "3"), ("B", "4")], None, "B"),
        ("home", [("A", "home"), ("B", "away"), ("C", "home")], None, "A"),
        ("A", [("A", "A"), ("B", "b")], None, "A"),
    ],
)
def test_choice_targets(
    value: object, pairs: list[tuple[str, str]], form: TargetForm | None, label: str
) -> None:
    assert find_choice_label(value, pairs, form) == label


@pytest.mark.parametrize(
    ("value", "pairs", "form", "message"),
    [
        (
            "E",
            PAIRS,
            None,
            "target is 'E'. Expected one of the choices' labels ['A', 'B', 'C'] or texts",
        ),
        ("yellow", PAIRS, None, "target is 'yellow'"),
        (1, PAIRS, None, "target is 1"),
        (3, PAIRS, "index0", "target is 3"),
        (-1, PAIRS, "index0", "target is -1"),
        (True, PAIRS, "index0", "target is True"),
        (1.5, PAIRS, "index0", "target is 1.5"),
        (float("inf"), PAIRS, "index0", "target is inf"),
        ("red", PAIRS, "label", "target is 'red'"),
        ([1, 1, 0], PAIRS, None, "it names ['A', 'B']"),
        ([0, 0, 0], PAIRS, None, "target is [0, 0, 0]"),
        ("A", [("A", "B"), ("B", "A")], None, "it names ['A', 'B']"),
    ],
)
def test_choice_targets_that_name_none_or_two(
    value: object, pairs: list[tuple[str, str]], form: TargetForm | None, message: str
) -> None:
    with pytest.raises(BadRow) as caught:
        find_choice_label(value, pairs, form)
    assert message in caught.value.message
    assert caught.value.reason is BadRowReason.BAD_TARGET


def gather(rows: list[tuple[object, list[tuple[str, str]]]]) -> ChoiceEvidence:
    evidence = ChoiceEvidence()
    for value, pairs in rows:
        evidence.add(value, pairs)
    return evidence


NUMBERS = [("A", "2"), ("B", "1"), ("C", "0")]


@pytest.mark.parametrize(
    ("values", "pairs", "form", "num_telling"),
    [
        ([0, 1, 2], PAIRS, "index0", 3),
        ([1, 3, 2], PAIRS, "index1", 3),
        (["0", "2"], PAIRS, "index0", 2),
        ([0, 2, -1, -1], PAIRS, "index0", 2),
        ([0, 1, 9], PAIRS, "index0", 2),
        (["A", "b"], PAIRS, "label", 2),
        (["red", "Blue"], PAIRS, "text", 2),
        (["A", "red", "x"], PAIRS, None, 2),
        (["A", 0, 2], PAIRS, "index0", 3),
        ([*[4] * 18, 9, 1], [("A", "3"), ("B", "4")], "text", 18),
        ([*[0, 1] * 9, 3], [("A", "7"), ("B", "3")], "index0", 18),
        ([], PAIRS, None, 0),
        ([2, 7], [("A", "7"), ("B", "2")], "text", 2),
        (["1", "2"], [("1", "red"), ("2", "green")], "label", 2),
        (["B", "A"], [("A", "B"), ("B", "x"), ("C", "y")], "label", 2),
    ],
)
def test_all_rows_decide_how_targets_are_read(
    values: list[object],
    pairs: list[tuple[str, str]],
    form: TargetForm | None,
    num_telling: int,
) -> None:
    evidence = gather([(value, pairs) for value in values])
    assert evidence.decide() == form
    assert evidence.count_telling(form) == num_telling


@pytest.mark.parametrize(
    ("values", "pairs", "flags"),
    [
        ([1, 2], PAIRS, "Pass --target-is index0 or --target-is index1."),
        ([0, 3], PAIRS, "Pass --target-is index0 or --target-is index1."),
        ([1], PAIRS, "Pass --target-is index0 or --target-is index1."),
        ([0, 1], NUMBERS, "Pass --target-is text or --target-is index0."),
        ([4, 3, 1], [("A", "3"), ("B", "4"), ("C", "5")], "text or --target-is index0"),
        ([77], PAIRS, "they are neither texts nor positions of options. Pass --kind"),
        (["A", "B"], [("A", "B"), ("B", "A")], "Pass --target-is label or --target-is"),
    ],
)
def test_targets_that_allow_two_readings(
    values: list[object], pairs: list[tuple[str, str]], flags: str
) -> None:
    with pytest.raises(AmbiguousTargets) as caught:
        gather([(value, pairs) for value in values]).decide()
    assert flags in str(caught.value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (7, "7"),
        ("007", "7"),
        (-0.0, "0"),
        (1e22, "1" + "0" * 22),
        (0.1, "0.1"),
        ("−3", "-3"),
        ("-$3", "-3"),
        ("$-3", "-3"),
        ("1,234,567.50", "1234567.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("12,34", None),
        ("--3", None),
        ("3 apples", None),
        ("1e5", "100000"),
        ("1/2", "1/2"),
        ("6/8", "6/8"),
        (r"\frac{1}{2}", "1/2"),
        ("1 1/2", "1 1/2"),
        ("½", "1/2"),
        ("1 234", "1234"),
        ("5 USD", "5"),
        ("3 kg", "3"),
        ("# 98", "98"),
        ("1.5 × 10^3", "1500"),
        ("so 2 + 3 = 5\n#### 5", "5"),
        (r"\sqrt{7}", None),
        ("3, 7", None),
        ("", None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ("²", None),
        ("٣", "3"),
    ],
)
def test_number(value: object, plain: str | None) -> None:
    assert parse_number(value) == plain


@pytest.mark.parametrize(
    ("value", "answer"),
    [(True, "yes"), (" FALSE", "no"), ("y", None), (1, None), (None, None)],
)
def test_yes_no(value: object, answer: str | None) -> None:
    assert parse_yes_no(value) == answer


@pytest.mark.parametrize("value", [[], {}, [None], True, [["x"]], float("nan")])
def test_texts_that_are_none(value: object) -> None:
    with pytest.raises(BadRow, match="Expected a text, a number, or a list of them"):
        parse_texts(value)


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            {"prompt": "q", "label": "x"},
            "--map question=prompt --map target=label (--map target= if",
        ),
        (
            {"Question": "q", "Answer": "x"},
            "--map question=Question --map target=Answer",
        ),
        ({"question": "q", "gold answer": "x"}, "--map 'target=gold answer'"),
        ({"question": "q", "x": 1}, "--map target=x"),
        ({"question": "q", "x": 1, "y": 2}, "--map target=COL, with a column for COL"),
        ({"question": "q", "answers": {"text": ["a"]}}, "--map target=answers.text"),
        ({"a": "q", "answer": 1}, "Add: --map question=a"),
        ({"a": 1, "answer": 1}, "Add: --map question=COL, with a column for COL"),
        (
            {"question": "q", "answer": "B", "options": ["x", "y"]},
            "Add: --map choices=options",
        ),
        (
            {"sentence_text": "q", "options": {"A": "x"}, "gold": 1},
            "=sentence_text --map target=gold --map choices=",
        ),
    ],
)
def test_unknown_columns_suggest_options(
    row: dict[str, Any], line: str, write: Write, ask: Ask
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(write("a.jsonl", [row]))
    assert line in str(caught.value)
    assert str(caught.value).startswith("a.jsonl: no column named ")


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        (
            {"q": "Which?", "gold": "x"},
            {"question": "q", "target": "gold"},
            ("Which?", [], "x"),
        ),
        (
            {"d": {"q": "Which?", "a": {"t": 3}}, "n": 1},
            {"question": "d.q", "target": "d.a.t"},
            ("Which?", [], "3"),
        ),
        ({"d.q": "Which?", "answer": "x"}, {"question": "d.q"}, ("Which?", [], "x")),
        (
            {"body": "Ann ran. ", "q": "Who?", "answer": "x"},
            {"question": "body,q"},
            ("Ann ran. Who?", [], "x"),
        ),
        (
            {**Q, "o1": "red", "o2": "green", "o3": "", "answer": "B"},
            {"choices": "o1,o2,o3"},
            ("Which?", ["red", "green"], "B"),
        ),
        ({**Q, "answer": "B", "options": ["x"]}, {"choices": ""}, ("Which?", [], "B")),
    ],
)
def test_mapping(
    row: dict[str, Any],
    columns: dict[str, str],
    expected: tuple[str, list[str], str],
    write: Write,
    ask: Ask,
) -> None:
    (question,), _ = ask(write("a.jsonl", [row]), columns=columns)
    assert (
        question.text,
        [c.text for c in question.choices],
        question.target,
    ) == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"columns": {"question": "nope"}},
            "a.jsonl: no column 'nope' in its rows, which have",
        ),
        (
            {"columns": {"answer": "answer"}},
            "a.jsonl: --map answer=answer: no such field. Pass --map target=",
        ),
        ({"columns": {"question": ""}}, "a.jsonl: no column named question"),
        (
            {"kind": "choice"},
            "a.jsonl: kind choice and no column for choices. Add: --map choices=COL",
        ),
    ],
)
def test_mappings_that_cannot_be(
    config: dict[str, Any], message: str, write: Write, ask: Ask
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(write("a.jsonl", [{**Q, "answer": "x"}]), **config)
    assert message in str(caught.value)


def test_integer_targets_are_positions_if_one_is_zero(write: Write, ask: Ask) -> None:
    rows = [
        {**Q, "choices": ["red", "green"], "label": label, "id": label}
        for label in (0, 1)
    ]
    questions, _ = ask(write("a.jsonl", rows), columns={"target": "label"})
    assert [q.target for q in questions] == ["A", "B"]
    with pytest.raises(DataError, match="is ambiguous"):
        ask(write("b.jsonl", rows[1:]), columns={"target": "label"})
    (question,), _ = ask(
        write("b.jsonl", rows[1:]), columns={"target": "label"}, target_is="index1"
    )
    assert question.target == "A"


def test_a_row_without_choices_among_choice_rows_is_bad(write: Write, ask: Ask) -> None:
    rows = [
        {**Q, "choices": ["red", "green"], "answer": "A"},
        {**Q, "choices": None, "answer": "x"},
    ]
    with pytest.raises(DataError, match=r"row 1 \(from 0\): choices is None"):
        ask(write("a.jsonl", rows))
    with pytest.raises(DataError, match=r"has choices labelled \['A'\]; at least 2"):
        ask(write("b.jsonl", [{**Q, "choices": ["red"], "answer": "A"}]))


def test_the_first_row_of_a_known_shape_needs_no_mapping(
    write: Write, ask: Ask
) -> None:
    row = {
        "id": "x",
        "sent1": "Tea is",
        "sent2": "",
        "ending0": "wet",
        "ending1": "dry",
        "label": 0,
    }
    (question,), _ = ask(write("my_dev.jsonl", [row]))
    assert (question.text, question.target, question.source.split) == (
        "Tea is",
        "A",
        "validation",
    )


def test_forced_kind_leaves_choices_alone(write: Write, ask: Ask) -> None:
    row = {**Q, "choices": ["yes", "no"], "answer": "yes"}
    (question,), _ = ask(write("a.jsonl", [row]), kind="yes_no")
    assert (question.kind, question.choices) == (QuestionKind.YES_NO, ())


def test_questions_survive_a_round_trip(write: Write, ask: Ask) -> None:
    (question,), _ = ask(
        write("a.jsonl", [{**Q, "choices": ["red", "green"], "answer": "A"}])
    )
    assert Question.parse(json.loads(question.model_dump_json()), "here") == question
