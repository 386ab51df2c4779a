"""Optional rules of grading: settings of a build, recorded and used wherever it is graded."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

import cotbuild
from cotbuild.builder.api import Build
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.grading import GradingConfig
from tests.support.commands import invoke
from tests.support.weathering import question

TEXT = "Each of 7 rows has 7 chairs. Therefore, there are 49 chairs."
ON = ["--set", "grading.closing_sentence=true"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text(
        "".join(
            json.dumps(
                {
                    "id": name,
                    "question": f"How many, {name}?",
                    "answer": "49",
                    "said": text,
                }
            )
            + "\n"
            for name, text in (("a", TEXT), ("b", "The answer is 49."))
        )
    )
    return file


def test_a_closing_sentence_counts_where_the_build_asks_for_it(
    rows: Path, tmp_path: Path
) -> None:
    out, release = tmp_path / "build", tmp_path / "release"
    words = [
        "import",
        rows,
        "--map",
        "text=said",
        "--map",
        "id=id",
        "--source",
        rows,
        "--out",
        out,
    ]
    invoke(*words)
    assert Build.open(out).manifest.verdicts["no_answer"] == 1
    plan = invoke(*words, *ON, "--dry-run").stdout
    done = invoke(*words, *ON)
    for output in (plan, done.stderr):
        assert "settings of grading: 1 of 2 verdicts change" in output
        assert "1 no_answer → correct (by rule: none → closing_sentence 1)" in output
    build = Build.open(out)
    assert build.manifest.grading == GradingConfig(closing_sentence=True)
    assert build.manifest.answer_rules["closing_sentence"] == {"correct": 1}
    assert build.verify()
    invoke("publish", out, f"file:{release}", "--tag", "v1")
    invoke("verify", f"file:{release}")
    card = (release / "README.md").read_text()
    assert "rule closing_sentence" in card
    assert "--set grading.closing_sentence=true" in card


def test_a_metric_is_named_in_rows_manifest_and_card(tmp_path: Path) -> None:
    pytest.importorskip("math_verify")
    rows, out = tmp_path / "rows.jsonl", tmp_path / "build"
    row = {
        "id": "a",
        "question": "Expand it.",
        "answer": "$x^2 + 2x + 1$",
        "said": "The answer is $(x+1)^2$.",
    }
    rows.write_text(json.dumps(row) + "\n")
    words = [
        "import",
        rows,
        "--map",
        "text=said",
        "--map",
        "id=id",
        "--source",
        rows,
        "--out",
        out,
    ]
    invoke(*words)
    assert Build.open(out).manifest.verdicts["incorrect"] == 1
    done = invoke(*words, "--set", "grading.math_metric=math_verify")
    assert "1 incorrect → correct (by rule: answer_is → answer_is 1)" in done.stderr
    build = Build.open(out)
    assert [row.verdict_rule for row in build.rationales()] == ["math_verify"]
    assert build.manifest.math_metric == f"math-verify {version('math-verify')}"
    assert build.verify()
    again = invoke(*words, "--set", "grading.math_metric=math_verify")
    assert "up to date" in again.stdout


def test_the_python_function_takes_the_settings() -> None:
    asked = question("number", target="49")
    assert cotbuild.grade(TEXT, asked).answer is None
    found = cotbuild.grade(TEXT, asked, closing_sentence=True)
    assert (found.answer, found.answer_rule) == ("49", "closing_sentence")


def test_the_defaults_leave_older_settings_and_digests_as_they_are() -> None:
    values = BuildConfig().model_dump(mode="json")
    assert "grading" not in values
    assert digest("x", values) == digest(
        "x", BuildConfig.parse(values, "x").model_dump(mode="json")
    )
    changed = BuildConfig(grading=GradingConfig(closing_sentence=True))
    assert changed.model_dump(mode="json")["grading"]["closing_sentence"] is True
