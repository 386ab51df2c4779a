"""Converts a GGUF file to a folder of safetensors, tokenizer and chat template.

    python convert.py GGUF UNFINISHED TARGET

It runs in a process of its own, since it imports torch and transformers. It writes the
folder UNFINISHED and renames it to TARGET, so that a TARGET is always complete. If
another process was faster, its TARGET is kept.
"""

import contextlib
import os
import sys
from pathlib import Path


def convert(gguf: Path, unfinished: Path, target: Path) -> None:
    # Imported here because `rename_into_place` is tested without it.
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # 12 of the 24-28 s go into gguf's reader, which transformers calls for the model,
    # the config and the tokenizer each.
    folder, name = str(gguf.parent), gguf.name
    plain = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, quantization_config=plain, dtype="float32"
    )
    model.save_pretrained(unfinished)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(unfinished)
    for path in (*unfinished.iterdir(), unfinished):
        _fsync(path)
    with contextlib.suppress(FileExistsError):
        rename_into_place(unfinished, target)
    _fsync(target.parent)


def rename_into_place(unfinished: Path, target: Path) -> None:
    """Rename a folder; raises FileExistsError if `target` exists already."""
    try:
        unfinished.rename(target)
    except OSError as fault:
        if target.is_dir():  # ENOTEMPTY on Linux, EEXIST elsewhere
            raise FileExistsError(target) from fault
        raise


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
