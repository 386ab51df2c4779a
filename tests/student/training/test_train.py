"""Training runs: resuming, mismatches, several processes, LoRA and the command."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.prompts.student import question_digest
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import file_lock
from cotbuild.schemas.training import Loss, TrainConfig, UpdateMetrics
from cotbuild.schemas.variant_rows import (
    VariantRow,
)
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import choose_rationales, make_examples
from cotbuild.student.training.metrics import read_metrics
from cotbuild.student.training.run_dir import load_trained, open_run, run_identity
from cotbuild.student.training.train import (
    BaseStudent,
    estimate_training_cost,
    train_student,
)
from tests.support.commands import cotbuild, rows
from tests.support.student_builds import VARIANTS, make_build, variant_rows
from tests.support.tiny import FAMILIES, save_tiny, shared_student, tiny_tokenizer


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_build(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("student") / "tiny", "gpt2")


CONFIG = TrainConfig(
    variant="post_cot",
    student="tiny",
    epochs=6,
    batch_rows=4,
    lr=1e-2,
    checkpoint_every=3,
)
WORDS = [
    "--variant",
    "post_cot",
    "--epochs",
    "6",
    "--batch-rows",
    "4",
    "--lr",
    "0.01",
    "--set",
    "checkpoint_every=3",
]


def losses(updates: list[UpdateMetrics]) -> list[tuple[float, ...]]:
    return [
        (u.step, u.loss, u.label_loss, u.rationale_loss, u.lr, u.grad_norm, u.tokens)
        for u in updates
    ]


def base(folder: Path) -> BaseStudent:
    return BaseStudent(str(folder), "tiny:gpt2")


@pytest.fixture(scope="module")
def whole(build: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing cut off."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train_student(CONFIG, variant_rows(build), base(student), out)
    return out


def test_a_run_learns_and_writes_its_folder(whole: Path) -> None:
    updates, run = read_metrics(whole), open_run(whole)
    assert [u.step for u in updates] == list(range(1, updates[0].steps + 1))
    assert updates[-1].loss < updates[0].loss - 1
    for update in updates:
        assert update.loss == pytest.approx(
            update.label_loss + update.rationale_loss, rel=1e-5
        )
    assert run.finished
    assert run.result["updates"] == len(updates)
    for update in updates:
        assert 0 < update.label_tokens < update.rationale_tokens < update.tokens
    assert run.result["label_tokens"] == sum(u.label_tokens for u in updates)
    assert {path.name for path in whole.iterdir()} == {
        "run.json",
        "metrics.jsonl",
        "loss.png",
        "model",
    }
    assert (whole / "loss.png").read_bytes().startswith(b"\x89PNG")
    said = (whole / "run.json").read_text() + "".join(
        p.read_text() for p in (whole / "model").glob("*.json")
    )
    assert str(whole.parent) not in said
    trained = load_trained(whole)
    assert trained.identity == run_identity(run)
    assert trained.model.dtype == torch.float32


@pytest.mark.parametrize(
    "stop", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_ends_as_one_that_was_not(
    stop: signal.Signals, build: Path, student: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "tests.support.train_slowly",
        str(build),
        str(student),
        str(out),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    while process.poll() is None and len(read_metrics(out)) < 8:
        time.sleep(0.02)
    process.send_signal(stop)
    process.communicate()
    assert process.returncode != 0
    assert not open_run(out).finished
    with pytest.raises(DataError, match="training has not finished"):
        load_trained(out)
    train_student(CONFIG, variant_rows(build), base(student), out)
    assert losses(read_metrics(out)) == losses(read_metrics(whole))
    weights = [load_trained(folder).model.state_dict() for folder in (out, whole)]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_another_run_in_the_folder_is_rejected_and_a_finished_one_returned(
    build: Path, student: Path, whole: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert train_student(CONFIG, variant_rows(build), base(student), whole) == open_run(
        whole
    )
    for change in ({"seed": 1}, {"loss": Loss.PLAIN}, {"variant": "pre_cot"}):
        field = next(iter(change))
        with pytest.raises(ConfigError, match=f"holds a run with config.{field}"):
            train_student(
                CONFIG.model_copy(update=change),
                variant_rows(build),
                base(student),
                whole,
            )
    with pytest.raises(ConfigError, match="holds a run with student 'tiny:gpt2'"):
        train_student(
            CONFIG, variant_rows(build), BaseStudent(str(student), "another"), whole
        )
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_a_folder_is_locked_while_a_run_is_trained_in_it(
    build: Path, student: Path, tmp_path: Path
) -> None:
    words = ["train", build, "--student", student, "--out", tmp_path, *WORDS]
    with file_lock(tmp_path / ".lock", wait=False) as ours:
        assert ours
        done = cotbuild(*words, code=1)
    assert (
        f"error: {tmp_path}: another cotbuild process is training here. Wait for it"
        in done.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_every_variant_sees_the_same_rationales_in_the_same_order(build: Path) -> None:
    seen = set()
    tokenizer = shared_student("llama").tokenizer
    for variant in VARIANTS:
        config = TrainConfig(variant=variant, rows=9, batch_rows=4)
        examples = make_examples(variant_rows(build, variant), tokenizer, config, 512)
        updates = UpdateDataset(examples, config, 0)
        seen.add((tuple(examples.keys), str(updates._plan)))
        assert {len(inner) for inner in examples.rows} == {
            2 if variant == "two_tasks" else 1
        }
    assert len(seen) == 1


def test_the_shares_of_processes_add_up(build: Path) -> None:
    student = shared_student("llama")
    config = TrainConfig(variant="two_tasks", batch_rows=5, batch_tokens=300)
    examples = make_examples(
        variant_rows(build, "two_tasks"), student.tokenizer, config, 512
    )
    alone = UpdateDataset(examples, config, student.pad_id)
    shares = [
        UpdateDataset(examples, config, student.pad_id, process, 3)
        for process in range(3)
    ]
    for number in range(len(alone)):
        found = [share[number]["micro_batches"] for share in shares]
        assert len({len(batches) for batches in found}) == 1
        total = sum(
            batch["weights"].sum((0, 1)) for batches in found for batch in batches
        )
        assert isinstance(total, torch.Tensor)
        torch.testing.assert_close(total, torch.tensor([2.0, 1.0, 1.0]))


def test_a_row_too_long_is_left_out_with_its_pair_and_keeps_its_place(
    build: Path,
) -> None:
    tokenizer = shared_student("llama").tokenizer
    found, config = (
        variant_rows(build, "two_tasks"),
        TrainConfig(variant="two_tasks", batch_rows=4),
    )
    everything = make_examples(found, tokenizer, config, 512)
    longest = max(len(row.input_ids_T) for rows in everything.rows for row in rows)
    shorter = make_examples(found, tokenizer, config, longest - 1)
    assert shorter.keys == everything.keys
    assert {len(rows) for rows in shorter.rows} == {0, 2}
    assert shorter.info.too_long == 2 * sum(not rows for rows in shorter.rows)
    assert shorter.info.num_rows + shorter.info.too_long == everything.info.num_rows
    with pytest.raises(DataError, match="every row has more than 8 tokens"):
        make_examples(found, tokenizer, config, 8)


def test_a_larger_number_of_rationales_includes_a_smaller_one(build: Path) -> None:
    def ids(number: int | None, variant: str) -> list[tuple[str, int]]:
        chosen: list[list[VariantRow]] = choose_rationales(
            variant_rows(build, variant).rows, number
        )
        return [(rows[0].question_id, rows[0].sample_index) for rows in chosen]

    assert ids(5, "post_cot") == ids(12, "post_cot")[:5] == ids(5, "two_tasks")
    assert sorted(ids(None, "label_only")) == sorted(
        {
            (str(row["question_id"]), int(str(row["sample_index"])))
            for row in rows(build, "label_only")
        }
    )


def test_question_digests_are_those_of_question_texts(build: Path) -> None:
    texts = {str(row["question_id"]): str(row["question"]) for row in rows(build)}
    for variant in VARIANTS:
        examples = make_examples(
            variant_rows(build, variant),
            shared_student("llama").tokenizer,
            TrainConfig(variant=variant, rows=3),
            512,
        )
        ids = {key.split(" ", 1)[1] for key in examples.keys}
        expected = sorted({question_digest(texts[question_id]) for question_id in ids})
        assert examples.info.question_digests == tuple(expected)


def test_lengths_of_label_and_rationale_are_measured_apart(build: Path) -> None:
    tokenizer = shared_student("llama").tokenizer
    lengths = {}
    for variant in ("label_only", "post_cot", "rationale_only", "two_tasks"):
        found, config = variant_rows(build, variant), TrainConfig(variant=variant)
        lengths[variant] = make_examples(found, tokenizer, config, 512).info
    label = lengths["label_only"].label_tokens
    assert label is not None
    assert 2 <= label.mean <= label.p99 <= label.max
    assert lengths["label_only"].rationale_tokens is None
    assert lengths["rationale_only"].label_tokens is None
    for variant in ("post_cot", "two_tasks"):
        assert lengths[variant].label_tokens == label
        rationale = lengths[variant].rationale_tokens
        assert rationale is not None
        assert rationale.mean > label.mean
    assert lengths["post_cot"].rationale_tokens_p99 == 0
    assert {info.multiline_labels for info in lengths.values()} == {False}


def test_a_run_from_before_lengths_were_recorded_is_resumed(
    build: Path, student: Path, whole: Path, tmp_path: Path
) -> None:
    older = tmp_path / "run"
    shutil.copytree(whole, older)
    record = json.loads((older / "run.json").read_text())
    for name in ("label_tokens", "rationale_tokens", "multiline_labels"):
        del record["data"][name]
    (older / "run.json").write_text(json.dumps(record))
    run = train_student(CONFIG, variant_rows(build), base(student), older)
    assert run.data.label_tokens is None
    assert run_identity(run) == run_identity(open_run(whole))


def test_the_cost_is_measured_and_nothing_is_written(
    build: Path, student: Path
) -> None:
    cost = estimate_training_cost(CONFIG, variant_rows(build), base(student))
    updates = UpdateDataset(
        make_examples(
            variant_rows(build, "post_cot"), tiny_tokenizer("gpt2"), CONFIG, 512
        ),
        CONFIG,
        0,
    )
    assert (cost.updates, cost.measured) == (len(updates), 2)
    assert cost.tokens == sum(updates[n]["tokens"] for n in range(len(updates)))
    run = [
        b["input_ids"].numel()
        for n in range(len(updates))
        for b in updates[n]["micro_batches"]
    ]
    assert cost.padded_tokens == sum(run) >= cost.tokens
    assert cost.seconds > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_trains_and_loads(family: str, build: Path, tmp_path: Path) -> None:
    where = save_tiny(tmp_path / "tiny", family)
    config = TrainConfig(
        variant="two_tasks", student="tiny", rows=8, epochs=3, batch_rows=4, lora_rank=2
    )
    run = train_student(
        config,
        variant_rows(build, "two_tasks"),
        BaseStudent(str(where), f"tiny:{family}"),
        tmp_path / "run",
    )
    updates = read_metrics(tmp_path / "run")
    assert run.config.lr == 2e-4
    assert updates[-1].lr < updates[1].lr
    trained = load_trained(tmp_path / "run")
    names = [name for name, _ in trained.model.named_parameters() if "lora_B" in name]
    assert names
    assert any(trained.model.get_parameter(name).abs().sum() > 0 for name in names)


@pytest.mark.slow
def test_two_processes_train_as_one(build: Path, student: Path, tmp_path: Path) -> None:
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes=2",
        "--num_machines=1",
    ]
    words = ["-m", "cotbuild", "train", build, "--student", student, *WORDS]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [sys.executable, *launch, *map(str, words), "--out", str(tmp_path / "two")]
    done = subprocess.run(both, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("next: cotbuild evaluate") == 1
    cotbuild(*words[2:], "--out", tmp_path / "one")
    one, two = (read_metrics(tmp_path / name) for name in ("one", "two"))
    assert len(one) == len(two)
    for alone, shared in zip(one, two, strict=True):
        assert shared.tokens == alone.tokens
        assert shared.loss == pytest.approx(alone.loss, rel=1e-3)
        assert shared.grad_norm == pytest.approx(alone.grad_norm, rel=1e-2)


@pytest.mark.slow
def test_the_train_command(build: Path, student: Path, tmp_path: Path) -> None:
    words = ["train", build, "--student", student, *WORDS]
    out = cotbuild(*words, "--dry-run").stdout
    assert "updates" in out
    assert "on this machine" in out
    done = cotbuild(*words, "--out", tmp_path / "run")
    assert done.stdout.endswith(f"next: cotbuild evaluate {tmp_path / 'run'}\n")
    assert "tok/s" in done.stderr
    assert (
        json.loads((tmp_path / "run" / "run.json").read_text())["config"]["student"]
        == "tiny"
    )
    wrong = cotbuild(
        "train",
        build,
        "--variant",
        "post",
        "--student",
        student,
        "--out",
        tmp_path / "x",
        code=2,
    )
    assert wrong.stderr.startswith("error: ")


@pytest.mark.slow
def test_the_embedded_student_trains(build: Path, tmp_path: Path) -> None:
    folder = embedded_folder(cache_dir())
    if not folder.is_dir():
        cotbuild(
            "train",
            build,
            "--variant",
            "post_cot",
            "--rows",
            "2",
            "--epochs",
            "1",
            "--out",
            tmp_path / "first",
        )
    config = TrainConfig(
        variant="post_cot", rows=4, epochs=2, batch_rows=4, lr=1e-4, checkpoint_every=9
    )
    run = train_student(
        config,
        variant_rows(build),
        BaseStudent(str(folder), "embedded"),
        tmp_path / "run",
    )
    assert run.result["updates"] == 2
