"""A copy of cotbuild's source that a test may edit, and the command line run from it."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.commands import PROGRAM

ROOT = Path(__file__).parents[2]


def copy_source_tree(folder: Path) -> Path:
    """Copy the packages to `folder/cotbuild`; `folder` on PYTHONPATH then comes before
    the installed ones.
    """
    skip = shutil.ignore_patterns("__pycache__")
    for package in ("schemas", "prompts", "builder", "student"):
        shutil.copytree(ROOT / package, folder / "cotbuild" / package, ignore=skip)
    for path in (ROOT / "builder" / "_root").glob("*.py"):
        shutil.copy(path, folder / "cotbuild")
    return folder


def cotbuild_from(tree: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line of a copied tree to a successful end."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [*PROGRAM, *map(str, words)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done
