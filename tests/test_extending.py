"""The code of docs/extending.md runs as it is printed."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
SECTIONS = dict(part.split("\n", 1) for part in PAGE.read_text().split("\n## ")[1:])


@pytest.mark.parametrize("title", SECTIONS)
def test_the_code_of_a_section_runs(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", SECTIONS[title], re.DOTALL))
    namespace = {"YAML": blocks.get("yaml", "")}
    exec(compile(blocks["python"], f"{PAGE.name}: {title}", "exec"), namespace)
    assert "assert" in blocks["python"]
