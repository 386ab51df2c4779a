"""The digest of the code that derives rows: what enters it, what changes it."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from cotbuild.builder.generate.code_digest import (
    DERIVING,
    NOT_DERIVING,
    code_digest,
    deriving_files,
)
from tests.support.source_tree import copy_source_tree

ENTRY_MODULES = (
    "cotbuild.builder.generate.assemble",
    "cotbuild.builder.generate.import_job",
    "cotbuild.builder.generate.teacher_job",
)
"""Where deriving begins."""


def is_within(module: str, listed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in listed)


def imported_modules(module: str) -> set[str]:
    """The modules of cotbuild that a module imports anywhere in its code; packages on
    the way to them included.
    """
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    named = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            named |= {
                node.module,
                *(f"{node.module}.{alias.name}" for alias in node.names),
            }
    found = set()
    for name in named:
        parts = name.split(".")
        if parts[0] != "cotbuild":
            continue
        for length in range(3, len(parts) + 1):
            candidate = ".".join(parts[:length])
            if is_module(candidate):
                found.add(candidate)
    return found


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # an attribute of a module
        return False


@cache
def reached_modules() -> frozenset[str]:
    """All that the entry modules import, directly or not; what derives nothing is in
    it, its imports are not.
    """
    reached: set[str] = set()
    open_modules = list(ENTRY_MODULES)
    while open_modules:
        module = open_modules.pop()
        if module in reached:
            continue
        reached.add(module)
        if not is_within(module, NOT_DERIVING):
            open_modules += imported_modules(module)
    return frozenset(reached)


def has_code(module: str) -> bool:
    """Whether there is more in a file than a docstring, as in that of most packages."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_bytes())
    return len(tree.body) > (ast.get_docstring(tree) is not None)


def test_every_module_that_deriving_imports_is_listed() -> None:
    listed = DERIVING + NOT_DERIVING
    unlisted = {m for m in reached_modules() if not is_within(m, listed)}
    assert {m for m in unlisted if has_code(m)} == set()


@pytest.mark.parametrize("listed", DERIVING + NOT_DERIVING)
def test_every_listed_module_is_imported(listed: str) -> None:
    assert any(is_within(module, (listed,)) for module in reached_modules())


def test_files_of_packages_and_modules_enter_it_once() -> None:
    names = [name for name, _ in deriving_files()]
    paths = [path for _, path in deriving_files()]
    assert "cotbuild.builder.generate.rows" in names
    assert "cotbuild.builder.sources/datasets/arc.py" in names
    assert "cotbuild.schemas/__init__.py" in names
    assert len(set(paths)) == len(paths)


def digest_of(tree: Path, hash_seed: int = 0) -> str:
    command = [
        sys.executable,
        "-c",
        "from cotbuild.builder.generate.code_digest import code_digest; print(code_digest())",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONHASHSEED": str(hash_seed),
    }
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def source_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, whose digest is that of the original."""
    tree = copy_source_tree(tmp_path_factory.mktemp("source") / "tree")
    assert digest_of(tree, hash_seed=1) == code_digest()
    return tree


@pytest.fixture
def rows_module(source_tree: Path) -> Iterator[Path]:
    """A module of the copy, which is restored after the test."""
    path = source_tree / "cotbuild" / "builder" / "generate" / "rows.py"
    text = path.read_text()
    yield path
    path.write_text(text)


@pytest.mark.parametrize(
    ("old", "new", "changes_it"),
    [
        ("def to_rationale(", "# A comment.\n\n\ndef to_rationale(", False),
        (
            '"""Return the published row of a finished chain.',
            '"""Return the row.',
            False,
        ),
        (
            "    step, answer = finished.rationale\n",
            "    # Why.\n    step, answer = finished.rationale  # what\n",
            False,
        ),
        ('{"completion": None,', '{"completion": "",', True),
        ("failure = finished.failure", "failure = finished.failures", True),
    ],
)
def test_comments_and_docstrings_do_not_change_it_and_code_does(
    source_tree: Path, rows_module: Path, old: str, new: str, changes_it: bool
) -> None:
    text = rows_module.read_text()
    assert text.count(old) == 1
    rows_module.write_text(text.replace(old, new))
    assert (digest_of(source_tree, hash_seed=2) != code_digest()) == changes_it
