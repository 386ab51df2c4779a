"""The folder of an evaluation: resuming, mismatches, and recomputed metrics."""

import json
import math
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.evaluation.results import (
    PartialResults,
    ResultsFile,
    cached_untrained,
    read_results,
)
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.errors import ConfigError, DataError, StoreError
from cotbuild.schemas.evaluation import EvaluationInputs, QuestionResult
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.training import Precision
from cotbuild.student.evaluation.evaluate import (
    estimate_evaluation_cost,
    evaluate_questions,
)
from cotbuild.student.evaluation.metrics import compute_metrics
from cotbuild.student.evaluation.plan import (
    ProseLimits,
    choose_free_questions,
    make_evaluation_inputs,
    make_evaluation_plan,
)
from cotbuild.student.model import Student
from tests.student.evaluation.test_decode import choice_item, plain_item
from tests.student.evaluation.test_options import POST, PRE
from tests.support.tiny import shared_student, tiny_student

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


def test_a_journal_whose_first_line_is_damaged_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / ".student.jsonl"
    first = next(iter(evaluate_questions(student(), ITEMS[:1], PLAN)))[1]
    line = json.dumps({"at": 0, "result": first.model_dump(mode="json")})
    journal.write_text(f'{{"evaluated": {{"stud\n{line}\n')
    with pytest.raises(StoreError) as caught:
        collect(tmp_path)
    assert str(caught.value) == (
        f"{journal}: does not say what was evaluated (None), so it may be of another "
        "evaluation. Delete the file to evaluate again."
    )


def test_a_finished_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    collect(tmp_path)
    path = tmp_path / "student.parquet"
    pq.write_table(pq.read_table(path).slice(0, 40), path)
    expected = (
        f"{path}: 40 rows, but 41 questions were evaluated. Delete the file to evaluate "
        "again."
    )
    with pytest.raises(StoreError) as caught:
        collect(tmp_path)
    assert str(caught.value) == expected
    with pytest.raises(StoreError) as caught:
        read_results(path)
    assert str(caught.value) == expected


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


def test_free_answers_of_a_sample_leave_the_choices_as_they_are() -> None:
    is_free = choose_free_questions([item.question for item in ITEMS], 7)
    sampled = [
        item._replace(answers_freely=free)
        for item, free in zip(ITEMS, is_free, strict=True)
    ]
    every = dict(evaluate_questions(student(), ITEMS, PLAN))
    found = dict(evaluate_questions(student(), sampled, PLAN))
    for place, free in enumerate(is_free):
        one, other = found[place], every[place]
        assert (one.choice, one.correct) == (other.choice, other.correct)
        if free:
            assert told([one]) == told([other])
        else:
            assert (one.said, one.answer, one.answer_tokens) == ("", None, 0)
            assert one.correct_free is None
    results = list(found.values())
    metrics = compute_metrics(results, label_first=True)
    assert metrics.free is not None
    assert metrics.free.of == 8, "7 with options, and the one without"
    of_answers = [r.answer_tokens for r in results if r.answer_tokens]
    assert metrics.tokens_per_question == sum(of_answers) / 8
    what = make_evaluation_inputs("tiny", sampled, PLAN, SPEC, "test")
    assert what == WHAT.model_copy(update={"free_answers": 7})


@pytest.mark.parametrize("free", [True, False])
def test_a_student_whose_logits_are_no_numbers_is_an_error_in_a_line(
    free: bool,
) -> None:
    damaged = tiny_student("gpt2")
    with torch.no_grad():
        damaged.model.get_parameter("transformer.ln_f.weight").fill_(math.nan)
    items = [ITEMS[0]] if not free else [ITEMS[-1]]
    with pytest.raises(DataError, match=r"^student 'tiny:gpt2:0': .*damaged") as caught:
        list(evaluate_questions(damaged, items, PLAN))
    assert "\n" not in str(caught.value)


def test_a_score_that_is_infinite_names_the_question() -> None:
    damaged = tiny_student("gpt2")
    with torch.no_grad():
        damaged.model.get_parameter("transformer.ln_f.weight").zero_()
        damaged.model.get_parameter("transformer.ln_f.bias").fill_(1e38)
        damaged.model.get_parameter("transformer.wte.weight").fill_(10.0)
    items = [ITEMS[0]._replace(answers_freely=False)]
    with pytest.raises(DataError, match=f"question '{ITEMS[0].question.id}' has an"):
        list(evaluate_questions(damaged, items, PLAN))


@given(st.integers(0, 45), st.randoms())
def test_the_questions_answered_freely_depend_on_their_ids_alone(
    count: int, chance: random.Random
) -> None:
    questions = [item.question for item in ITEMS]
    chosen = {
        question.id
        for question, free in zip(
            questions, choose_free_questions(questions, count), strict=True
        )
        if free
    }
    assert len(chosen) == min(count, 40) + 1
    shuffled = chance.sample(questions, len(questions))
    again = choose_free_questions(shuffled, count)
    assert chosen == {
        question.id for question, free in zip(shuffled, again, strict=True) if free
    }


def test_inputs_record_another_precision_alone() -> None:
    assert not {"precision", "free_answers"} & WHAT.model_dump().keys()
    other = make_evaluation_inputs(
        "tiny", ITEMS, PLAN, SPEC, "test", precision=Precision.BFLOAT16
    )
    assert other == WHAT.model_copy(update={"precision": Precision.BFLOAT16})
    places = {cached_untrained(Path("cache"), what)._parquet for what in (WHAT, other)}
    assert len(places) == 2
