"""What `cotbuild train` refuses, in one line and before anything is loaded or written."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import cotbuild
from tests.support.waiting import HANG_S

WITHOUT = "import sys; sys.modules[{0!r}] = None; from cotbuild.builder.cli.app import app; app(sys.argv[1:])"


@pytest.mark.parametrize("package", ["torch"])
def test_without_the_packages_for_students_it_says_what_to_install(
    package: str, tmp_path: Path
) -> None:
    words = [
        "train",
        str(tmp_path),
        "--variant",
        "post_cot",
        "--out",
        str(tmp_path / "run"),
    ]
    command = [sys.executable, "-c", WITHOUT.format(package), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: students need the extra 'student': {package} is not installed. Run in a "
        "checkout of cotbuild: pip install '.[student]'"
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "x", "--full", "--lora", "4"], "--full and --lora 4"),
        ([], "no --out. Pass a folder for the run"),
        (["--out", "x", "--loss", "sum"], "loss is 'sum'"),
        (["--out", "x", "--set", "warmup=1"], "Did you mean warmup_frac?"),
        (["--out", "x", "--batch-rows", "0"], "batch_rows is 0"),
    ],
)
def test_wrong_settings_are_told_in_a_line(
    words: list[str], said: str, tmp_path: Path
) -> None:
    done = cotbuild("train", tmp_path, "--variant", "post_cot", *words, code=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_a_mistyped_build_is_named_and_only_a_checkpoint_is_resumed_from(
    has_checkpoint: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    run = tmp_path / "run"
    if has_checkpoint:
        (run / "checkpoints" / "checkpoint-3").mkdir(parents=True)
        (run / "checkpoints" / "checkpoint-3" / "whole").touch()
    words = ("train", "builds/nothing", "--variant", "post_cot", "--out", run)
    done = cotbuild(*words, code=1)
    *_, error = (line for line in done.stderr.splitlines() if "error: " in line)
    assert error == (
        "error: builds/nothing: there is no such folder, and the Hub cannot be reached "
        "(ConnectError). Check the path, or the network, the proxy and HF_ENDPOINT."
    )
    resume = "the last checkpoint is kept. To resume: cotbuild train builds/nothing"
    assert (resume in done.stderr) == has_checkpoint
