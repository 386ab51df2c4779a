"""Shapes that published sets have: options in columns of their own, forms, labels.

Each case is read as it comes, or after the options that its error prints were added.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.cli.args import columns as parse_columns
from cotbuild.builder.cli.args import parse_names
from cotbuild.builder.sources import Source, open_source
from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.label_names import find_label_names
from cotbuild.builder.sources.read_columns import read_columns
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError
from cotbuild.schemas.question import Question, QuestionKind

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

NUM_ROWS = 40
_HINT = re.compile(
    r"(?:Add|Pass):? (--.*?)(?: \(--| or --|, or |\.$|$| if | to | with )"
)


def options_in(message: str) -> dict[str, Any]:
    """Return the settings of the first options that an error names."""
    found = _HINT.search(message)
    assert found is not None, message
    words = shlex.split(found[1])
    options = list(zip(words[::2], words[1::2], strict=True))
    settings: dict[str, Any] = {}
    mapped = [value for flag, value in options if flag == "--map"]
    if mapped:
        settings["columns"] = parse_columns(mapped, allow_none=True)
    for flag, value in options:
        if flag == "--labels":
            settings["labels"] = parse_names(value)
        elif flag != "--map":
            settings[flag.removeprefix("--").replace("-", "_")] = value
    return settings


def ask_with_hints(ask: Ask, path: Path) -> tuple[list[Question], str, list[str]]:
    """Read a file with the options that its errors name; also return the errors."""
    settings: dict[str, Any] = {}
    errors: list[str] = []
    while True:
        try:
            questions, source = ask(path, **settings)
        except CotbuildError as error:
            errors.append(str(error))
            assert len(errors) < 4, errors
            added = options_in(str(error))
            mapped = settings.get("columns", {}) | added.pop("columns", {})
            settings |= added | ({"columns": mapped} if mapped else {})
        else:
            return questions, source.read_as(source.split) or "", errors


Rows = Callable[[int], dict[str, Any]]

SHAPES: dict[str, tuple[Rows, str, tuple[str, ...], str, str]] = {
    "options in A to D, a letter": (
        lambda i: {
            "question": f"Which is {i}?",
            "subject": "maths",
            **{letter: f"{letter} {i}" for letter in "ABCD"},
            "answer": "ABCD"[i % 4],
        },
        "Which is 2?",
        ("A 2", "B 2", "C 2", "D 2"),
        "C",
        "choice questions; options from A, B, C, D; target answer as label "
        "(40 of 40 rows tell); not used: subject (change with --map, --kind, --target-is)",
    ),
    "options in A to D, a number from 1": (
        lambda i: {
            "question": f"Which is {i}?",
            "answer": i % 4 + 1,
            **{letter: f"{letter} {i}" for letter in "ABCD"},
            "Human Accuracy": 0.5,
        },
        "Which is 2?",
        ("A 2", "B 2", "C 2", "D 2"),
        "C",
        "target answer as position from 1 (40 of 40 rows tell)",
    ),
    "options in opa to opd, a number from 0": (
        lambda i: {
            "question": f"Which is {i}?",
            **{f"op{letter}": f"{letter} {i}" for letter in "abcd"},
            "cop": i % 4,
            "choice_type": "single",
            "exp": "For this reason.",
        },
        "Which is 2?",
        ("a 2", "b 2", "c 2", "d 2"),
        "C",
        "options from opa, opb, opc, opd; target cop as position from 0",
    ),
    "two solutions of a goal": (
        lambda i: {
            "goal": f"How do I open jar {i}?",
            "sol1": f"turn {i}",
            "sol2": "wait",
            "label": i % 2,
        },
        "How do I open jar 2?",
        ("turn 2", "wait"),
        "A",
        "question from goal; options from sol1, sol2; target label as position from 0",
    ),
    "options in ans0 to ans2, notes on them in an object": (
        lambda i: {
            "context": f"Two people met {i} times.",
            "question": f"Who was {i}?",
            "ans0": "Ann",
            "ans1": "Bo",
            "ans2": "Not known",
            "answer_info": {"ans0": ["Ann", "old"], "ans1": ["Bo", "young"]},
            "label": i % 3,
        },
        "Who was 2?",
        ("Ann", "Bo", "Not known"),
        "C",
        "options from ans0, ans1, ans2; target label as position from 0",
    ),
    "a sentence with a gap": (
        lambda i: {
            "sentence": f"Ann saw Bea as _ had {i} birds.",
            "option1": "Ann",
            "option2": "Bea",
            "answer": str(i % 2 + 1),
        },
        "Ann saw Bea as _ had 2 birds.",
        ("Ann", "Bea"),
        "A",
        "options from option1, option2; target answer as position from 1",
    ),
    "a question of one word beside a premise": (
        lambda i: {
            "premise": f"The floor was wet {i} times.",
            "choice1": "It rained.",
            "choice2": "It slept.",
            "question": ("cause", "effect")[i % 2],
            "label": i % 2,
        },
        "The floor was wet 2 times.\ncause",
        ("It rained.", "It slept."),
        "A",
        "question from premise, question; options from choice1, choice2",
    ),
    "wrong options apart from the right one": (
        lambda i: {
            "question": f"Which of {i} floats?",
            "distractor3": "lead",
            "distractor1": "iron",
            "distractor2": "gold",
            "correct_answer": "cork",
            "support": "Cork floats on water and much else.",
        },
        "Which of 2 floats?",
        ("iron", "gold", "cork", "lead"),
        "C",
        "wrong options from distractor1, distractor2, distractor3, the right one placed "
        "by placement/1; target correct_answer as text of the right option",
    ),
    "a number as text beside answerA to answerC": (
        lambda i: {
            "context": f"Bo did not sleep for {i} nights.",
            "question": f"What needs Bo {i}?",
            "answerA": "rest",
            "answerB": "work",
            "answerC": "tea",
            "label": str(i % 3 + 1),
        },
        "What needs Bo 2?",
        ("rest", "work", "tea"),
        "C",
        "target label as position from 1 (40 of 40 rows tell); not used: context, where "
        r"--map 'question={context}\n{question}' shows context",
    ),
    "endings in a list": (
        lambda i: {
            "ind": i,
            "activity_label": "Roofing",
            "ctx_a": f"A man is on {i} roofs.",
            "ctx_b": "he",
            "ctx": f"A man is on {i} roofs. he",
            "endings": ["jumps.", "sings.", "flies.", "waits."],
            "label": str(i % 4),
        },
        "A man is on 2 roofs. he",
        ("jumps.", "sings.", "flies.", "waits."),
        "C",
        "question from ctx; options from endings; target label as position from 0",
    ),
    "options with their own letters": (
        lambda i: {
            "question": f"How many are {i}?",
            "options": ["A)21", "B)21.5", "C)22"],
            "correct": "ABC"[i % 3],
        },
        "How many are 2?",
        ("21", "21.5", "22"),
        "C",
        "options from options; target correct as label (40 of 40 rows tell)",
    ),
    "marks of the right option": (
        lambda i: {
            "question": f"What is {i}?",
            "mc1_targets": {"choices": ["this", "that"], "labels": [1, 0]},
        },
        "What is 2?",
        ("this", "that"),
        "A",
        "target mc1_targets.labels as mark of the right option",
    ),
    "a question, an article and options": (
        lambda i: {
            "article": f"Last week we met {i} friends and a dog.",
            "question": f"Whom did we meet {i}?",
            "options": ["no one", "a dog"],
            "answer": "AB"[i % 2],
        },
        "Whom did we meet 2?",
        ("no one", "a dog"),
        "A",
        "not used: article, where --map",
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_published_shapes(name: str, write: Write, ask: Ask) -> None:
    make_row, text, choices, target, line = SHAPES[name]
    path = write("a.jsonl", [make_row(i) for i in range(NUM_ROWS)])
    questions, read_as, _ = ask_with_hints(ask, path)
    question = questions[2]
    assert question.text == text
    assert tuple(choice.text for choice in question.choices) == choices
    assert question.target == target
    assert line in read_as


@pytest.mark.parametrize(
    ("make_row", "hints"),
    [
        (lambda i: {"question": f"q{i}", "hint1": "a", "hint2": "b", "answer": i % 2}, 1),
        (lambda i: {"question": f"q{i}", "option1": "a", "option2": "b", "answer": 7}, 1),
        (lambda i: {"question": f"q{i}", "choices": ["a", "b", "c"], "answer": 1}, 1),
        (lambda i: {"question": f"q{i}", "choices": ["1", "0"], "answer": i % 2}, 1),
        (lambda i: {"question": f"q{i}", "answer": "x" if i == 39 else i}, 1),
        (lambda i: {"q": f"What is {i}?", "gold": i}, 1),
        (lambda i: {"text": f"Film {i} is fun.", "label": i % 2}, 2),
        (lambda i: {"premise": f"Ann {i}.", "hypothesis": f"Bo {i}.", "topic": "x y", "label": i % 3}, 2),
        (lambda i: {"question": f"q{i}", "options": ["a", "b"], "answer": None, "label": "A"}, 2),
        (lambda i: {"question": f"q{i}", "answers": {"a": "x", "b": "y"}, "correct_answers": ["b"]}, 1),
        (lambda i: {"first": f"Go {i}?", "second": f"Run {i}?", "is_same": i % 2}, 2),
        (lambda i: {"question": f"q{i}", "options": "a ) 1 , b ) 2", "correct": "b"}, 1),
        (lambda i: {"question": f"q{i}", "options": '["a", "b"]', "answer": "b"}, 1),
        (lambda i: {"question": f"q{i}", "correct_answer": "x", "incorrect_answers": ["y", "z"]}, 1),
        (lambda i: {"input": f"q{i}", "target_scores": {"true": 0, "false": 1}}, 1),
        (lambda i: {"premise": f"A dog {i} ran.", "hypothesis": f"It {i} sat.", "label": "no"}, 1),
    ],
)  # fmt: skip
def test_what_is_undecided_stops_and_names_options_that_work(
    make_row: Rows, hints: int, write: Write, ask: Ask
) -> None:
    path = write("a.jsonl", [make_row(i) for i in range(NUM_ROWS)])
    questions, _, errors = ask_with_hints(ask, path)
    assert (len(questions), len(errors)) == (NUM_ROWS, hints)


def test_numbers_beside_columns_that_are_no_options_stay_numbers(
    write: Write, ask: Ask
) -> None:
    rows = [
        {"question": f"{i} + {i + 7}?", "a": i, "b": i + 7, "answer": 2 * i + 7}
        for i in range(NUM_ROWS)
    ]
    questions, read_as, errors = ask_with_hints(ask, write("a.jsonl", rows))
    assert not errors
    assert {question.kind.value for question in questions} == {"number"}
    assert "not used: a, b" in read_as


def test_a_question_made_of_several_columns(write: Write, ask: Ask) -> None:
    rows = [
        {"a": " A dog. ", "b": "It {ran}.", "c": None, "label": 0},
        {"a": "A cat.", "b": "", "c": 3, "label": 1},
    ]
    form = r"Premise: {a}\nHypothesis: {b} {{sic}}\nCount: {c}"
    questions, _ = ask(
        write("a.jsonl", rows),
        columns={"question": form, "target": "label"},
        labels=["yes", "no"],
    )
    assert [question.text for question in questions] == [
        "Premise: A dog.\nHypothesis: It {ran}. {sic}",
        "Premise: A cat.\nCount: 3",
    ]
    assert [question.target for question in questions] == ["A", "B"]
    assert [choice.text for choice in questions[0].choices] == ["yes", "no"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"question": "{a"}, "has a lone brace"),
        ({"question": "Q {}"}, "names no column"),
        ({"question": "{nope}"}, "no column 'nope'"),
        ({"question": "a", "target": "{a}"}, "a form in braces is for question and in"),
    ],
)
def test_forms_that_cannot_be_filled(
    columns: dict[str, str], message: str, write: Write, ask: Ask
) -> None:
    path = write("a.jsonl", [{"a": "x", "answer": 1}])
    with pytest.raises(ConfigError) as caught:
        ask(path, columns=columns)
    assert message in str(caught.value)


def test_labels_that_all_questions_share(write: Write, ask: Ask) -> None:
    rows = [{"question": f"q{i}", "answer": answer} for i, answer in enumerate("012")]
    path = write("a.jsonl", [*rows, {"question": "q", "answer": -1}])
    questions, source = ask(path, labels=["pro", "con", "both"], on_bad_row="drop")
    assert [question.target for question in questions] == ["A", "B", "C"]
    assert source.drops == {"no_target": 1}
    named = [{"question": "q", "answer": "con"}, {"question": "r", "answer": "Pro"}]
    questions, _ = ask(write("b.jsonl", named), labels=["pro", "con", "both"])
    assert [question.target for question in questions] == ["B", "A"]
    with pytest.raises(DataError, match="labels are"):
        ask(path, labels=["pro", "pro"])


def test_a_split_whose_positions_are_all_minus_one_is_unpublished(
    write: Write, ask: Ask
) -> None:
    rows = [{"question": "q", "choices": ["a", "b"], "answer": -1}] * 3
    questions, source = ask(write("test.jsonl", rows))
    assert [question.target for question in questions] == [None] * 3
    assert "no targets" in (source.read_as("test") or "")


@pytest.mark.parametrize("field", ["choices", "other_targets", "id", "kind", "answer"])
def test_columns_that_come_late_count(field: str, write: Write, ask: Ask) -> None:
    early = {"question": "q", "answer": "Rome"}
    late = {
        "choices": ["Rome", "Oslo"],
        "other_targets": ["Roma"],
        "id": "x",
        "kind": "text",
        "answer": "Oslo",
    }
    rows = [dict(early, question=f"q{i}") for i in range(150)]
    if field == "answer":
        rows = [{"question": row["question"]} for row in rows]
    path = write("a.jsonl", [*rows, {**early, field: late[field]}])
    if field == "other_targets":
        questions, _ = ask(path)
        assert questions[-1].targets == ("Rome", "Roma")
        return
    with pytest.raises(DataError, match=r"row 0 \(from 0\)"):
        ask(path)
    questions, _ = ask(path, on_bad_row="drop")
    assert len(questions) == 1


def test_a_split_without_targets_is_read_as_the_other_one(
    write: Write, ask: Ask
) -> None:
    train = [
        {"question": f"q{i}", "one": "a", "two": "b", "gold": i % 2} for i in range(4)
    ]
    folder = write("set/train.jsonl", train).parent
    unlabelled = [{"question": "q", "one": "a", "two": "b"}]
    write("set/test.jsonl", unlabelled)
    write("set/dev.jsonl", [{**unlabelled[0], "gold": None}, {**unlabelled[0]}])
    columns = {"choices": "one,two", "target": "gold"}
    _, source = ask(folder, columns=columns)
    for split, count in (("test", 1), ("validation", 2)):
        questions = list(source.read(split))
        assert [question.target for question in questions] == [None] * count
        assert len(questions[0].choices) == 2
        assert "no targets" in (source.read_as(split) or "")
    with pytest.raises(ConfigError, match=r"no column 'gold'.*Pass --map target= if"):
        ask(folder / "test.jsonl", columns=columns)
    (question,), _ = ask(
        folder / "test.jsonl", columns={"choices": "one,two", "target": ""}
    )
    assert question.target is None


def test_an_unlabelled_split_has_the_kind_of_the_labelled_one(
    write: Write, ask: Ask
) -> None:
    folder = write("set/train.jsonl", [{"question": "q", "answer": 3}]).parent
    write("set/test.jsonl", [{"question": "r"}])
    _, source = ask(folder)
    (question,) = source.read("test")
    assert (question.kind.value, question.target) == ("number", None)


def test_labels_that_a_parquet_file_names(ask: Ask, tmp_path: Path) -> None:
    import datasets

    path = tmp_path / "train.parquet"
    names = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])
    features = datasets.Features({"question": datasets.Value("string"), "label": names})
    rows = {"question": ["q0", "q1"], "label": [2, 1]}
    assert find_label_names(features) == {"label": tuple(names.names)}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    questions, source = ask(path, columns={"target": "label"})
    assert [question.target for question in questions] == ["C", "B"]
    assert [choice.text for choice in questions[0].choices] == names.names
    assert "options entailment, neutral, contradiction" in (
        source.read_as("train") or ""
    )


def test_errors_name_the_option_that_maps_the_source(write: Write) -> None:
    path = write("a.jsonl", [{"q": "What is it?", "gold": 1}])
    source = open_source(SourceConfig(name=str(path)))
    source.map_option = "--source-map"
    with pytest.raises(ConfigError, match="Add: --source-map question=q --source-map"):
        source.read("train")
    columns = {"question": "q", "target": "gold"}
    source = open_source(SourceConfig(name=str(path), columns=columns))
    source.map_option = "--source-map"
    assert "(change with --source-map, --kind)" in (source.read_as("train") or "")


def test_the_error_of_a_row_names_the_option_that_maps_the_source(write: Write) -> None:
    rows = [{"question": "q", "answer": 1}, {"question": "r", "answer": ""}]
    source = open_source(SourceConfig(name=str(write("a.jsonl", rows))))
    source.map_option = "--source-map"
    with pytest.raises(
        DataError, match=r"row 1 .*\(--source-map target= leaves out all"
    ):
        list(source.read("train"))


Target = st.sampled_from([1, 2, "3", "yes", "no", True, "x", None, "", "1/2", 0, "B"])
Choices = st.sampled_from(
    [None, ["B", "1"], ["a", "b", "3", None], {"A": "x", "B": "y"}]
)


@given(st.lists(st.tuples(Target, Choices), min_size=1, max_size=12), st.randoms())
def test_the_order_of_rows_decides_nothing(
    cells: list[tuple[Any, Any]], random: Random
) -> None:
    rows: list[dict[str, Any]] = [
        {"question": f"q{i}", "answer": target, "choices": choices}
        for i, (target, choices) in enumerate(cells)
    ]
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert understand(rows) == understand(shuffled)


def understand(rows: list[dict[str, Any]]) -> object:
    """Return what a reading of rows decides, or the kind of its error."""
    reader = ListRows(rows)
    try:
        understood = read_columns(reader, rows[:1], SourceConfig(on_bad_row="drop"))
    except CotbuildError as error:
        return type(error)
    reading = understood.reading
    return reading.kind, reading.form, reading.has_targets, understood.line


class ListRows:
    """Rows in memory."""

    location = "list"

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row | BadRow]:
        return iter(self._rows)

    def checksum(self) -> str:
        return ""


def test_a_table_without_a_header_is_refused(write: Write, ask: Ask) -> None:
    lines = [f"Which of these is number {i}?,one,two,three,four,A" for i in range(3)]
    with pytest.raises(ConfigError, match=r"named by a row of data.*question,A,B,C,D"):
        ask(write("a.csv", "\n".join(lines)))


def test_passages_alone_are_suggested_for_the_question(write: Write, ask: Ask) -> None:
    row = {
        "question": "Why?",
        "answer": "so",
        "exp": "It is so for this reason.",
        "Incorrect Answers": "not so; never",
        "story": "Once there was a dog.",
    }
    _, source = ask(write("a.jsonl", [row, {**row, "question": "How?"}]))
    assert r"where --map 'question={story}\n{question}' shows story" in (
        source.read_as("train") or ""
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": ["a", "b"], "kind": "text"}, "labels is set, which is for choice"),
        ({"target_is": "label", "kind": "number"}, "target_is is set, which is for"),
        ({"labels": ["a", "b"], "columns": {"choices": "x"}}, "are mapped to 'x'"),
        ({"labels": [str(i) for i in range(27)]}, "27 labels, expected at most 26"),
        ({"labels": ["a", " "]}, "expected at least 2 different ones"),
    ],
)
def test_settings_that_exclude_each_other(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        SourceConfig.parse(settings, "settings", ConfigError)


def test_labels_replace_the_choices_of_rows(write: Write, ask: Ask) -> None:
    rows = [{"question": "q", "choices": ["x", "y"], "options": ["z"], "answer": 1}]
    (question,), source = ask(
        write("a.jsonl", rows), labels=["no", "yes"], target_is="index0"
    )
    assert (question.choices[1].text, question.target) == ("yes", "B")
    assert "not used: choices, options" in (source.read_as("train") or "")


def test_wrong_options_under_the_name_of_options(write: Write, ask: Ask) -> None:
    rows = [
        {"question": f"q{i}", "answer": "good", "option1": "bad", "option2": "worse"}
        for i in range(3)
    ]
    path = write("a.jsonl", rows)
    distractors = "option1,option2"
    with pytest.raises(ConfigError, match=f"--map distractors={distractors} if they"):
        ask(path)
    questions, _ = ask(path, columns={"distractors": distractors})
    assert all(
        question.choices[ord(str(question.target)) - ord("A")].text == "good"
        for question in questions
    )


def test_a_stream_is_decided_by_its_first_rows() -> None:
    class Stream(ListRows):
        survey_rows = 3

    rows = [{"question": f"q{i}", "answer": i} for i in range(3)]
    late = {"question": "q", "answer": "many"}
    reading, line = read_columns(Stream([*rows, late]), rows, SourceConfig())
    assert reading.kind is QuestionKind.NUMBER
    assert "(3 of the first 3 rows tell)" in line


def test_yes_and_no_with_a_few_others_may_be_labels(write: Write, ask: Ask) -> None:
    rows = [{"question": f"q{i}", "answer": "yes" if i else "maybe"} for i in range(20)]
    with pytest.raises(ConfigError, match="or --labels maybe,yes to have them as"):
        ask(write("a.jsonl", rows))
