"""The student model: loading, context length and token ids.

The only place that loads models with transformers. It works for decoders of any family.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Precision
from cotbuild.student.precision import inference_device, torch_dtype

ADAPTER_CONFIG = "adapter_config.json"
"""In a folder that holds LoRA matrices, not a whole model."""

UNLIMITED_CONTEXT = 2**31

NAMED_WEIGHTS = 3
"""How many of the weights that do not fit the model an error names."""


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
    adapter: Path | None = None,
) -> Student:
    """Load a model and its tokenizer from a folder or the Hugging Face Hub.

    The model is in the memory of the CPU, from where a trainer moves it; see
    `load_for_inference` for one that is only read. `adapter` is a folder of LoRA
    matrices to put on the model, and of the tokenizer to use. If `source` is such a
    folder, it is put on the base model that it names. `dtype` None means float32 on a
    CPU and the checkpoint's own type on a GPU. Raises ConfigError if the model is not a
    decoder that transformers reads, its files lack weights, its tokenizer gives no
    offsets, it has no end-of-text token, or it writes ids for which the model has no
    embedding.
    """
    name_or_path = str(source)
    if adapter is None:
        tokenizer = load_tokenizer(source, revision)
    else:
        tokenizer = load_tokenizer(adapter)
    shown = _name_without_path(name_or_path)
    with _errors_of_loading(shown):
        model = _load_model(name_or_path, revision, dtype, adapter)
    check_token_ids(model, tokenizer, shown)
    return Student(model, tokenizer, identity)


def load_tokenizer(
    source: str | Path, revision: str | None = None
) -> PreTrainedTokenizerBase:
    """Load a student's tokenizer alone. Raises ConfigError as `load_student` does."""
    name_or_path = str(source)
    shown = _name_without_path(name_or_path)
    with _errors_of_loading(shown):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name_or_path, revision=revision
        )
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
    return tokenizer


@contextmanager
def _errors_of_loading(shown: str) -> Iterator[None]:
    """Raise ConfigError if transformers cannot read the student `shown`."""
    # Their progress bars and warnings would mix with our own progress lines.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    except ConfigError:  # a ValueError too
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"student {shown!r} could not be loaded: {reason.rstrip('.:')}. "
            "Use a decoder-only model that transformers can read, with complete files."
        ) from error


def load_for_inference(
    source: str | Path,
    identity: str,
    *,
    revision: str | None = None,
    precision: Precision | None = None,
    device: torch.device | None = None,
    adapter: Path | None = None,
) -> Student:
    """Load a student that is evaluated or attributed, on the device for that.

    `precision` is that of its weights; None and `adapter` as in `load_student`.
    `device` None means that of `inference_device`. Raises as `load_student` does.
    """
    dtype = None if precision is None else torch_dtype(precision)
    student = load_student(
        source, identity, revision=revision, dtype=dtype, adapter=adapter
    )
    student.model.to(device or inference_device())  # type: ignore[arg-type]
    student.model.eval()  # type: ignore[no-untyped-call]
    return student


def _load_model(
    name_or_path: str,
    revision: str | None,
    dtype: torch.dtype | None,
    adapter: Path | None,
) -> PreTrainedModel:
    if adapter is None and (Path(name_or_path) / ADAPTER_CONFIG).is_file():
        from peft import PeftConfig

        adapter = Path(name_or_path)
        config = PeftConfig.from_pretrained(name_or_path)
        name_or_path, revision = str(config.base_model_name_or_path), config.revision
    model = _load_weights(name_or_path, revision, dtype)
    if adapter is None:
        return model
    from peft import PeftModel

    return cast(
        PreTrainedModel,
        PeftModel.from_pretrained(model, str(adapter), torch_device="cpu"),
    )


def _load_weights(
    name_or_path: str, revision: str | None, dtype: torch.dtype | None
) -> PreTrainedModel:
    """Load a model all of whose weights are in its files.

    transformers would give weights that are missing, or of another shape, random values
    without a seed. Raises ConfigError if there are any; tied weights are not missing.
    """
    default = "auto" if torch.cuda.is_available() else torch.float32
    # transformers does not say that it returns a pair with `output_loading_info`.
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        name_or_path,
        revision=revision,
        dtype=dtype or default,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are named below
    )
    model, found = cast(tuple[PreTrainedModel, dict[str, Any]], loaded)
    # Of another shape: (name, shape in the file, shape in the model).
    other_shapes = [name for name, *_ in found["mismatched_keys"]]
    shown = _name_without_path(name_or_path)
    _refuse_weights(shown, "its files lack", found["missing_keys"])
    _refuse_weights(shown, "its files have in another shape", other_shapes)
    return model


def _refuse_weights(shown: str, fault: str, names: Collection[str]) -> None:
    """Raise ConfigError if there are weights with a fault; it names a few of them."""
    if not names:
        return
    named = ", ".join(sorted(names)[:NAMED_WEIGHTS])
    raise ConfigError(
        f"student {shown!r}: {fault} {len(names)} of the model's weights, such as "
        f"{named}. Use a decoder that was saved with all its weights and its own "
        "config.json."
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
