"""Two stages, on tiny students: one writes rationales, the other reads them; and a student
of messages.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.evaluation.models import find_model, record_run_source
from cotbuild.builder.evaluation.results import read_evaluation, read_results
from cotbuild.schemas.evaluation import NO_METRIC
from cotbuild.schemas.training import TrainConfig
from cotbuild.student.training.run_dir import open_finished_run, run_identity
from cotbuild.student.training.train import BaseStudent, train_student
from tests.support.commands import invoke, write_questions
from tests.support.student_builds import make_build, variant_rows
from tests.support.tiny import save_tiny

VARIANTS = ("rationale_only", "given_rationale", "post_cot", "chat_pre_cot")


class Made:
    """A build, a student with a chat template, and runs of it."""

    def __init__(self, root: Path) -> None:
        self.build = make_build(root, 40, VARIANTS)
        self.tiny = save_tiny(root / "tiny", "llama")
        texts = [f"What of {number}, iron?" for number in range(6)]
        self.questions = write_questions(root / "test.jsonl", texts)
        self.runs = {name: self._train(root / name, name) for name in VARIANTS}

    def _train(self, out: Path, variant: str) -> Path:
        config = TrainConfig(variant=variant, student="tiny", epochs=1, rows=8)
        model = find_model(str(self.tiny), None, print)
        rows = variant_rows(self.build, variant)
        train_student(config, rows, BaseStudent(*model), out)
        record_run_source(out, str(self.build))
        return out

    def evaluate(self, variant: str, *words: object, code: int = 0) -> str:
        """What the command prints, of the first four questions of the file."""
        given = ["--source", self.questions, "--limit", 4, "--base", self.tiny]
        done = invoke("evaluate", self.runs[variant], *given, *words, code=code)
        return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("given")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COTBUILD_CACHE", str(root / "cache"))
        yield Made(root)


def test_the_rationales_of_a_student_without_a_label_are_kept_and_not_graded(
    made: Made, tmp_path: Path
) -> None:
    shown = made.evaluate("rationale_only", "--out", tmp_path)
    found, results = (
        read_evaluation(tmp_path),
        read_results(tmp_path / "student.parquet"),
    )
    assert found.metric == NO_METRIC
    assert NO_METRIC in shown
    assert "graded" not in shown
    metrics = found.student
    assert (metrics.accuracy, metrics.parse_failures, found.majority) == (None,) * 3
    assert metrics.rationale_tokens_per_question > 0
    assert all(result.rationale is not None for result in results)
    assert {(result.said, result.answer, result.correct) for result in results} == {
        ("", None, None)
    }


def test_a_student_reads_the_rationales_of_another(made: Made, tmp_path: Path) -> None:
    first, second = made.runs["rationale_only"], made.runs["given_rationale"]
    shown = made.evaluate("given_rationale", "--rationales-from", first)
    identity = run_identity(open_finished_run(first))
    assert "given the rationales of another student" in shown
    name = f"test.jsonl-test-first-4-rationales-{identity.partition(':')[2][:8]}"
    found = read_evaluation(second / "evaluations" / name)
    assert found.evaluated.rationales_by == identity
    assert found.student.accuracy is not None
    assert found.student.rationale_tokens_per_question == 0
    # The first student's are kept beside its run, and can be passed as they are.
    kept = first / "evaluations" / "test.jsonl-test-first-4"
    assert (kept / "student.parquet").is_file()
    made.evaluate("rationale_only", "--out", kept)
    made.evaluate("given_rationale", "--rationales-from", kept, "--out", tmp_path)
    assert read_evaluation(tmp_path).evaluated == found.evaluated


def test_the_teachers_rationales_are_given_in_the_prompt_too(made: Made) -> None:
    run = made.runs["given_rationale"]
    words = ["--teacher-chains", "--limit", 3, "--base", made.tiny]
    done = invoke("evaluate", run, *words)
    assert "given the teacher's own rationales" in done.stdout


@pytest.mark.parametrize(
    ("variant", "words", "message"),
    [
        ("given_rationale", [], "and none is given. Pass --rationales-from"),
        ("given_rationale", ["--rationales-from", "NOWHERE"], "neither a run nor"),
        ("given_rationale", ["--rationales-from", "post_cot"], "writes no rationale"),
        ("post_cot", ["--rationales-from", "rationale_only"], "reads no rationale"),
        (
            "given_rationale",
            ["--rationales-from", "rationale_only", "--teacher-chains"],
            "both give rationales",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    made: Made, variant: str, words: list[str], message: str
) -> None:
    paths = {name: str(path) for name, path in made.runs.items()}
    said = made.evaluate(variant, *(paths.get(word, word) for word in words), code=2)
    [line] = said.splitlines()
    assert message in line


def test_a_dry_run_writes_no_rationales(made: Made, tmp_path: Path) -> None:
    first = made.runs["rationale_only"]
    words = ["--source", made.questions, "--limit", 3, "--base", made.tiny]
    given = ["--rationales-from", first, "--dry-run"]
    refused = invoke("evaluate", made.runs["given_rationale"], *words, *given, code=2)
    [line] = refused.stderr.splitlines()
    assert "--dry-run generates nothing. Evaluate that run first." in line
    invoke("evaluate", first, *words)
    invoke("evaluate", made.runs["given_rationale"], *words, *given)
    assert not list(tmp_path.iterdir())


def test_an_evaluation_of_fewer_questions_is_named(made: Made, tmp_path: Path) -> None:
    run = made.runs["rationale_only"]
    first = ["--source", made.questions, "--limit", 2, "--base", made.tiny]
    invoke("evaluate", run, *first, "--out", tmp_path)
    said = made.evaluate("given_rationale", "--rationales-from", tmp_path, code=1)
    [line] = said.splitlines()
    assert "no rationale of 2 of 4 questions, such as" in line


def test_a_student_of_messages_is_evaluated_in_its_chat_template(
    made: Made, tmp_path: Path
) -> None:
    made.evaluate("chat_pre_cot", "--out", tmp_path)
    found, results = (
        read_evaluation(tmp_path),
        read_results(tmp_path / "student.parquet"),
    )
    assert found.student.accuracy is not None
    assert [len(result.options) for result in results] == [3] * 4
    assert all(result.rationale_tokens > 0 for result in results)
