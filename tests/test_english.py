"""Phrases that say less than plain English does, and must not come back."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BANNED = (
    " are had",
    " is had",
    "comes to",
    "had so far",
    "is told",
    "stands behind",
    "told by",
    "Expected none.",
    "Expected one.",
    "Expected some",
    "Nobody has",
    "cotbuild[",  # pip finds it in no package index
)


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every string of a file with its line: messages, help and docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_string_has_a_banned_phrase() -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{line}: {phrase!r}"
        for folder in ("builder", "schemas", "prompts", "student")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in strings_of(path)
        for phrase in BANNED
        if phrase in text
    ]
    assert offences == []
