"""The student as a model: the only door to transformers' loading, for decoders of any
family.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from cotbuild.schemas.errors import ConfigError

ADAPTER = "adapter_config.json"
"""Stands in a folder that holds LoRA matrices and not a whole model."""


class Student(NamedTuple):
    """A decoder and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str
    """Weights by digest or commit; no path."""

    @property
    def pad_id(self) -> int:
        """What fills a batch up; never attended to, so that any token does where the
        family has none.
        """
        pad, eos = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        return int(eos if pad is None else pad)


def load_student(
    where: str | Path,
    identity: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype | None = None,
) -> Student:
    """The model of a folder or a Hub id, LoRA with its base; `dtype` None: float32 on a
    CPU, its own type on a GPU.

    Raises ConfigError where it is no decoder, its tokenizer tells no offsets, or it has
    no end of text.
    """
    # Its bars and notes would stand between our lines of progress.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    source = str(where)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
        model = _load_model(source, revision, dtype)
    except (OSError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"student {_shown(source)!r}: {first} Expected a decoder that transformers reads."
        ) from error
    if not tokenizer.is_fast:
        raise ConfigError(
            f"student {_shown(source)!r}: its tokenizer tells no offsets. Expected a fast tokenizer."
        )
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"student {_shown(source)!r}: its tokenizer has no end of text. Expected an eos_token."
        )
    return Student(model, tokenizer, identity)


def _load_model(
    source: str, revision: str | None, wanted: torch.dtype | None
) -> PreTrainedModel:
    dtype = wanted or ("auto" if torch.cuda.is_available() else torch.float32)
    if (Path(source) / ADAPTER).is_file():
        from peft import AutoPeftModelForCausalLM

        model: PreTrainedModel = AutoPeftModelForCausalLM.from_pretrained(
            source, dtype=dtype
        )
        return model
    return AutoModelForCausalLM.from_pretrained(source, revision=revision, dtype=dtype)


def _shown(source: str) -> str:
    """Never a path: errors end in reports."""
    return Path(source).name if Path(source).is_dir() else source
