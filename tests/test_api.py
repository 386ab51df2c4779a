"""`import cotbuild`: the Python API as a script, a notebook and a type checker see it."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cotbuild
from cotbuild.schemas.evaluation import Evaluation
from tests.support.commands import cotbuild as run_command

SCRIPT = """
import cotbuild

build: cotbuild.Build = cotbuild.open("builds/mine")
name: str = build.manifest.title
for row in build.rows("post_cot"):
    text: str = row.completion
for rationale in build.rationales():
    verdict: cotbuild.Verdict = rationale.verdict
question = cotbuild.Question.create("Which?", choices=["this", "that"], target="B")
answer: str | None = cotbuild.grade("The answer is (B).", question).answer
config: cotbuild.BuildConfig = build.config
version: str = cotbuild.__version__
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> cotbuild.Build:
    """A build of 30 bundled questions, half of them answered right or wrong by luck."""
    out = tmp_path_factory.mktemp("api") / "build"
    made = cotbuild.generate(
        "bundled", out=out, teacher="scripted", limit=30, samples=4, progress=False
    )
    return made.derive(["post_cot", "label_only"], progress=False)


def test_every_public_name_is_there() -> None:
    assert set(cotbuild.__all__) <= set(dir(cotbuild))
    for name in cotbuild.__all__:
        assert getattr(cotbuild, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cotbuild.nothing  # noqa: B018


def test_importing_it_loads_nothing_else() -> None:
    program = "import sys, cotbuild; print(*sorted(sys.modules))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "cotbuild" in loaded
    heavy = {"pydantic", "pyarrow", "numpy", "torch", "transformers", "typer"}
    assert not heavy & set(loaded)


def test_a_build_is_read_as_it_was_made(build: cotbuild.Build) -> None:
    again = cotbuild.open(build.folder)
    assert again.manifest == build.manifest
    assert again.config.source.limit == 30
    assert sum(again.manifest.verdicts.values()) == 120
    rationales = list(again.rationales())
    assert len(rationales) == 120
    correct = [row for row in rationales if row.verdict is cotbuild.Verdict.CORRECT]
    assert [spec.name for spec in again.specs] == ["post_cot", "label_only"]
    assert len(list(again.rows("post_cot"))) == len(correct)
    assert again.verify()[0].startswith("120 rationales")


def test_generating_again_changes_nothing(build: cotbuild.Build) -> None:
    again = cotbuild.generate(
        "bundled",
        out=build.folder,
        teacher="scripted",
        limit=30,
        samples=4,
        progress=False,
    )
    assert again.manifest == build.manifest


def test_a_config_is_a_source_too(build: cotbuild.Build, tmp_path: Path) -> None:
    copy = cotbuild.generate(build.config, out=tmp_path / "copy", progress=False)
    digests = build.manifest.digests
    assert copy.manifest.digests["rationales"] == digests["rationales"]


def test_what_a_server_is_sent_is_a_setting_too(tmp_path: Path) -> None:
    usual: dict[str, Any] = {"out": tmp_path / "build", "progress": False}
    made = cotbuild.generate(
        "bundled",
        teacher="scripted",
        limit=1,
        profile="ollama",
        omit=["seed"],
        sampling={"top_p": "off"},
        **usual,
    )
    assert made.config.teacher.profile == "ollama@1"
    assert made.config.teacher.omit == ("seed", "top_p")
    # Set anew, a field is sent again.
    again = cotbuild.generate(made.config, seed=3, sampling={"top_p": 0.5}, **usual)
    assert again.config.teacher.omit == ()


def test_it_works_where_a_loop_is_running(tmp_path: Path) -> None:
    async def cell() -> cotbuild.Build:
        return cotbuild.generate(
            "bundled", out=tmp_path / "b", teacher="scripted", limit=5, progress=False
        )

    assert asyncio.run(cell()).manifest.num_planned == 5


def test_publish_and_open_a_release(build: cotbuild.Build, tmp_path: Path) -> None:
    lines: list[str] = []
    target = f"file:{tmp_path / 'release'}"
    result = build.publish(target, tag="v1", progress=False, show=lines.append)
    assert result.commit is not None
    assert lines[0].startswith(f"{target}  tag v1")
    release = cotbuild.open(f"{target}@v1", progress=False)
    assert release.manifest.digests == build.manifest.digests


def test_grading_needs_no_build() -> None:
    question = cotbuild.Question.create("Which?", choices=["this", "that"], target="B")
    graded = cotbuild.grade("It floats. The answer is (B).", question)
    assert (graded.answer, graded.verdict.value) == ("B", "correct")
    assert cotbuild.grade("Hard to say.", question).verdict.value == "no_answer"
    assert cotbuild.grade("It floats \ud800.", question).verdict.value == "no_answer"
    number = cotbuild.QuestionKind.NUMBER
    sum_ = cotbuild.Question.create("2 + 2?", target="4", kind=number)
    assert cotbuild.grade("The answer is 4.0.", sum_).verdict.value == "correct"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "nowhere.jsonl"}, "source 'nowhere.jsonl'"),
        (
            {"source": "bundled", "sampels": 3},
            r"generate\(\): there is no field 'sampels'",
        ),
        ({"source": "bundled", "samples": 0}, r"generate\(\): samples is 0"),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(cotbuild.ConfigError, match=message) as caught:
        cotbuild.generate(out=tmp_path / "x", teacher="scripted", **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_build_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(cotbuild.DataError, match="not a finished build"):
        cotbuild.open(tmp_path)


def test_the_version_is_that_of_the_command() -> None:
    done = run_command("--version")
    assert done.stdout.strip() == f"cotbuild {cotbuild.__version__}"


def test_a_users_script_passes_a_strict_type_check(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    command += ["--cache-dir", str(tmp_path / "cache"), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_train_and_evaluate(build: cotbuild.Build, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tests.support.tiny import save_tiny

    student = str(save_tiny(tmp_path / "tiny"))
    run = cotbuild.train(
        build,
        "post_cot",
        student=student,
        out=tmp_path / "run",
        rows=4,
        epochs=1,
        progress=False,
    )
    assert run.record.finished
    assert run.record.data.spec.name == "post_cot"
    results = tmp_path / "results"

    def evaluate(trained: cotbuild.TrainedStudent | Path) -> Evaluation:
        return cotbuild.evaluate(
            trained,
            source="bundled",
            split="test",
            limit=6,
            base=student,
            out=results,
            progress=False,
        )

    evaluation = evaluate(run)
    assert evaluation.evaluated.num_questions == 6
    assert evaluation.student.accuracy is not None
    assert evaluation.untrained is not None
    assert evaluate(run.folder).student.accuracy == evaluation.student.accuracy
    # What `train` returned knows where the base model is.
    assert run.base == student
    with pytest.raises(cotbuild.ConfigError, match="no --source"):
        cotbuild.evaluate(student, out=tmp_path / "bare", progress=False)
