"""The student model: loading, context length, and the precision it trains in.

The only place that loads models with transformers. It works for decoders of any family.
"""

from functools import partial
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
from cotbuild.schemas.training import Precision, TrainConfig

ADAPTER_CONFIG = "adapter_config.json"
"""In a folder that holds LoRA matrices, not a whole model."""

UNLIMITED_CONTEXT = 2**31

EAGER_ATTENTION_MAX_TOKENS = 256
"""Longest row for which all attention scores are kept in memory: for each row and head
256 x 256 of them.
"""


class Student(NamedTuple):
    """A decoder and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str
    """Digest or commit of the weights; never a path."""
    end_ids: frozenset[int] = frozenset()
    """Tokens that end a reply besides the end of text: those of a chat template."""

    @property
    def pad_id(self) -> int:
        """The token that fills a batch up.

        It is never attended to, so the end of text will do if the family has no padding
        token.
        """
        pad_id = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id if pad_id is None else pad_id)


# -- loading -----------------------------------------------------------------------------


def load_student(
    source: str | Path,
    identity: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype | None = None,
) -> Student:
    """Load a model and its tokenizer from a folder or the Hugging Face Hub.

    A folder of LoRA matrices is loaded with the base model it names. `dtype` None means
    float32 on a CPU and the checkpoint's own type on a GPU. Raises ConfigError if the
    model is not a decoder that transformers reads, its tokenizer gives no offsets, it
    has no end-of-text token, or it writes ids for which the model has no embedding.
    """
    # Their progress bars and warnings would mix with our own progress lines.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    name_or_path = str(source)
    shown = _name_without_path(name_or_path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, revision=revision)
        model = _load_model(name_or_path, revision, dtype)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"student {shown!r} could not be loaded: {reason} "
            "Use a decoder-only model that transformers can read."
        ) from error
    if not tokenizer.is_fast:
        raise ConfigError(
            f"student {shown!r}: slow tokenizer without offset mapping. "
            "Use a model with a fast tokenizer."
        )
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"student {shown!r}: its tokenizer has no eos_token. "
            "Use a model whose tokenizer has one."
        )
    check_token_ids(model, tokenizer, shown)
    return Student(model, tokenizer, identity)


def _load_model(
    name_or_path: str, revision: str | None, dtype: torch.dtype | None
) -> PreTrainedModel:
    default = "auto" if torch.cuda.is_available() else torch.float32
    if (Path(name_or_path) / ADAPTER_CONFIG).is_file():
        from peft import AutoPeftModelForCausalLM

        model: PreTrainedModel = AutoPeftModelForCausalLM.from_pretrained(
            name_or_path, dtype=dtype or default
        )
        return model
    return AutoModelForCausalLM.from_pretrained(
        name_or_path, revision=revision, dtype=dtype or default
    )


def _name_without_path(name_or_path: str) -> str:
    """Drop the parents of a folder, since error messages end up in bug reports."""
    path = Path(name_or_path)
    return path.name if path.is_dir() else name_or_path


def context_length(model: PreTrainedModel) -> int:
    """Return how many tokens the model can read; 2^31 if its config does not say."""
    text_config = model.config.get_text_config()
    length = getattr(text_config, "max_position_embeddings", None)
    return int(length or UNLIMITED_CONTEXT)


# -- token ids ---------------------------------------------------------------------------


def check_token_ids(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str
) -> None:
    """Check that the model has an embedding for every id that its tokenizer may write.

    Tokens that were added to the vocabulary may lie beyond the embeddings, as Gemma 3's
    image token does, if no text contains them: such an id ends the pass in which it
    occurs. Raises ConfigError if any other id does.
    """
    num_rows = _count_embeddings(model)
    vocabulary = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False)
    used = {*vocabulary.values(), *_inserted_ids(tokenizer)}
    if max(used) >= num_rows:
        raise _token_id_error(max(used), num_rows, tokenizer, name)
    if max(tokenizer.get_vocab().values()) >= num_rows:
        check = partial(_check_batch, tokenizer=tokenizer, name=name, num_rows=num_rows)
        model.get_input_embeddings().register_forward_pre_hook(check)


def _count_embeddings(model: PreTrainedModel) -> int:
    """Return how many ids the model can both read and predict."""
    sizes = [_first_size(model.get_input_embeddings())]
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if head is not None:
        sizes.append(_first_size(head))
    return min(sizes)


def _first_size(module: torch.nn.Module) -> int:
    """Return the first dimension of a module's weights."""
    weight = module.get_parameter("weight")
    return weight.shape[0]


def _inserted_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids that the tokenizer, or padding, puts beside those of a text."""
    ids = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    return [token_id for token_id in ids if token_id is not None]


def _check_batch(
    _module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    *,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    num_rows: int,
) -> None:
    highest = int(inputs[0].max())
    if highest >= num_rows:
        raise _token_id_error(highest, num_rows, tokenizer, name)


def _token_id_error(
    token_id: int, num_rows: int, tokenizer: PreTrainedTokenizerBase, name: str
) -> ConfigError:
    token = tokenizer.convert_ids_to_tokens(token_id)
    return ConfigError(
        f"student {name!r}: its tokenizer writes id {token_id} for {token!r}, but the "
        f"model has {num_rows} embeddings. Use the tokenizer that belongs to the model, "
        "or resize its embeddings with model.resize_token_embeddings(len(tokenizer)) "
        "and save it."
    )


# -- precision ---------------------------------------------------------------------------


def resolve_precision(config: TrainConfig) -> Precision:
    """Return the precision that matrix products are trained in.

    Without one in the config it is bfloat16 if the GPU supports it, or the CPU has
    matrix units for it (AMX); else float32. Weights are float32 either way.
    """
    if config.precision is not None:
        return config.precision
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported()
    else:
        fast = _cpu_has_bfloat16_units()
    return Precision.BFLOAT16 if fast else Precision.FLOAT32


def _cpu_has_bfloat16_units() -> bool:
    if not hasattr(torch.cpu, "get_capabilities"):  # torch 2.6 does not
        return False
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def set_attention(model: PreTrainedModel, config: TrainConfig, max_tokens: int) -> None:
    """Choose the attention kernel for training on rows of up to `max_tokens` tokens.

    Plain attention for short rows in bfloat16 on a CPU, where the backward pass of the
    fused kernel is slow; else the model's default. Measured on SmolLM2-135M, 32 rows of
    64 tokens, two cores with AMX, in tokens/s: 327 in float32, 574 in bfloat16 with
    fused attention, 779 in bfloat16 with plain attention.
    """
    on_cpu = not torch.accelerator.is_available()
    short = max_tokens <= EAGER_ATTENTION_MAX_TOKENS
    if on_cpu and short and resolve_precision(config) is Precision.BFLOAT16:
        model.set_attn_implementation("eager")
