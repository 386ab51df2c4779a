"""`cotbuild evaluate` on a tiny local student: what it prints, writes, refuses; figures
recomputed from its files.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cotbuild.builder.evaluation.models import (
    RUN_SOURCE,
    find_model,
    record_run_source,
)
from cotbuild.builder.evaluation.results import read_evaluation, read_results
from cotbuild.builder.evaluation.task import trained_student, untrained_student
from cotbuild.schemas.evaluation import Evaluation, StudentMetrics
from cotbuild.schemas.training import Precision, TrainConfig
from cotbuild.student.evaluation.metrics import (
    compute_chance_accuracy,
    compute_majority_baseline,
    compute_metrics,
)
from cotbuild.student.evaluation.results import (
    choose_likeliest,
    choose_likeliest_normalised,
)
from cotbuild.student.training.run_dir import open_finished_run
from cotbuild.student.training.train import BaseStudent, train_student
from tests.support.commands import cotbuild, invoke, rows, write_questions
from tests.support.student_builds import make_build, variant_rows
from tests.support.tiny import save_tiny


class Made:
    """A build, a student and runs of it."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache = root, root / "cache"
        self.build = make_build(root, 40, ("pre_cot", "post_cot", "rationale_only"))
        self.tiny = save_tiny(root / "tiny", "gpt2")
        trained_id = rows(self.build, "post_cot")[0]["question_id"]
        [trained] = [
            str(row["question"])
            for row in rows(self.build)
            if row["question_id"] == trained_id
        ]
        seen = trained.replace("these", " THESE")
        texts = [seen, *(f"What of {number}, iron?" for number in range(8))]
        self.questions = write_own_options(root / "test.jsonl", texts)

    def run(self, variant: str, rows: int | None = None) -> Path:
        config = TrainConfig(
            variant=variant, student="tiny", epochs=2, lr=1e-2, rows=rows
        )
        out = self.root / f"run_{variant}_{rows}"
        train_student(
            config,
            variant_rows(self.build, variant),
            BaseStudent(*find_model(str(self.tiny), None, print)),
            out,
        )
        return out


def write_own_options(path: Path, texts: Sequence[str]) -> Path:
    """Questions whose options differ, so that they are no classification; target B."""
    lines = []
    for number, text in enumerate(texts):
        choices = [f"this {number}", "that", "neither"]
        row = {"question": text, "choices": choices, "answer": "B"}
        lines.append(json.dumps(row) + "\n")
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    root = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("COTBUILD_CACHE", str(root / "cache"))
        yield Made(root)


@pytest.fixture(scope="module")
def post_cot(made: Made) -> Path:
    return made.run("post_cot")


def of_results(metrics: StudentMetrics) -> StudentMetrics:
    """The metrics that depend on the results alone, without the questions."""
    others = {"classification": None, "free_classification": None, "slices": ()}
    return metrics.model_copy(update=others)


def evaluation(folder: Path) -> Evaluation:
    """What stands in the folder, with every figure recomputed from the parquet files."""
    found = read_evaluation(folder)
    ours = read_results(folder / "student.parquet")
    first = found.student.forced is None
    assert compute_metrics(ours, label_first=first) == of_results(found.student)
    assert compute_majority_baseline(ours) == found.majority
    assert compute_chance_accuracy(ours) == found.chance
    for result in ours:
        assert result.choice == choose_likeliest(result.options)
        assert result.choice_normalised == choose_likeliest_normalised(result.options)
        assert result.correct == (result.choice == result.target)
    if found.untrained is not None:
        untrained = read_results(folder / "untrained.parquet")
        assert compute_metrics(untrained, label_first=first) == of_results(
            found.untrained
        )
        assert [r.question_id for r in untrained] == [r.question_id for r in ours]
    return found


def test_a_run_is_shown_beside_itself_untrained_and_the_majority(
    made: Made, post_cot: Path
) -> None:
    words = [
        "evaluate",
        post_cot,
        "--source",
        made.questions,
        "--split",
        "test",
        "--base",
        made.tiny,
    ]
    done = cotbuild(*words)
    out = post_cot / "evaluations" / "test.jsonl-test"
    found = evaluation(out)
    assert found.untrained is not None
    lines = done.stdout.splitlines()
    assert lines[0] == "test.jsonl/test: 9 questions, post_cot@1"
    columns = "accuracy 95 % normalised free no answer forced tokens/q q/s"
    assert lines[1].split() == columns.split()
    for line, name, part in zip(
        lines[2:4],
        ("student", "untrained"),
        (found.student, found.untrained),
        strict=True,
    ):
        assert part.accuracy is not None
        assert line.split()[:3] == [
            name,
            f"{part.accuracy.share:.1%}",
            f"{100 * part.accuracy.low:.1f}-{100 * part.accuracy.high:.1f}",
        ]
        assert line.split()[6] == "-", "nothing is forced where the label comes first"
    assert lines[4] == "majority (B)    100.0%  70.1-100.0"
    assert lines[5] == "chance           33.3%"
    assert lines[6].startswith("accuracy: forced choice: ")
    assert lines[7] == "normalised: log-likelihood / characters of the label"
    assert lines[8].startswith(
        "1 question of these in the training rows; accuracy on the others "
    )
    assert lines[9] == f"{out}  questions {found.evaluated.rows[:16]}"
    assert len(lines) == 10
    assert found.student.seen == 1
    assert str(made.root) not in (out / "evaluation.json").read_text()
    assert "9/9 questions" in done.stderr

    # All of it is had: the same again without a model, and the untrained student's from
    # the cache.
    again = invoke("evaluate", post_cot, "--source", made.questions, "--split", "test")
    assert again.stdout == done.stdout
    assert "questions ·" not in again.stderr
    invoke(
        "evaluate",
        post_cot,
        "--source",
        made.questions,
        "--split",
        "test",
        "--out",
        made.root / "elsewhere",
    )
    assert evaluation(made.root / "elsewhere").untrained == found.untrained


def test_before_label_students_generate_and_are_counted(made: Made) -> None:
    run, out = made.run("pre_cot"), made.root / "pre"
    invoke(
        "evaluate",
        run,
        "--source",
        made.questions,
        "--limit",
        4,
        "--base",
        made.tiny,
        "--out",
        out,
    )
    found = evaluation(out)
    results = read_results(out / "student.parquet")
    assert len(results) == 4
    assert found.student.forced is not None
    assert found.student.forced.count == sum(result.forced for result in results)
    assert (
        found.student.rationale_tokens_per_question
        == sum(r.rationale_tokens for r in results) / 4
        > 0
    )
    assert found.evaluated.rationale_tokens >= 64


def test_given_the_teachers_chains_it_is_asked_what_it_was_not_trained_on(
    made: Made,
) -> None:
    run = made.run("pre_cot", rows=8)
    record_run_source(run, str(made.build))
    done = invoke(
        "evaluate", run, "--teacher-chains", "--limit", 5, "--base", made.tiny
    )
    lines = done.stdout.splitlines()
    assert (
        lines[0]
        == "train.jsonl/train: 5 questions, pre_cot@1, given the teacher's own rationales"
    )
    out = run / "evaluations" / "train.jsonl-train-first-5-teacher-chains"
    found, results = evaluation(out), read_results(out / "student.parquet")
    assert found.evaluated.teacher_chains
    assert (found.student.seen, found.student.rationale_tokens_per_question) == (0, 0.0)
    texts = {str(row["question_id"]): row for row in rows(made.build, "pre_cot")}
    for result in results:
        row = texts[result.question_id]
        assert result.rationale
        assert f" {result.rationale}\nAnswer:" in str(row["completion"])
    trained = {str(row["question_id"]) for row in texts.values()} - {
        result.question_id for result in results
    }
    assert len(trained) >= 8


def test_teacher_chains_are_for_runs_that_reason_first(
    made: Made, post_cot: Path
) -> None:
    for student in (post_cot, made.tiny):
        words = ["evaluate", student, "--teacher-chains", "--source", made.build]
        refused = invoke(*words, code=2).stderr.splitlines()
        assert refused == [
            f"error: --teacher-chains: {student} reads no rationale before its label. "
            "Pass a run that does, such as one trained on pre_cot or given_rationale."
        ]


def test_a_model_alone_with_a_variant_and_a_dry_run(made: Made) -> None:
    words = [
        "evaluate",
        made.tiny,
        "--source",
        made.questions,
        "--variant",
        "label_only",
    ]
    dry = invoke(*words, "--dry-run").stdout.splitlines()
    assert re.fullmatch(r"9 questions, \d+ tokens read; at most \d+ generated", dry[0])
    assert re.fullmatch(
        r"about \d+:\d\d on this machine \(measured on 9 questions\)", dry[1]
    )
    assert len(dry) == 2
    out = made.root / "model"
    lines = invoke(*words, "--out", out).stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == [
        "student",
        "majority",
        "chance",
        "accuracy:",
        "normalised:",
        str(out),
    ]
    assert evaluation(out).untrained is None
    refused = invoke(*words, "--limit", 5, "--out", out, code=2).stderr.splitlines()
    assert "holds an evaluation with rows" in refused[-1]


@pytest.mark.parametrize("precision", Precision)
def test_both_sides_are_loaded_in_the_declared_precision(
    made: Made, post_cot: Path, precision: Precision
) -> None:
    run = open_finished_run(post_cot)
    base = find_model(str(made.tiny), None, print)
    trained = trained_student(post_cot, run, precision)
    untrained = untrained_student(base, trained.spec, trained.layout, precision)
    loaded = {student.load().model.dtype for student in (trained, untrained)}
    assert [str(dtype) for dtype in loaded] == [f"torch.{precision.value}"]


def test_the_declared_precision_is_recorded(made: Made, post_cot: Path) -> None:
    words = ["evaluate", post_cot, "--source", made.questions, "--split", "test"]
    invoke(*words, "--base", made.tiny, "--precision", "bfloat16")
    out = post_cot / "evaluations" / "test.jsonl-test-bfloat16"
    assert evaluation(out).evaluated.precision is Precision.BFLOAT16
    refused = invoke(*words, "--base", made.tiny, "--out", out, code=2)
    assert "holds an evaluation with precision 'bfloat16'" in refused.stderr


def test_questions_of_a_build_are_its_evaluation_splits(
    made: Made, post_cot: Path
) -> None:
    folder = made.root / "source"
    folder.mkdir()
    write_questions(
        folder / "train.jsonl", [f"What is {number}?" for number in range(4)]
    )
    write_questions(folder / "dev.jsonl", [f"Who is {number}?" for number in range(3)])
    build = made.root / "with_dev"
    cotbuild(
        "generate",
        "--source",
        folder,
        "--split",
        "train",
        "--teacher",
        "scripted",
        "--eval-splits",
        "dev",
        "--out",
        build,
    )
    done = invoke(
        "evaluate",
        made.tiny,
        "--source",
        build,
        "--split",
        "dev",
        "--out",
        made.root / "dev",
    )
    assert done.stdout.splitlines()[0] == "source/validation: 3 questions, label_only@1"
    record_run_source(post_cot, str(build))
    done = invoke(
        "evaluate",
        post_cot,
        "--split",
        "dev",
        "--base",
        made.tiny,
        "--out",
        made.root / "dev_of_run",
    )
    assert done.stdout.splitlines()[0] == "source/validation: 3 questions, post_cot@1"
    (post_cot / RUN_SOURCE).unlink()
    done = invoke(
        "evaluate",
        made.tiny,
        "--source",
        build,
        "--split",
        "test",
        "--out",
        made.root / "x",
        code=2,
    )
    assert "no evaluation split 'test'; it has validation. Pass" in done.stderr


def unfinished(made: Made, run: Path) -> Path:
    folder = made.root / "unfinished"
    folder.mkdir(exist_ok=True)
    value = json.loads((run / "run.json").read_text()) | {"finished": False}
    (folder / "run.json").write_text(json.dumps(value))
    return folder


@pytest.mark.parametrize(
    ("student", "words", "said", "code"),
    [
        ("run", [], "no record of the build it was trained on", 2),
        ("tiny", [], "no --source. Pass the questions", 2),
        (
            "nowhere",
            ["--split", "dev"],
            "nowhere: no such run. Pass the folder that `cotbuild train --out` wrote; to "
            "evaluate a bare model, also pass --source, --variant and --out.",
            2,
        ),
        (
            "run",
            ["--source", "QUESTIONS", "--variant", "pre_cot"],
            "is a run, which has its own variant and model",
            2,
        ),
        (
            "run",
            [
                "--source",
                "QUESTIONS",
                "--base",
                "RUN/model",
                "--limit",
                "2",
                "--out",
                "OUT",
            ],
            "the run began with",
            2,
        ),
        (
            "run",
            ["--source", "QUESTIONS", "--limit", "3", "--out", "OUT3"],
            "Pass --base FOLDER",
            2,
        ),
        ("unfinished", ["--source", "QUESTIONS"], "training has not finished", 1),
        (
            "tiny",
            ["--source", "QUESTIONS"],
            "no --out. Pass a folder for the results",
            2,
        ),
        (
            "tiny",
            ["--source", "QUESTIONS", "--variant", "paper"],
            "--variant names label_only, ",
            2,
        ),
        (
            "tiny",
            ["--source", "QUESTIONS", "--variant", "what"],
            "variant 'what': not known",
            2,
        ),
        ("nowhere", ["--source", "QUESTIONS"], "nowhere", 2),
    ],
)
def test_what_it_refuses_is_one_line(
    made: Made, post_cot: Path, student: str, words: list[str], said: str, code: int
) -> None:
    students = {
        "run": post_cot,
        "tiny": made.tiny,
        "unfinished": unfinished(made, post_cot),
        "nowhere": "nowhere",
    }
    names = {"QUESTIONS": str(made.questions), "RUN/model": str(post_cot / "model")}
    names |= {"OUT": str(made.root / "refused"), "OUT3": str(made.root / "refused3")}
    done = invoke(
        "evaluate",
        students[student],
        *(names.get(word, word) for word in words),
        code=code,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert said in errors[0]
