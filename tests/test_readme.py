"""What README.md says of this repository."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_promise_names_tests_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = text.split("## Promises and their tests")[1].split("\n## ")[0]
    promises = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert promises
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)`", promise)
        assert named, promise
        for file in named:
            assert "def test_" in (ROOT / file).read_text(encoding="utf-8"), file


def test_every_linked_file_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:|#)([^)]+)\)", text)
    files = [path.partition("#")[0] for path in linked]
    assert [file for file in files if not (ROOT / file).exists()] == []
