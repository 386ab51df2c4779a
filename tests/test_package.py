"""The wheel: what a user gets who never sees this checkout."""

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CHECK = """
from importlib.metadata import entry_points, version
from cotbuild.prompts.template import builtin_templates
from cotbuild.builder.imports import builtin_recipes
from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
import cotbuild.student, cotbuild.schemas

(script,) = [e for e in entry_points(group="console_scripts") if e.name == "cotbuild"]
script.load()
def count(name):
    return sum(1 for _ in open_source(SourceConfig(name=name)).read("train"))
numbers = len(builtin_templates()), len(builtin_recipes()), count("bundled"), count("bundled_tasks")
print(*numbers, cotbuild.schemas.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel in it; the dependencies are those of the
    environment that runs the tests.
    """
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT),
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    target = [
        "--target",
        str(site),
        "--no-deps",
        "--no-index",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *target, str(wheel)],
        check=True,
        timeout=240,
    )
    (theirs,) = {path for path in sys.path if path.endswith("site-packages")}
    # After the wheel's own folder, and without running .pth files: an editable install
    # there must not be seen.
    (site / "dependencies.pth").write_text(theirs + "\n")
    return python


def test_the_wheel_holds_every_package_and_data_file(
    installed: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [installed, "-c", CHECK],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *counts, place = done.stdout.split()
    templates = len(list((ROOT / "prompts" / "templates").glob("*.yaml")))
    recipes = len(list((ROOT / "builder" / "imports" / "recipes").glob("*.yaml")))
    assert counts == [str(templates), str(recipes), "72", "27"]
    assert Path(place).is_relative_to(installed.parent.parent)


def test_the_wheels_command_answers(installed: Path, tmp_path: Path) -> None:
    words = [str(installed), "-m", "cotbuild", "--help"]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert "generate" in done.stdout


@pytest.mark.parametrize("name", ["schemas", "prompts", "builder", "student"])
def test_a_bare_import_from_the_checkout_is_refused(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert f"ImportError: import cotbuild.{name}, not {name}" in done.stderr


def test_a_users_folder_of_the_same_name_is_no_matter(tmp_path: Path) -> None:
    for name in ("prompts", "schemas"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError")
    words = [sys.executable, "-m", "cotbuild", "prompts"]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_every_folder_with_python_is_packaged() -> None:
    """A subpackage that pyproject.toml does not list is missing from the wheel without a word."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaged = set(settings["tool"]["setuptools"]["packages"])
    folders = {
        path.parent.relative_to(ROOT)
        for top in ("schemas", "prompts", "builder", "student")
        for path in (ROOT / top).rglob("*.py")
    }
    expected = {f"cotbuild.{folder.as_posix().replace('/', '.')}" for folder in folders}
    # The public face is the package `cotbuild` itself.
    expected = expected - {"cotbuild.builder._root"} | {"cotbuild"}
    assert packaged == expected
