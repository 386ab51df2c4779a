"""The code for users without cotbuild in docs/variants.md, with three names replaced."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cotbuild.prompts.student import compose_option
from cotbuild.schemas.training import Layout
from cotbuild.student.model import load_student
from tests.support.commands import invoke, rows, write_questions
from tests.support.tiny import save_tiny

PAGE = Path(__file__).parents[2] / "docs" / "variants.md"
POST_COT = Layout(order=("label", "rationale"), opening=" ", joints=("\nReasoning: ",))


def block() -> str:
    """The section's only lines of Python."""
    section = (
        PAGE.read_text()
        .partition("\n## Training on the rows without cotbuild\n")[2]
        .partition("\n## ")[0]
    )
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("downstream")
    write_questions(
        folder / "train.jsonl",
        [f"Which of these {number} things floats?" for number in range(24)],
    )
    write_questions(folder / "dev.jsonl", ["Which is dry?", "Which is wet?"])
    words = ["--source", folder, "--eval-splits", "dev", "--teacher", "scripted"]
    invoke("generate", *words, "--out", folder / "b")
    invoke("variants", folder / "b", "--only", "post_cot")
    return folder / "b"


def run(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """In a process that cannot import cotbuild."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {
        "HF_HOME": str(cwd / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    script = cwd / "downstream.py"
    script.write_text("import sys; sys.modules['cotbuild'] = None\n" + code)
    return subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env=env,
        cwd=cwd,
        timeout=280,
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gpt2", "gemma"])
def test_the_lines_of_the_page_train_and_choose(
    build: Path, family: str, tmp_path: Path
) -> None:
    student = save_tiny(tmp_path / "student", family)
    code = block()
    for old, new in (
        ("builds/mine", build),
        ("HuggingFaceTB/SmolLM2-135M", student),
        ("runs/post_cot", "out"),
    ):
        assert code.count(f'"{old}"') == 1
        code = code.replace(f'"{old}"', repr(str(new)))
    after = "\ntrainer.save_model('out'); tokenizer.save_pretrained('out')\nprint(trainer.state.global_step)\n"
    done = run(code + after, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    *chosen, steps = done.stdout.splitlines()[-3:]
    assert int(steps) == 2 * -(
        -len([r for r in rows(build) if r["verdict"] == "correct"]) // 8
    )
    asked = [row for row in rows(build, "post_cot") if row["rationale_start"] is None]
    assert [line.split(" ", 1) for line in chosen] == [
        [row["question_id"], choice(tmp_path / "out", row)] for row in asked
    ]


def choice(folder: Path, row: dict[str, object]) -> str:
    """What our own layout and reading of tokens come to, with the weights that those
    lines trained.
    """
    student = load_student(folder, "trained")
    said = {}
    for option in row["choices"]:  # type: ignore[attr-defined]
        text, span = compose_option(POST_COT, option)
        prompt = str(row["prompt"])
        whole = student.tokenizer(prompt + text[: span[1] + 1]).input_ids
        begin = len(student.tokenizer(prompt).input_ids)
        with torch.no_grad():
            logp = student.model(torch.tensor([whole])).logits[0].log_softmax(-1)
        said[option] = sum(
            float(logp[i - 1, whole[i]]) for i in range(begin, len(whole))
        )
    best: str = max(said, key=lambda option: said[option])
    return best
