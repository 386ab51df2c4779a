"""The folder of an evaluation: resuming, mismatches, and recomputed metrics."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cotbuild.builder.evaluation.results import (
    PartialResults,
    ResultsFile,
    cached_untrained,
    read_results,
)
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.evaluation import EvaluationInputs, QuestionResult
from cotbuild.schemas.question import QuestionKind
from cotbuild.student.evaluation.evaluate import (
    estimate_evaluation_cost,
    evaluate_questions,
)
from cotbuild.student.evaluation.plan import (
    ProseLimits,
    make_evaluation_inputs,
    make_evaluation_plan,
)
from cotbuild.student.model import Student
from tests.student.evaluation.test_decode import choice_item, plain_item
from tests.student.evaluation.test_options import POST, PRE
from tests.support.tiny import shared_student

ITEMS = [
    *(choice_item(n, "ABC"[n % 3]) for n in range(40)),
    plain_item(QuestionKind.NUMBER, "3"),
]
PLAN = make_evaluation_plan(POST, 0, 4096)
SPEC = builtin_variants()["post_cot"]
WHAT = make_evaluation_inputs("tiny", ITEMS, PLAN, SPEC, "test")


def student() -> Student:
    return shared_student("gpt2")


def collect(
    folder: Path, what: EvaluationInputs = WHAT
) -> tuple[list[QuestionResult], list[int]]:
    """The results, and the places that were run for them."""
    ran: list[int] = []

    def run(done: PartialResults) -> Iterator[tuple[int, QuestionResult]]:
        for place, result in evaluate_questions(student(), ITEMS, PLAN, done):
            ran.append(place)
            yield place, result

    return ResultsFile(folder, "student", what).collect(run, lambda *_: None), ran


def told(results: list[QuestionResult]) -> list[dict[str, object]]:
    """Without times and the last digits of floats."""
    return [
        result.model_dump(mode="json", exclude={"seconds": True, "options": True})
        | {
            "options": [
                (option.name, round(option.log_prob, 3)) for option in result.options
            ]
        }
        for result in results
    ]


def test_results_are_in_order_and_computed_once(tmp_path: Path) -> None:
    results, ran = collect(tmp_path)
    assert [result.question_id for result in results] == [
        item.question.id for item in ITEMS
    ]
    assert sorted(ran) == list(range(len(ITEMS)))
    again, ran = collect(tmp_path)
    assert again == results == read_results(tmp_path / "student.parquet")
    assert ran == []
    assert [path.name for path in tmp_path.iterdir()] == ["student.parquet"]


def test_results_without_the_columns_of_this_version_are_read(tmp_path: Path) -> None:
    results, _ = collect(tmp_path)
    path = tmp_path / "student.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["cut"]), path)
    assert ResultsFile(tmp_path, "student", WHAT).read_finished() == [
        result.model_copy(update={"cut": False}) for result in results
    ]


def test_a_killed_evaluation_resumes(tmp_path: Path) -> None:
    journal = tmp_path / ".student.jsonl"
    command = [sys.executable, "-m", "tests.support.evaluate_slowly", str(tmp_path)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    while process.poll() is None and (
        not journal.exists() or journal.read_bytes().count(b"\n") < 6
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    had = journal.read_bytes().count(b"\n") - 1
    with journal.open("ab") as file:
        file.write(
            b'{"at": 3, "result": {"questi'
        )  # as a kill in the middle of a line leaves it
    results, ran = collect(tmp_path)
    assert len(ran) == len(ITEMS) - had
    assert told(results) == told(collect(tmp_path / "whole")[0])
    assert not journal.exists()


def test_a_torn_result_is_computed_again(tmp_path: Path) -> None:
    journal = tmp_path / ".student.jsonl"
    whole = dict(evaluate_questions(student(), ITEMS, PLAN))
    lines = [json.dumps({"evaluated": WHAT.model_dump(mode="json")})]
    lines += [
        json.dumps({"at": at, "result": result.model_dump(mode="json")})
        for at, result in whole.items()
    ]
    for cut in (len(lines[0]) - 5, len(lines[0]) + 1, len(lines[0]) + 40):
        journal.write_text("\n".join(lines)[:cut])
        results, ran = collect(tmp_path)
        assert len(ran) == len(ITEMS)
        assert told(results) == told([whole[i] for i in range(len(ITEMS))])
        (tmp_path / "student.parquet").unlink()


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("field", ["student", "rows", "version"])
def test_another_evaluation_in_the_folder_is_rejected(
    field: str, finished: bool, tmp_path: Path
) -> None:
    if finished:
        collect(tmp_path)
    else:
        (tmp_path / ".student.jsonl").write_text(
            json.dumps({"evaluated": WHAT.model_dump(mode="json")}) + "\n"
        )
    other = WHAT.model_copy(update={field: 9 if field == "version" else "other"})
    with pytest.raises(
        ConfigError, match=f"holds an evaluation with {field} .*Pass another --out"
    ):
        collect(tmp_path, other)


def test_inputs_differ_by_what_decides_the_results() -> None:
    fewer = make_evaluation_inputs("tiny", ITEMS[1:], PLAN, SPEC, "test")
    elsewhere = make_evaluation_inputs(
        "tiny", ITEMS, make_evaluation_plan(PRE, 0, 4096), SPEC, "test"
    )
    assert len({WHAT.rows, fewer.rows}) == 2
    assert len({WHAT.layout, elsewhere.layout}) == 2
    assert (
        make_evaluation_inputs(
            "tiny", ITEMS, make_evaluation_plan(POST, 0, 1, {"seen"}), SPEC, "test"
        )
        == WHAT
    )
    places = {
        cached_untrained(Path("cache"), what)._parquet
        for what in (WHAT, fewer, elsewhere)
    }
    assert len(places) == 3


def test_limits_of_prose_are_recorded_for_prose_alone() -> None:
    assert not {"prose_tokens", "multiline_prose"} & WHAT.model_dump().keys()
    prose = ITEMS[0].question.model_copy(
        update={"kind": QuestionKind.PROSE, "choices": ()}
    )
    items = [ITEMS[0]._replace(question=prose), *ITEMS[1:]]
    plan = PLAN._replace(prose=ProseLimits(tokens=80, multiline=True))
    what = make_evaluation_inputs("tiny", items, plan, SPEC, "test")
    assert (what.prose_tokens, what.multiline_prose) == (80, True)


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "student.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(StoreError, match="Delete the file to evaluate again"):
        collect(tmp_path)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="could not be written: Not a directory"):
        collect(tmp_path / "file" / "out")


def test_the_cost_counts_what_is_read_and_generated() -> None:
    cost = estimate_evaluation_cost(student(), ITEMS[:3], PLAN)
    by_hand = 0
    tokenizer = student().tokenizer
    for item in ITEMS[:3]:
        by_hand += len(tokenizer.encode(item.row.prompt))
        by_hand += sum(len(tokenizer.encode(f" {label}\n")) for label in item.labels)
    assert cost.tokens == by_hand
    assert cost.generated == 3 * max(
        len(tokenizer.encode(f" {label}")) for label in ITEMS[0].labels
    )
    assert cost.measured == 3
    assert cost.seconds > 0
