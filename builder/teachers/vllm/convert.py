"""`python convert.py GGUF MADE TARGET`: a GGUF file to a folder of safetensors,
tokenizer and chat template.

Runs in a process of its own, since it imports torch and transformers. Writes MADE, then
renames it to TARGET, so that a TARGET is always whole; where another process was first,
its result stands.
"""

import contextlib
import os
import sys
from pathlib import Path


def convert(gguf: Path, made: Path, target: Path) -> None:
    from transformers import (  # here: `rename` is tested without it
        AutoModelForCausalLM,
        AutoTokenizer,
        GgufConfig,
    )

    # Of 24-28 s, once, 12 s go into gguf's reader: transformers has it parse the file
    # for model, config and tokenizer.
    folder, name = str(gguf.parent), gguf.name
    plain = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, quantization_config=plain, dtype="float32"
    )
    model.save_pretrained(made)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(made)
    for path in (*made.iterdir(), made):
        _fsync(path)
    with contextlib.suppress(FileExistsError):
        rename(made, target)
    _fsync(target.parent)


def rename(made: Path, target: Path) -> None:
    """Raises FileExistsError where `target` is there already."""
    try:
        made.rename(target)
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
