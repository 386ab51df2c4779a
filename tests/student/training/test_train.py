"""Training runs: resuming, mismatches, several processes, LoRA and the command."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from transformers import (
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.schemas.errors import ConfigError, DataError, DivergedError
from cotbuild.schemas.files import file_lock
from cotbuild.schemas.training import (
    Loss,
    Optimizer,
    Precision,
    TrainConfig,
    UpdateMetrics,
)
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import make_examples
from cotbuild.student.training.execution import default_execution
from cotbuild.student.training.metrics import read_metrics
from cotbuild.student.training.run_dir import (
    library_versions,
    load_trained,
    open_run,
    run_identity,
)
from cotbuild.student.training.train import (
    MEASURED_UPDATES,
    BaseStudent,
    estimate_training_cost,
    train_student,
)
from cotbuild.student.training.trainer import StudentTrainer, make_trainer_args
from tests.support.commands import cotbuild
from tests.support.student_builds import make_build, variant_rows
from tests.support.tiny import (
    FAMILIES,
    save_tiny,
    tiny_student,
    tiny_tokenizer,
)


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


SHORT = CONFIG.model_copy(update={"epochs": 0.5})


def begin_again(whole: Path, folder: Path, **changes: object) -> Path:
    """Make a folder of the run before its first update; None deletes a field."""
    folder.mkdir()
    record = json.loads((whole / "run.json").read_text())
    record |= {"finished": False, "result": {}, **changes}
    kept = {name: value for name, value in record.items() if value is not None}
    (folder / "run.json").write_text(json.dumps(kept))
    return folder


def short_config(whole: Path, **changes: object) -> dict[str, object]:
    """Return the recorded settings of a run as `SHORT` has them."""
    config = json.loads((whole / "run.json").read_text())["config"]
    return {**config, "epochs": SHORT.epochs, **changes}


def test_a_new_run_computes_with_the_given_execution(
    build: Path, student: Path, tmp_path: Path
) -> None:
    execution = default_execution(Precision.FLOAT32, 8).model_copy(
        update={"micro_batch_cost": 17}
    )
    config = CONFIG.model_copy(update={"epochs": 1})
    rows_of_build, out = variant_rows(build), tmp_path / "run"
    run = train_student(config, rows_of_build, base(student), out, execution=execution)
    assert run.execution == open_run(out).execution == execution


def test_a_run_that_did_not_record_its_execution_goes_on_as_it_began(
    build: Path, student: Path, whole: Path, tmp_path: Path
) -> None:
    out = begin_again(
        whole,
        tmp_path / "run",
        config=short_config(whole),
        execution=None,
        versions={"torch": "2"},
    )
    run = train_student(SHORT, variant_rows(build), base(student), out)
    assert run.execution is not None
    assert run.execution.optimizer is Optimizer.ADAMW
    assert run.versions == {"torch": "2"}
    assert run.resumed_with == library_versions()
    assert open_run(out) == run
    today = open_run(whole).execution
    assert today is not None
    assert today.optimizer is Optimizer.FUSED_ADAMW


def test_a_resumed_run_keeps_what_was_recorded(
    build: Path, student: Path, whole: Path, tmp_path: Path
) -> None:
    recorded = {
        "eager_attention": True,
        "micro_batch_cost": 100,
        "optimizer": "adamw_torch",
        "measured": True,
    }
    out = begin_again(
        whole,
        tmp_path / "run",
        execution=recorded,
        config=short_config(whole, precision="bfloat16"),
    )
    run = train_student(SHORT, variant_rows(build), base(student), out)
    assert run.execution is not None
    assert run.execution.model_dump(mode="json") == recorded
    assert run.config.precision is Precision.BFLOAT16
    assert run.resumed_with == {}


def test_how_a_run_is_computed_is_no_part_of_its_identity(whole: Path) -> None:
    run = open_run(whole)
    older = run.model_copy(update={"execution": None})
    assert run_identity(run) == run_identity(older)


def test_an_older_run_with_updates_without_rows_is_rejected(
    build: Path, student: Path, tmp_path: Path
) -> None:
    lengths = token_lengths(build)
    config = CONFIG.model_copy(
        update={"batch_rows": 1, "epochs": 1, "max_tokens": min(lengths)}
    )
    run = train_student(config, variant_rows(build), base(student), tmp_path / "whole")
    assert run.data.too_long > 0
    out = begin_again(tmp_path / "whole", tmp_path / "run", execution=None)
    said = "unfinished run of an older version, which stepped the optimiser in updates"
    with pytest.raises(ConfigError, match=said):
        train_student(config, variant_rows(build), base(student), out)


class WeightsAfterUpdates(TrainerCallback):
    """Keeps a copy of the weights after each update."""

    def __init__(self) -> None:
        self.copies: list[torch.Tensor] = []

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,  # noqa: ARG002
        **kwargs: object,
    ) -> None:
        model = kwargs["model"]
        assert isinstance(model, torch.nn.Module)
        weights = [one.detach().flatten() for one in model.parameters()]
        self.copies.append(torch.cat(weights))


def test_an_update_without_rows_changes_no_weight(build: Path, tmp_path: Path) -> None:
    lengths = token_lengths(build)
    config = CONFIG.model_copy(
        update={"batch_rows": 1, "epochs": 1, "warmup_frac": 0, "weight_decay": 0.1}
    )
    student = tiny_student("gpt2")
    examples = make_examples(
        variant_rows(build), student.tokenizer, config, min(lengths)
    )
    weights, updates = WeightsAfterUpdates(), list[UpdateMetrics]()
    args = make_trainer_args(config, tmp_path, len(lengths), keep=False)
    execution = default_execution(Precision.FLOAT32, max(lengths))
    trainer = StudentTrainer(student, examples, config, args, execution, updates.append)
    trainer.add_callback(weights)
    trainer.train()
    assert len(updates) == len(lengths)
    after_an_update = False
    for before, after, update in zip(
        weights.copies, weights.copies[1:], updates[1:], strict=False
    ):
        assert torch.equal(before, after) == (update.tokens == 0)
        after_an_update |= update.tokens > 0
    assert after_an_update
    empty = [update for update in updates if not update.tokens]
    assert len(empty) == sum(length > min(lengths) for length in lengths)
    assert {(update.loss, update.grad_norm) for update in empty} == {(0.0, 0.0)}


def config_with_late_rows(build: Path) -> tuple[TrainConfig, int]:
    """Return settings with which most updates have no rows, and the first that has."""
    config = CONFIG.model_copy(
        update={"batch_rows": 1, "epochs": 1, "max_tokens": min(token_lengths(build))}
    )
    for seed in range(99):
        seeded = config.model_copy(update={"seed": seed})
        examples = make_examples(
            variant_rows(build), tiny_tokenizer("gpt2"), seeded, seeded.max_tokens
        )
        updates = UpdateDataset(examples, seeded, 0)
        first = next(number for number in range(len(updates)) if updates.rows(number))
        if first >= MEASURED_UPDATES:
            return seeded, first
    raise AssertionError("no order has late rows")


def test_updates_without_rows_are_not_measured(build: Path, student: Path) -> None:
    config, _ = config_with_late_rows(build)
    cost = estimate_training_cost(config, variant_rows(build), base(student))
    assert cost.updates == len(token_lengths(build))
    assert 1 <= cost.measured < MEASURED_UPDATES
    assert cost.seconds > 0


def test_a_run_all_of_whose_rows_are_too_long_is_rejected(
    build: Path, student: Path, tmp_path: Path
) -> None:
    config, first = config_with_late_rows(build)
    short = config.model_copy(update={"epochs": first / len(token_lengths(build))})
    said = rf"'post_cot': all rows of the {first} updates in .* epochs have more than"
    with pytest.raises(DataError, match=said):
        estimate_training_cost(short, variant_rows(build), base(student))
    with pytest.raises(DataError, match=said):
        train_student(short, variant_rows(build), base(student), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_that_diverge_in_the_last_update_are_not_saved(
    build: Path, student: Path, tmp_path: Path
) -> None:
    config = CONFIG.model_copy(
        update={"rows": 4, "epochs": 1, "lr": 1e38, "warmup_frac": 0}
    )
    said = (
        r"the weights '.*' are not finite after the last update with lr 1e\+38. Lower"
    )
    for _ in range(2):  # a second call resumes it
        with pytest.raises(DivergedError, match=said):
            train_student(config, variant_rows(build), base(student), tmp_path)
        assert not open_run(tmp_path).finished
        assert not (tmp_path / "model").exists()


def test_a_run_is_trained_in_a_thread(
    build: Path, student: Path, tmp_path: Path
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor() as pool:
        run = pool.submit(
            train_student, SHORT, variant_rows(build), base(student), tmp_path
        ).result()
    assert run.finished
    assert signal.getsignal(signal.SIGINT) is handler


def test_checkpoints_that_a_killed_run_left_are_deleted(
    build: Path, student: Path, whole: Path, tmp_path: Path
) -> None:
    """A run may be killed after run.json says that it is finished."""
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    left = out / "checkpoints" / "checkpoint-9"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"weights")
    train_student(CONFIG, variant_rows(build), base(student), out)
    assert {path.name for path in out.iterdir()} == {
        path.name for path in whole.iterdir()
    }


def test_one_process_trains_on_one_gpu(build: Path, tmp_path: Path) -> None:
    """Whatever number transformers has found; it would wrap the model in replicas."""
    student = tiny_student("gpt2")
    examples = make_examples(variant_rows(build), student.tokenizer, CONFIG, 512)
    args = make_trainer_args(CONFIG, tmp_path, 2, keep=False)
    args._n_gpu = 2
    execution = default_execution(Precision.FLOAT32, 8)
    trainer = StudentTrainer(student, examples, CONFIG, args, execution, print)
    assert trainer.args.n_gpu == 1
    assert trainer.model is not None
    assert trainer._wrap_model(trainer.model) is trainer.model


def token_lengths(build: Path) -> list[int]:
    examples = make_examples(
        variant_rows(build), tiny_tokenizer("gpt2"), CONFIG, CONFIG.max_tokens
    )
    return [len(row.input_ids_T) for rows in examples.rows for row in rows]


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
