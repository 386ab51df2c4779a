"""`cotbuild compare`: exact lines, exit codes and files."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cotbuild.builder.variants.scores import write_scores
from cotbuild.schemas.training import Precision
from tests.builder.variants.test_corpus import INFO
from tests.support.commands import invoke
from tests.support.evaluations import result, write_results
from tests.support.lm_eval_samples import choice_sample, text_sample, write_samples

NOTE = (
    "These are two trained students: another seed of either moves it too. To compare "
    "recipes, train several seeds of each with `cotbuild study`."
)
RIGHT, WRONG = [-1.0, -2.0, -9.0], [-2.0, -1.0, -9.0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of several students on the same questions, and what is none."""
    root = tmp_path_factory.mktemp("compare")
    a = [result(n, "B" if n < 8 else "A") for n in range(12)]
    b = [result(n, "B" if n % 2 else "A", answer=None) for n in range(12)]
    write_results(root / "runs" / "a" / "evaluations" / "questions-test", a)
    (root / "runs" / "a" / "run.json").write_text("{}")
    write_results(root / "b", b)
    write_results(root / "few", b[:9])
    write_results(
        root / "lower",
        b,
        precision=Precision.BFLOAT16,
        mapping={"question": "stem"},
        rationales_by="trained:1",
        version=2,
    )
    table = pq.read_table(root / "b" / "student.parquet")
    pq.write_table(table.replace_schema_metadata(), root / "bare.parquet")
    write_scores(root / "scores.parquet", INFO, [])
    write_results(root / "ungraded", [result(n, "A", correct=None) for n in range(12)])
    for name in ("one", "two"):
        write_results(root / "both" / "evaluations" / name, a)
    (root / "both" / "run.json").write_text("{}")
    (root / "untrained").mkdir()
    (root / "untrained" / "run.json").write_text("{}")
    (root / "study").mkdir()
    (root / "study" / "STUDY.yaml").write_text("name: s")
    (root / "empty").mkdir()
    samples = root / "samples"
    samples.mkdir()
    for name, rights in (("x", {0, 1, 2}), ("y", {2, 3})):
        rows = [choice_sample(n, RIGHT if n in rights else WRONG) for n in range(12)]
        write_samples(samples / f"samples_{name}.jsonl", rows)
        texts = [
            text_sample(n, "5" if n in rights else "6", filter_name)
            for n in range(4)
            for filter_name in ("strict-match", "flexible")
        ]
        write_samples(root / f"gsm8k_{name}.jsonl", texts)
    return root


@pytest.fixture(autouse=True)
def _in_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def test_a_run_against_an_evaluation() -> None:
    lines = invoke("compare", "runs/a", "b", "--changed", 2).stdout.splitlines()
    assert lines == [
        "A  runs/a/evaluations/questions-test",
        "B  b",
        "12 questions, the same in both",
        "                A      B  A - B            95 %  only A right  only B right  McNemar p",
        "accuracy    66.7%  50.0%  +16.7  -24.6 to +53.2             4             2      0.688",
        "normalised  66.7%  50.0%  +16.7  -24.6 to +53.2             4             2      0.688",
        "free        66.7%  50.0%  +16.7  -24.6 to +53.2             4             2      0.688",
        NOTE,
        "by accuracy, one alone is right on 6 questions, the first 2",
        "question  target  right  A  B",
        "q0             B      A  B  A",
        "q2             B      A  B  A",
    ]


def test_changed_questions_by_another_metric() -> None:
    lines = invoke("compare", "runs/a", "b", "--metric", "free", "--changed", 1).stdout
    assert lines.splitlines()[-3:] == [
        "by free, one alone is right on 6 questions, the first 1; 6 more with different "
        "answers",
        "question  target  right  A  B",
        "q0             B      A  B  -",
    ]


def test_the_trained_student_against_the_untrained_one() -> None:
    record = "runs/a/evaluations/questions-test/evaluation.json"
    lines = invoke("compare", record, "b/student.parquet", "--changed", 0).stdout
    assert lines.splitlines()[0] == "A  runs/a/evaluations/questions-test"
    assert lines.splitlines()[-1] == "by accuracy, one alone is right on 6 questions"


def test_shared_questions_alone_when_asked_for() -> None:
    refused = invoke("compare", "b", "few", code=1)
    assert refused.stderr == (
        "error: A and B answered different questions: 3 by A alone, such as 'q9'. Evaluate "
        "both on the same questions, or pass --shared to compare the 9 that both answered.\n"
    )
    lines = invoke("compare", "b", "few", "--shared").stdout.splitlines()
    assert lines[2] == (
        "9 questions in both; left out: 3 of A alone, 0 of B alone, 0 with another target "
        "or row"
    )
    assert lines[-1] == "by accuracy, one alone is right on 0 questions"


def test_each_input_of_the_evaluations_that_differs_is_named() -> None:
    lines = invoke("compare", "b", "lower").stdout.splitlines()
    assert lines[3:7] == [
        "evaluated with another precision: 'float32' in A, 'bfloat16' in B",
        "evaluated with another mapping: {} in A, {'question': 'stem'} in B",
        "evaluated with another rationales_by: None in A, 'trained:1' in B",
        "evaluated with another version: 1 in A, 2 in B",
    ]
    lines = invoke("compare", "b", "bare.parquet").stdout.splitlines()
    assert lines[3] == ("B does not record what was evaluated, such as the precision")


def test_samples_of_lm_evaluation_harness() -> None:
    words = ["compare", "samples/samples_x.jsonl", "samples/samples_y.jsonl"]
    lines = invoke(*words).stdout.splitlines()
    assert lines == [
        "A  samples/samples_x.jsonl",
        "B  samples/samples_y.jsonl",
        "12 questions, the same in both",
        "                A      B  A - B            95 %  only A right  only B right  McNemar p",
        "accuracy    25.0%  16.7%   +8.3  -23.9 to +38.2             2             1          1",
        "normalised  25.0%  16.7%   +8.3  -23.9 to +38.2             2             1          1",
        "not compared, since they do not grade an answer as right or wrong: f1",
        NOTE,
        "by accuracy, one alone is right on 3 questions",
        "question  target  right      A      B",
        "q0             0      A   bank  river",
        "q1             0      A   bank  river",
        "q3             0      B  river   bank",
    ]


def test_samples_against_an_evaluation() -> None:
    lines = invoke("compare", "samples/samples_x.jsonl", "b").stdout.splitlines()
    assert lines[3] == (
        "targets are written in different forms, so they were not compared"
    )
    assert lines[4].startswith("log-likelihoods of options include the token that ends")
    assert lines[6].split()[:4] == ["accuracy", "25.0%", "50.0%", "-25.0"]


def test_one_filter_of_a_task_and_the_order_of_a_split() -> None:
    lines = invoke("compare", "gsm8k_x.jsonl", "gsm8k_y.jsonl").stdout.splitlines()
    assert [line.split()[0] for line in lines[4:6]] == [
        "free,strict-match",
        "free,flexible",
    ]
    words = ["--filter", "flexible", "--by-order"]
    refused = invoke("compare", "gsm8k_x.jsonl", "b", *words, code=2).stderr
    assert "--by-order: A has 4 questions, B 12." in refused
    lines = invoke(
        "compare", "gsm8k_x.jsonl", "gsm8k_y.jsonl", *words
    ).stdout.splitlines()
    assert lines[4].split()[:3] == ["free", "75.0%", "50.0%"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_all_changed_questions_in_a_file(ending: str, tmp_path: Path) -> None:
    out = tmp_path / f"changed.{ending}"
    words = ["compare", "runs/a", "b", "--metric", "free", "--out", out]
    assert invoke(*words).stdout.splitlines()[-1] == f"{out}: 12 changed questions"
    text = out.read_text(encoding="utf-8")
    if ending == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert list(rows[0].values()) == ["q0", "B", "free", "B", "True", "", "False"]
    else:
        rows = [json.loads(line) for line in text.splitlines()]
        assert list(rows[0].values()) == ["q0", "B", "free", "B", True, None, False]
    assert len(rows) == 12
    assert f"--out {out}: exists." in invoke(*words, code=2).stderr
    assert out.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["both", "b"],
            2,
            "both: has 2 evaluations: one, two. Pass one of them, such as",
        ),
        (
            ["untrained", "b"],
            1,
            "untrained: not evaluated. Run `cotbuild evaluate` on it",
        ),
        (
            ["study", "b"],
            2,
            "study: a study, whose report compares its variants over all",
        ),
        (["runs", "b"], 2, "runs: holds 1 training run. `compare` takes one a side"),
        (["samples", "b"], 2, "samples: holds 2 files of samples of lm-evaluation-"),
        (["empty", "b"], 2, "empty: holds neither an evaluation nor a run."),
        (["nothing", "b"], 1, "nothing: no such file or folder."),
        (["gsm8k_x.jsonl", "b"], 2, "question 0 (from 0) has no id in its dataset"),
        (
            ["b", "b", "--out", "x.txt"],
            2,
            "--out x.txt: the name must end in .jsonl or",
        ),
        (
            ["b", "b", "--metric", "f1"],
            2,
            "--metric 'f1' was not compared. Pass one of",
        ),
        (
            ["b", "b", "--filter", "none"],
            2,
            "--filter is for samples of lm-evaluation-",
        ),
        (
            ["b", "scores.parquet"],
            2,
            "scores.parquet: not a file of results, since it has no column 'kind'. Pass "
            "student.parquet or untrained.parquet of an evaluation, or its folder.",
        ),
        (["b", ""], 2, "'' is empty. Pass a path"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    words: list[str], code: int, message: str
) -> None:
    assert message in invoke("compare", *words, code=code).stderr


def test_what_one_side_does_not_grade_is_counted() -> None:
    lines = invoke("compare", "b", "ungraded").stdout.splitlines()
    assert lines[4].startswith("normalised")
