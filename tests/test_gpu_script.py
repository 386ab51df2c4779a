"""The scripts for machines with GPUs, rehearsed without one."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cotbuild.builder.study.folder import read_cells
from tests.gpu.enlarge_study import enlarge, with_bfloat16
from tests.support.studies.small import make_study
from tests.support.waiting import HANG_S

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "tests" / "gpu" / "managed.sh"
STUDY_SCRIPT = ROOT / "tests" / "gpu" / "study.sh"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_script_runs_to_its_end_without_a_gpu(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "COTBUILD_GPU_REHEARSAL": "1",
            "BIN": str(Path(sys.executable).parent),
            "TMPDIR": str(tmp_path),
        },
        timeout=540,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "manifest: 2 servers on 2 GPUs" in done.stdout
    # Which of the two has the lower process id is chance.
    assert re.search(r"server [12]: vLLM ended with code 137", done.stdout)
    assert done.stdout.endswith("== all steps passed\n")
    assert list(tmp_path.iterdir()) == []


def small_study(folder: Path) -> Path:
    """A study of a tiny student, of two seeds and two rows, with a low gate."""
    path = make_study(folder)
    first = yaml.safe_load(path.read_text())
    claim = {
        "name": "helps",
        "says": "It helps.",
        "claim": "beats",
        "a": "post_cot",
        "b": "label_only",
    }
    stage = {
        "variants": ["label_only", "post_cot"],
        "seeds": [0, 1],
        "rows": [2],
        "students": first["stages"][0]["students"],
    }
    study = {
        "format_version": 2,
        **{name: first[name] for name in ("name", "source", "dev", "test")},
        "free_answers": 2,
        "gate": {"variant": "label_only", "standard_errors": 0.0},
        "train": {"epochs": 4.0, "lr": 0.01, "batch_rows": 4},
        "tiers": [{"name": "first", "claims": [claim]}],
        "stages": [{"name": "one", **stage}],
    }
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


DECLARED: dict[str, Any] = {
    "name": "small",
    "train": {"epochs": 1.0, "precision": "float32"},
    "looks": [1, 2],
    "stages": [{"name": "one", "seeds": [0, 1], "rows": [20, 50, 100]}],
    "hyperparameters": {"grid": {"lr": [1e-4], "precision": ["float32"]}},
    "sensitivity": {"grid": {"precision": ["float32"]}},
}


def test_a_larger_study_has_no_more_rows_than_the_build() -> None:
    larger = enlarge(DECLARED, rows_factor=10, seeds_factor=3, most_rows=470)
    (stage,) = larger["stages"]
    assert stage["rows"] == [200, 470]
    assert stage["seeds"] == [0, 1, 2, 3, 4, 5]
    assert larger["looks"] == [3, 6]
    assert "at most 470" in larger["name"]
    assert enlarge(DECLARED, 1, 1, 470)["stages"] == DECLARED["stages"]


def test_a_study_in_bfloat16_names_its_precision_once() -> None:
    changed = with_bfloat16(DECLARED)
    assert changed["precision"] == {"training": "bfloat16", "evaluation": "bfloat16"}
    assert changed["train"] == {"epochs": 1.0}
    assert changed["hyperparameters"]["grid"] == {"lr": [1e-4]}
    assert "sensitivity" not in changed


FAKE_PYTHON = """#!/bin/sh
case "$*" in
    *enlarge_study.py*) exit 0 ;;
    *--dry-run*) exit 0 ;;
esac
case $(readlink /proc/$$/fd/1) in
    *process-1.log) while [ ! -s "$FAKE_PIDS" ]; do sleep 0.05; done; echo broken; exit 3 ;;
esac
echo $$ >>"$FAKE_PIDS"
exec sleep 600
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_process_goes_on_after_one_has_failed(tmp_path: Path) -> None:
    python, pids = tmp_path / "bin" / "python", tmp_path / "pids"
    python.parent.mkdir()
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    done = subprocess.run(
        ["sh", str(STUDY_SCRIPT), "STUDY.yaml", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "COTBUILD_GPU_REHEARSAL": "1",
            "BIN": str(python.parent),
            "FAKE_PIDS": str(pids),
            "PROCESSES": "2",
        },
        timeout=HANG_S,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "broken",
        "FAILED: process 1 ended with code 3",
    ]
    for pid in map(int, pids.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_larger_study_runs_without_a_gpu(
    tmp_path: Path,
) -> None:
    out = tmp_path / "larger"
    done = subprocess.run(
        ["sh", str(STUDY_SCRIPT), str(small_study(tmp_path)), str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            **os.environ,
            "COTBUILD_GPU_REHEARSAL": "1",
            "BIN": str(Path(sys.executable).parent),
            "ROWS_FACTOR": "10",  # the build has fewer
            "SEEDS_FACTOR": "2",
            "PROCESSES": "2",
            "MINUTES": "600",  # ends with its cells, however busy the machine is
            "OMP_NUM_THREADS": "1",
        },
        timeout=540,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    cells = read_cells(out)
    trained = {key.name for key in cells if key.rows}
    assert len(trained) == 8
    (num_rows,) = {key.rows for key in cells if key.rows}
    assert (
        f"rows: [{num_rows}]; the variants share {num_rows} rationales" in done.stdout
    )
    assert 2 < num_rows < 20
    assert {key.seed for key in cells} == {0, 1, 2, 3}
    assert all(cell.test is not None for cell in cells.values())
    for cell in cells.values():
        assert cell.training is None or cell.training.execution is not None
    assert "cells with test answers: 9" in done.stdout
    assert list((out / "report").iterdir())
