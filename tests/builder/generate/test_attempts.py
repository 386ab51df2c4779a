"""Attempts of another model: read, joined, evaluated, selected by their evaluation."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from cotbuild.builder.generate.attempts import open_attempts, student_attempt
from cotbuild.builder.sources import open_source
from cotbuild.prompts.template import load_template, render_messages
from cotbuild.schemas.answers.grade import PLAIN_GRADING
from cotbuild.schemas.attempts import AttemptsConfig
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Input, Question
from tests.support.commands import invoke, rows

QUESTIONS = [
    {
        "id": f"q{number}",
        "question": f"Which of these is {name}?",
        "choices": ["a stone", "a leaf"],
        "answer": "A" if number % 2 else "B",
    }
    for number, name in enumerate(("hard", "green", "heavy", "light"))
]
ATTEMPTS = [
    {"id": "q0", "text": "Leaves are green.\nThe answer is (B)."},
    {"id": "q0", "text": "Stones are grey.\nThe answer is (A)."},
    {"id": "q1", "text": "I cannot say."},
    {"id": "q2", "text": "  "},
    {"id": "q9", "text": "The answer is (A)."},
]


def write_lines(path: Path, values: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "questions.jsonl", QUESTIONS)


@pytest.fixture
def attempts(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "attempts.jsonl", ATTEMPTS)


@pytest.mark.parametrize(
    ("only", "numbers", "without", "skipped"),
    [
        ("all", [("q0", 0), ("q0", 1), ("q1", 0)], 2, {}),
        ("wrong", [("q0", 0), ("q1", 0)], 2, {"not_wrong": 1}),
    ],
)
def test_each_attempt_is_an_input_of_its_question(
    questions: Path,
    attempts: Path,
    only: str,
    numbers: list[tuple[str, int]],
    without: int,
    skipped: dict[str, int],
) -> None:
    source = open_source(SourceConfig(name=str(questions)))
    config = AttemptsConfig.parse({"file": str(attempts), "only": only}, "attempts")
    found = open_attempts(config, source, PLAIN_GRADING)
    attached = list(found.attach(source.read(source.split)))
    assert [(one.question.id, one.number) for one in attached] == numbers
    assert attached[-1].question.input_texts["attempt"] == "I cannot say."
    entry = found.entry()
    assert entry.num_evaluated == len(numbers)
    assert entry.num_questions_without == without
    assert entry.dropped.items() >= {"no_question": 1, **skipped}.items()
    assert sum(entry.dropped.values()) == entry.num_texts - len(numbers)


def test_columns_that_show_no_text_name_the_option(
    questions: Path, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "x.jsonl", [{"a": "b"}])
    source = open_source(SourceConfig(name=str(questions)))
    with pytest.raises(ConfigError, match="--attempts-map text=COL"):
        open_attempts(AttemptsConfig(file=str(file)), source, PLAIN_GRADING)


def test_attempts_at_other_questions_are_an_error(
    questions: Path, tmp_path: Path
) -> None:
    file = write_lines(
        tmp_path / "x.jsonl", [{"id": "z", "text": "The answer is (A)."}]
    )
    source = open_source(SourceConfig(name=str(questions)))
    with pytest.raises(DataError, match="none of 1 texts has a question"):
        open_attempts(AttemptsConfig(file=str(file)), source, PLAIN_GRADING)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"rationale": " It is. ", "said": "a leaf."}, "It is.\nThe answer is a leaf."),
        ({"rationale": None, "said": "4"}, "The answer is 4."),
        ({"rationale": "Only this.", "said": ""}, "Only this."),
    ],
)
def test_what_a_student_wrote_is_an_attempt(row: dict[str, object], text: str) -> None:
    assert student_attempt(row) == text


def test_an_attempt_is_the_reply_between_the_question_and_the_request() -> None:
    attempt = Input(name="attempt", text="It is green.\nThe answer is (B).")
    hint = Input(name="hint", text="Look.")
    question = Question.create("Which?", choices=["a", "b"], inputs=[hint, attempt])
    system, user, reply, request = render_messages(
        load_template("choice_reflect@1"), question
    )
    assert system.role == "system"
    assert user.text.startswith("Hint: Look.\nQuestion: Which?\n")
    assert "green" not in user.text
    assert (reply.role, reply.content) == ("assistant", attempt.text)
    assert "Verdict: Accept" in request.text


def test_a_teacher_evaluates_attempts_and_variants_are_selected_by_the_evaluation(
    questions: Path, attempts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    command = ["generate", "--source", questions, "--attempts", attempts]
    command += ["--teacher", "scripted", "--samples", 8, "--out", out]
    invoke(*command)
    found = rows(out)
    assert Counter(row["question_id"] for row in found) == {"q0": 16, "q1": 8}
    assert [row["sample_index"] for row in found] == [*range(16), *range(8)]
    assert {row["purpose"] for row in found} == {"evaluate"}
    verdicts = [row["attempt_verdict"] for row in found]
    assert verdicts == ["correct"] * 8 + ["incorrect"] * 8 + ["no_answer"] * 8
    assert {row["evaluation"] for row in found} <= {"accept", "refine", None}
    assert not any("Verdict:" in str(row["rationale"]) for row in found)
    invoke("verify", out, "--all")
    manifest = json.loads((out / "manifest.json").read_text())
    assert sum(manifest["reflections"].values()) == 24
    assert manifest["attempts"]["num_evaluated"] == 3
    agreeing = [
        row
        for row in found
        if row["evaluation"] is not None
        and (row["evaluation"] == "accept") == (row["attempt_verdict"] == "correct")
    ]
    all_verdicts = "verdicts=correct,incorrect,no_answer"
    filters = ["--filter", "agrees=true", "--filter", all_verdicts]
    invoke("variants", out, "--only", "pre_cot", *filters)
    assert len(rows(out, "pre_cot")) == len(agreeing)
    assert "0 to send" in invoke(*command, "--dry-run").output
