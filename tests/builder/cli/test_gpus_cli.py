"""A machine with GPUs, as the command line shows it: the plan, and what is counted."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.commands import cotbuild
from tests.support.fake_vllm_site import install_fake_gpus, install_fake_vllm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sockets and processes")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a model, on a machine with four GPUs of 24 GiB."""
    gpus = [("NVIDIA A10", 24 << 30)] * 4
    programs = install_fake_gpus(tmp_path / "programs", gpus)
    site = install_fake_vllm(tmp_path / "site", "vllm")
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_VLLM_LIVES", str(tmp_path / "lives"))
    monkeypatch.setenv("FAKE_VLLM", '["ok"]')
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    folder = tmp_path / "Tiny-7B"
    folder.mkdir()
    config = {"num_attention_heads": 28, "num_key_value_heads": 4}
    (folder / "config.json").write_text(json.dumps(config))
    write_index(folder, 14 << 30)
    return folder


def write_index(folder: Path, num_bytes: int) -> None:
    index = {"metadata": {"total_size": num_bytes}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_the_plan_then_all_gpus_are_used_and_counted(
    model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "build"
    run = ["generate", "--teacher", model, "--limit", "8", "--out", out]
    plan = "servers: 4 × Tiny-7B on 1 GPU each (4 × NVIDIA A10 of 24.0 GiB, weights 14.0 GiB)"
    assert plan in cotbuild(*run, "--dry-run").stdout.splitlines()
    assert not (tmp_path / "lives").exists()
    done = cotbuild(*run)
    assert plan in done.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    [teacher] = manifest["run"]["teachers"]
    assert teacher["gpu_names"] == ["NVIDIA A10"] * 4
    header = next(iter((out / ".answers").rglob("*.journal"))).read_text()
    assert '"gpus":4' in header.replace(" ", "")


def test_weights_that_no_gpus_hold_are_one_line(model: Path, tmp_path: Path) -> None:
    write_index(model, 140 << 30)
    run = ["generate", "--teacher", model, "--limit", "1", "--out", tmp_path / "build"]
    for words in (run, [*run, "--dry-run"]):
        done = cotbuild(*words, code=2)
        assert "error: teacher: the weights of Tiny-7B take 140.0 GiB" in done.stderr
    assert not (tmp_path / "lives").exists()
