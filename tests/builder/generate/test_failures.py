"""What becomes of requests that failed: they are asked again, or shown."""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.api import Build, generate
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import TeacherError
from tests.support.commands import rows, write_questions
from tests.support.http_teacher import Server, serve

NUM = 24


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(NUM))
    )


def ask(server: Server, source: Path, out: Path, **options: Any) -> Build:
    teacher = {"model": "fake", "endpoints": [server.url], "max_attempts": 1}
    values = {"teacher": {**teacher, "window": 4}, "source": {"name": str(source)}}
    config = BuildConfig.parse(values, "test")
    return generate(config, out=out, progress=False, **options)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"http_400": 1.0}, id="early stop"),
        pytest.param({"http_422": 0.4, "http_404": 0.1}, id="404 in the middle"),
    ],
)
def test_what_a_stopped_run_saw_rejected_is_asked_again_by_the_next_one(
    source: Path, tmp_path: Path, faults: dict[str, float]
) -> None:
    out = tmp_path / "b"
    with serve(faults=faults, times=0) as server:
        with pytest.raises(TeacherError):
            ask(server, source, out)
        server.set(faults={})
        build = ask(server, source, out)
    assert build.manifest.failures == {}
    assert len(rows(out)) == NUM
